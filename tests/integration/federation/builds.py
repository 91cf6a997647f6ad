"""A platform that runs builds: it signs tokens that say which job runs, and serves its keys."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.integration.upstream import Upstream, upstream

JOB = {
    "sub": "repo:acme/app:ref:refs/heads/main",
    "aud": "https://pakhus.test",
    "repository": "acme/app",
    "ref": "refs/heads/main",
    "environment": "release",
}


@dataclass
class Platform:
    """An issuer. `keys` are those that it signs with, the newest last."""

    far: Upstream
    keys: list[RSAKey] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.far.url.rstrip("/")

    def rotate(self) -> None:
        """Sign with a new key from now on, and serve only that."""
        self.keys = [RSAKey.generate_key(2048, {"kid": f"key-{time.monotonic_ns()}"})]
        self._serve()

    def _serve(self) -> None:
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.far.files[".well-known/openid-configuration"] = json.dumps(document).encode()
        public = [each.as_dict(private=False) for each in self.keys]
        self.far.files["keys"] = json.dumps({"keys": public}).encode()

    def token(self, *, seconds: int = 300, **claims: Any) -> str:
        """The token of a job; `None` leaves a claim out."""
        now = int(time.time())
        whole = {"iss": self.url, "iat": now, "exp": now + seconds, **JOB, **claims}
        said = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": self.keys[-1].kid}, said, self.keys[-1])


@asynccontextmanager
async def platform() -> AsyncIterator[Platform]:
    async with upstream() as far:
        made = Platform(far)
        made.rotate()
        yield made
