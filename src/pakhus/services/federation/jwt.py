"""Signed tokens (JWT, RFC 7519) of somebody else: taken apart, verified with their keys, checked against the clock.

Which algorithm is used is our decision, not the token's (RFC 8725): only signatures with a public key, each only with a
key of its type. There is no `none`, and no HMAC: a public key must never become a shared secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from pakhus.domain.errors import Invalid
from pakhus.services.federation.refusal import Refused

LONGEST = 16 << 10
"""Bytes of a token: more fit into no header."""
SHORTEST_RSA = 2048
LARGEST_RSA = 8192
"""Bits: a shorter key can be broken, a longer one makes us compute for too long."""
LAST_MOMENT = 253_402_300_799
"""Seconds since the epoch at the end of the year 9999, which is as far as a clock of ours goes."""
KEYS = 64
"""Keys of a set that are looked at."""
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_TYPES: Mapping[str, tuple[str, type[Key]]] = {
    "RS": ("RSA", RSAKey),
    "PS": ("RSA", RSAKey),
    "ES": ("EC", ECKey),
    "Ed": ("OKP", OKPKey),
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A token that was taken apart: nothing of it is proven yet."""

    token: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        return text_of(self.claims.get("iss"))

    @property
    def subject(self) -> str:
        return text_of(self.claims.get("sub"))

    @property
    def audiences(self) -> tuple[str, ...]:
        return texts_of(self.claims.get("aud"))


def taken_apart(token: str) -> Claimed:
    """Header and claims, unverified. Raises `Refused` for what is no signed token."""
    if len(token) > LONGEST or token.count(".") != 2:
        raise Refused("it is not a signed token (JWS, three parts)")
    header, claims, _ = token.split(".")
    return Claimed(token, _object(header, "header"), _object(claims, "claims"))


def verify(claimed: Claimed, keys: Sequence[Mapping[str, Any]], *, algorithms: frozenset[str] = ALGORITHMS) -> Json:
    """The claims, if one of the keys (JWKs, RFC 7517) has signed them. Raises `Refused`, `NoSuchKey` for a new kid."""
    algorithm = claimed.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms & ALGORITHMS:
        raise Refused(f"the algorithm {_short(algorithm)} is not accepted (only {', '.join(sorted(algorithms))})")
    if "crit" in claimed.header or "b64" in claimed.header:
        raise Refused("the header demands extensions that are not known here (crit)")
    fitting = candidates(keys, algorithm, claimed.header.get("kid"))
    if not fitting:
        raise NoSuchKey(f"the issuer has no key {_short(claimed.header.get('kid'))} for {algorithm}")
    for key in fitting:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # "EdDSA" is deprecated, and what most issuers say
            try:
                return jwt.decode(claimed.token, key, algorithms=[algorithm]).claims
            except (JoseError, ValueError, TypeError):
                continue
    raise Refused(f"the signature is not that of the issuer's key {_short(claimed.header.get('kid'))}")


class NoSuchKey(Refused):
    """The issuer's keys, as we know them, have none like this: it may have a new one."""


def candidates(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: object) -> list[Key]:
    """The keys that may have signed: of the algorithm's type, meant for signatures, and of this id if one is given."""
    kind, make = _TYPES[algorithm[:2]]
    found: list[Key] = []
    for each in list(keys)[:KEYS]:
        if each.get("kty") != kind or each.get("use", "sig") != "sig":
            continue
        if kid is not None and each.get("kid") is not None and each["kid"] != kid:
            continue
        if each.get("alg") not in (None, algorithm) and {each.get("alg"), algorithm} != {"EdDSA", "Ed25519"}:
            continue
        key = _key(make, each, _CURVES.get(algorithm, "Ed25519"))
        if key is not None:
            found.append(key)
    return found


def _key(make: type[Key], jwk: Mapping[str, Any], curve: str) -> Key | None:
    """The public key; `None` for one that is malformed, weak, or on another curve than the algorithm's."""
    public = {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
    if make is not RSAKey and public.get("crv") != curve:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # of short keys, which are refused below
            key = make.import_key(public)
        if isinstance(key, RSAKey) and not SHORTEST_RSA <= key.raw_value.key_size <= LARGEST_RSA:
            return None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def check_times(claims: Mapping[str, Any], now: datetime, leeway: float, *, oldest: float | None = None) -> None:
    """Raises `Refused` unless the token has an end and is valid now, give or take `leeway` seconds of clock skew.

    `oldest`: the most seconds since it was issued, where that matters.
    """
    moment = now.timestamp()
    expires, begins, issued = (_number(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise Refused("exp is missing: a token without an end is not accepted")
    if expires + leeway <= moment:
        raise Refused(f"it has expired (exp {expires:.0f}, now {moment:.0f})")
    if begins is not None and begins - leeway > moment:
        raise Refused(f"it is not valid yet (nbf {begins:.0f}, now {moment:.0f})")
    if issued is not None and issued - leeway > moment:
        raise Refused(f"it was issued in the future (iat {issued:.0f}, now {moment:.0f})")
    if oldest is not None and (issued is None or issued + oldest + leeway < moment):
        raise Refused(f"it is older than {oldest:.0f} seconds (iat {issued})")


def jwks_of(text: str) -> list[Json]:
    """The keys of a pasted key set: a JWK set, one JWK, or public keys or certificates in PEM. Raises `Invalid`."""
    if "-----BEGIN" in text:
        return [_of_pem(block) for block in _pems(text)]
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Invalid("is neither a JSON key set nor PEM", field="jwks") from error
    keys = found.get("keys", [found]) if isinstance(found, dict) else found
    if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
        raise Invalid("is not a key set", field="jwks")
    for each in keys:
        if {"d", "k", "p", "q"} & each.keys():
            raise Invalid("holds a private or a shared key: give the public ones only", field="jwks")
    usable = [each for each in keys if any(candidates([each], algorithm, None) for algorithm in ALGORITHMS)]
    if not usable:
        raise Invalid("holds no key that tokens may be signed with", field="jwks")
    return usable


def _pems(text: str) -> list[str]:
    blocks = [f"-----BEGIN{part}" for part in text.split("-----BEGIN")[1:]]
    if any("PRIVATE" in block for block in blocks):
        raise Invalid("holds a private key: give the public ones only", field="jwks")
    return blocks


def _of_pem(block: str) -> Json:
    for make in (RSAKey, ECKey, OKPKey):
        try:
            found: Json = dict(make.import_key(block).as_dict(private=False))
        except (JoseError, ValueError, TypeError):
            continue
        if any(candidates([found], algorithm, None) for algorithm in ALGORITHMS):
            return {name: value for name, value in found.items() if name != "kid"}
    raise Invalid("holds a PEM block that is no usable public key", field="jwks")


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def texts_of(value: object) -> tuple[str, ...]:
    """A claim that is a string or a list of them (`aud`, groups); what else it holds is left out."""
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LAST_MOMENT:
        raise Refused(f"{name} is not a point in time")
    return float(value)


def _object(part: str, what: str) -> Json:
    try:
        found = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise Refused(f"its {what} cannot be read") from error
    if not isinstance(found, dict):
        raise Refused(f"its {what} is no JSON object")
    return found


def _short(value: object) -> str:
    return repr(value)[:80]
