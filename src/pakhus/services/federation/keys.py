"""Whose signature counts: an issuer's keys, given by an administrator or found by discovery, and new ones as they come.

OpenID Connect Discovery 1.0: the document lies below the issuer's URL, and must name the issuer that it was asked of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.services.federation.documents import Documents, Place, ProviderAway
from pakhus.services.federation.jwt import ALGORITHMS, Claimed, Json, NoSuchKey, text_of, verify
from pakhus.services.federation.refusal import Refused

DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: `url` is its `iss`, exactly. Its keys are `keys`, or at `jwks_url`, or where discovery says.

    `discovery_url`: where the document is if not below `url`; `ca` and `insecure` as in `Place`; `leeway` in seconds.
    """

    url: str
    keys: tuple[Mapping[str, Any], ...] = ()
    jwks_url: str = ""
    discovery_url: str = ""
    ca: str = ""
    insecure: bool = False
    leeway: float = 60.0
    algorithms: frozenset[str] = ALGORITHMS

    def place(self, url: str) -> Place:
        return Place(url, self.ca, self.insecure)

    @property
    def discovery(self) -> Place:
        return self.place(self.discovery_url or self.url.rstrip("/") + DISCOVERY)


class Keys:
    """The keys of issuers, as they are now."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def metadata(self, issuer: Issuer) -> Json:
        """The discovery document. Raises `ProviderAway`, and `Refused` when it is another issuer's."""
        found: Json = await self._documents.read(issuer.discovery)
        if found.get("issuer") != issuer.url:
            named = repr(found.get("issuer"))[:200]
            raise Refused(f"the discovery document is of the issuer {named}, not of {issuer.url!r}")
        return found

    async def verified(self, issuer: Issuer, claimed: Claimed) -> Json:
        """The claims of a token that this issuer signed. Raises `Refused` or `ProviderAway`."""
        if claimed.issuer != issuer.url:
            raise Refused(f"iss is {claimed.issuer!r}, not {issuer.url!r}")
        if issuer.keys:
            return verify(claimed, issuer.keys, algorithms=issuer.algorithms)
        known = await self._current(issuer)
        try:
            return verify(claimed, known, algorithms=issuer.algorithms)
        except NoSuchKey:
            newer = await self._current(issuer, newer=True)
            return verify(claimed, newer, algorithms=issuer.algorithms)
        except Refused:
            if "kid" in claimed.header:
                raise
            newer = await self._current(issuer, newer=True)
            if newer == known:
                raise
            return verify(claimed, newer, algorithms=issuer.algorithms)

    async def _current(self, issuer: Issuer, *, newer: bool = False) -> Sequence[Mapping[str, Any]]:
        url = issuer.jwks_url or text_of((await self.metadata(issuer)).get("jwks_uri"))
        if not url:
            raise ProviderAway(f"the discovery document of {issuer.url} names no keys (jwks_uri)")
        found = (await self._documents.read(issuer.place(url), newer=newer)).get("keys")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
