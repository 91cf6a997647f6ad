"""OpenID Connect as a relying party: authorization code with PKCE (OpenID Connect Core 1.0, RFC 6749, RFC 7636).

What a login needs to remember between leaving and coming back is a `Pending`: only who holds its `state` comes back,
the `nonce` ties the ID token to it, the `verifier` ties the code to us.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pakhus.services.federation.documents import Documents, Place, ProviderAway, check
from pakhus.services.federation.jwt import Claimed, Json, check_times, taken_apart, text_of, texts_of
from pakhus.services.federation.keys import Keys
from pakhus.services.federation.providers import OidcProvider, Person, person_of
from pakhus.services.federation.refusal import Refused

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
OLDEST_LOGOUT = 600.0
"""Seconds: a logout token that is older was meant for a session of long ago."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that has left for the provider."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Login:
    """A login that came back: who it is, and what the provider gave to ask for more later."""

    person: Person
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class Logout:
    """Whose sessions end: those of a session at the provider, or all of a subject."""

    subject: str
    session: str
    id: str
    expires: float


def challenge_of(verifier: str) -> str:
    """RFC 7636 section 4.2, `S256`."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


class Oidc:
    def __init__(self, documents: Documents, keys: Keys, now: Callable[[], datetime]) -> None:
        self._documents = documents
        self._keys = keys
        self._now = now

    async def begin(self, provider: OidcProvider, redirect_uri: str) -> tuple[str, Pending]:
        """Where to send the browser, and what to keep until it is back."""
        endpoint = await self._endpoint(provider, "authorization_endpoint")
        pending = Pending(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), redirect_uri)
        query = {
            **(provider.parameters or {}),
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *provider.scopes))),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge_of(pending.verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}", pending

    async def finish(self, provider: OidcProvider, pending: Pending, query: Mapping[str, str]) -> Login:
        """Trade the code that came back for an ID token. Raises `Refused`, `ProviderAway`."""
        if error := query.get("error"):
            told = query.get("error_description", "")
            raise Refused(f"the provider answered {error[:100]!r}: {told[:300]!r}", "the login was not completed")
        # RFC 9207: an answer of another provider, mixed up on purpose.
        if query.get("iss", provider.issuer.url) != provider.issuer.url:
            raise Refused(f"the answer is of the issuer {query['iss'][:200]!r}, not of {provider.issuer.url!r}")
        if not query.get("code"):
            raise Refused("the provider sent no code back")
        form = {
            "grant_type": "authorization_code",
            "code": query["code"],
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.verifier,
        }
        answer = await self._token(provider, form)
        claims = await self._id_token(provider, answer, nonce=pending.nonce)
        return await self._login(provider, answer, claims)

    async def refreshed(self, provider: OidcProvider, refresh_token: str, subject: str) -> Login:
        """Ask whether the provider still stands by a login. Raises `Refused` when it does not."""
        answer = await self._token(provider, {"grant_type": "refresh_token", "refresh_token": refresh_token})
        if "id_token" in answer:
            claims = await self._id_token(provider, answer, nonce=None)
        else:
            claims = await self._userinfo(provider, text_of(answer.get("access_token")))
        if claims.get("sub") != subject:
            raise Refused("the provider refreshed the login of somebody else")
        login = await self._login(provider, answer, claims)
        return Login(login.person, login.refresh_token or refresh_token)

    async def logout(self, provider: OidcProvider, token: str) -> Logout:
        """Check a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6). Raises `Refused`."""
        claimed = taken_apart(token)
        claims = await self._keys.verified(provider.issuer, claimed)
        if str(claimed.header.get("typ", "logout+jwt")).lower() not in ("logout+jwt", "application/logout+jwt", "jwt"):
            raise Refused(f"typ is {claimed.header['typ']!r}, not a logout token's")
        if provider.client_id not in texts_of(claims.get("aud")):
            raise Refused(f"aud is {claims.get('aud')!r}, not {provider.client_id!r}")
        # `exp` came late into the specification: without it, the age is what bounds the token.
        moment = self._now().timestamp()
        check_times({"exp": moment + 1, **claims}, self._now(), provider.issuer.leeway, oldest=OLDEST_LOGOUT)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise Refused("events names no back-channel logout")
        if "nonce" in claims:
            raise Refused("it has a nonce: it is an ID token, not a logout token")
        subject, session, id = (text_of(claims.get(name)) for name in ("sub", "sid", "jti"))
        if not (subject or session) or not id:
            raise Refused("it names neither a subject nor a session (sub, sid), or has no jti")
        return Logout(subject, session, id, moment + OLDEST_LOGOUT + provider.issuer.leeway)

    # -- the parts -------------------------------------------------------------------------------------------------

    async def _login(self, provider: OidcProvider, answer: Json, claims: Json) -> Login:
        names = provider.attributes
        access = text_of(answer.get("access_token"))
        if access and provider.userinfo:
            more = await self._userinfo(provider, access)
            if more.get("sub") != claims["sub"]:
                raise Refused("the userinfo endpoint speaks of another subject than the ID token")
            claims = {**more, **claims}
        person = person_of(provider.name, claims["sub"], claims, names)
        return Login(person, text_of(answer.get("refresh_token")))

    async def _id_token(self, provider: OidcProvider, answer: Json, *, nonce: str | None) -> Json:
        """OpenID Connect Core 1.0, section 3.1.3.7."""
        claimed = taken_apart(text_of(answer.get("id_token")))
        claims = await self._keys.verified(provider.issuer, claimed)
        audiences = texts_of(claims.get("aud"))
        if provider.client_id not in audiences:
            raise Refused(f"aud is {list(audiences)}, not {provider.client_id!r}")
        if claims.get("azp", provider.client_id) != provider.client_id or (len(audiences) > 1 and "azp" not in claims):
            raise Refused(f"azp is {claims.get('azp')!r}, not {provider.client_id!r}")
        check_times(claims, self._now(), provider.issuer.leeway)
        if nonce is not None and not secrets.compare_digest(text_of(claims.get("nonce")).encode(), nonce.encode()):
            raise Refused("nonce is not the one of this login")
        if not text_of(claims.get("sub")):
            raise Refused("sub is missing")
        _check_hash(claimed, claims, text_of(answer.get("access_token")))
        return claims

    async def _userinfo(self, provider: OidcProvider, access_token: str) -> Json:
        endpoint = await self._endpoint(provider, "userinfo_endpoint")
        headers = {"authorization": f"Bearer {access_token}"}
        status, found = await self._documents.send(provider.issuer.place(endpoint), None, headers)
        if status != 200 or not isinstance(found, dict):
            raise Refused(f"the userinfo endpoint answered {status}")
        return found

    async def _token(self, provider: OidcProvider, form: Mapping[str, str]) -> Json:
        metadata = await self._keys.metadata(provider.issuer)
        endpoint = await self._endpoint(provider, "token_endpoint")
        sent, headers = _authenticated(provider, metadata, form)
        status, found = await self._documents.send(_place(provider, endpoint), sent, headers)
        if status >= 500:
            raise ProviderAway(f"the identity provider's token endpoint answered {status}")
        if status != 200 or not isinstance(found, dict):
            told = {name: found.get(name) for name in ("error", "error_description")} if isinstance(found, dict) else {}
            raise Refused(f"the token endpoint answered {status} {told}")
        return found

    async def _endpoint(self, provider: OidcProvider, name: str) -> str:
        found = text_of((await self._keys.metadata(provider.issuer)).get(name))
        if not found:
            raise ProviderAway(f"the discovery document of {provider.issuer.url} has no {name}")
        check(_place(provider, found))
        return found


def _place(provider: OidcProvider, url: str) -> Place:
    return provider.issuer.place(url)


def _authenticated(
    provider: OidcProvider, metadata: Mapping[str, Any], form: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Form and headers with this client's own credentials (RFC 6749 section 2.3.1)."""
    sent = dict(form)
    method = provider.token_auth
    if not provider.client_secret:
        method = "none"
    elif not method:
        supported = texts_of(metadata.get("token_endpoint_auth_methods_supported")) or ("client_secret_basic",)
        method = "basic" if "client_secret_basic" in supported else "post"
    if method == "basic":
        pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
        return sent, {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    sent["client_id"] = provider.client_id
    if method == "post":
        sent["client_secret"] = provider.client_secret
    return sent, {}


def _check_hash(claimed: Claimed, claims: Mapping[str, Any], access_token: str) -> None:
    """The access token that came along is the one that the ID token speaks of (section 3.1.3.6)."""
    expected, algorithm = claims.get("at_hash"), str(claimed.header.get("alg"))
    if expected is None or not access_token or algorithm[2:] not in ("256", "384", "512"):
        return
    digest = hashlib.new(f"sha{algorithm[2:]}", access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if expected != half:
        raise Refused("at_hash does not belong to the access token")
