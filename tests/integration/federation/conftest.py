"""A server, a real OpenID provider, and an issuer of builds' tokens that does what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from pakhus.services.clock import Clock
from tests.contract.serving import ADMIN, Serving, serving
from tests.integration.federation.clock import Ahead
from tests.peers import openid
from tests.peers.openid import OpenId

CLIENT = {"client_id": "pakhus", "client_secret": "a-secret-of-the-client-that-is-long-enough"}


@dataclass
class Setting:
    """A running server with its administrator, and a provider that knows it as a client."""

    serving: Serving
    admin: httpx2.AsyncClient
    provider: OpenId
    clock: Ahead
    anyone: httpx2.AsyncClient

    @property
    def url(self) -> str:
        return self.serving.url

    async def configure(self, name: str = "corp", **settings: Any) -> None:
        """Make or change the provider's description."""
        body = {"issuer": self.provider.issuer, **CLIENT, **settings}
        at = f"{self.url}/api/v1/security/oidc/providers/{name}"
        answer = await self.admin.put(at, json=body)
        if answer.status_code == 404:
            answer = await self.admin.post(at, json=body)
        assert answer.status_code in (201, 204), answer.text

    def caller(self, token: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory, provider_of: Any) -> AsyncIterator[Setting]:
    ahead = Ahead()
    clock = Clock(ahead.now, ahead.seconds)
    async with serving(tmp_path_factory.mktemp("federation") / "data", clock=clock) as running:
        with provider_of(running.url) as provider:
            async with (
                httpx2.AsyncClient(auth=ADMIN, trust_env=False, timeout=30) as admin,
                httpx2.AsyncClient(trust_env=False, timeout=30) as anyone,
            ):
                yield Setting(running, admin, provider, ahead, anyone)


@pytest.fixture(scope="module")
def provider_of() -> Iterator[Any]:
    """Starts a provider that lets people come back to a server."""

    def start(url: str) -> Any:
        client = {
            **CLIENT,
            "redirect_uris": [f"{url}/login/oidc/{name}/callback" for name in ("corp", "other", "manual", "listed")],
            "grant_types": ["authorization_code", "refresh_token"],
            "backchannel_logout_uri": f"{url}/login/oidc/corp/backchannel",
            "backchannel_logout_session_required": True,
        }
        return openid.running(client)

    yield start
