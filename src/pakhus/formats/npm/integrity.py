"""What a manifest's `dist` promises of its tarball: `integrity` (W3C Subresource Integrity) and `shasum` (SHA-1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from pakhus.domain.content import Digests
from pakhus.domain.errors import DigestMismatch

_SIZES = {"sha512": 64, "sha256": 32, "sha1": 20, "md5": 16}
_TOKEN = re.compile(r"(sha512|sha256|sha1|md5)-([A-Za-z0-9+/=]+)(?:\?\S*)?")
_SHASUM = re.compile(r"[0-9a-fA-F]{40}")


def promised(dist: Mapping[str, Any]) -> dict[str, str]:
    """Algorithm → lower-case hex, of all that is promised in a way that can be checked.

    An algorithm with several digests promises "one of these", which is no digest to check a stream against.
    """
    found: dict[str, set[str]] = {}
    for algorithm, encoded in _TOKEN.findall(_text(dist.get("integrity"))):
        if (digest := _decoded(encoded)) is not None and len(digest) == _SIZES[algorithm]:
            found.setdefault(algorithm, set()).add(digest.hex())
    shasum = _text(dist.get("shasum"))
    if _SHASUM.fullmatch(shasum):
        found.setdefault("sha1", {shasum.lower()})
    return {algorithm: digests.pop() for algorithm, digests in found.items() if len(digests) == 1}


def check(dist: Mapping[str, Any], digests: Digests, *, what: str) -> None:
    """Raise `DigestMismatch` unless each promise holds and each one that was made can be read."""
    promises = promised(dist)
    for member in ("integrity", "shasum"):
        if dist.get(member) and not promised({member: dist[member]}):
            raise DigestMismatch(f"{member} of {what} cannot be read: {_text(dist[member])[:120]!r}")
    shasum = promised({"shasum": dist.get("shasum")})
    for algorithm, digest in [*promises.items(), *shasum.items()]:
        if digests.get(algorithm) != digest:
            raise DigestMismatch(
                f"the tarball of {what} has {algorithm} {digests.get(algorithm)}, but {digest} was promised"
            )


def describe(digests: Digests) -> dict[str, str]:
    """The `integrity` and `shasum` of a tarball."""
    encoded = base64.b64encode(bytes.fromhex(digests.sha512)).decode()
    return {"integrity": f"sha512-{encoded}", "shasum": digests.sha1}


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
