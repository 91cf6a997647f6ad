"""Tokens of others: nothing but their issuer's signature, by an algorithm of ours, makes them true."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from pakhus.domain.errors import Invalid
from pakhus.services.federation.jwt import NoSuchKey, check_times, jwks_of, taken_apart, verify
from pakhus.services.federation.refusal import Refused

RSA = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
EC = ECKey.generate_key("P-256", {"kid": "two"})
ED = OKPKey.generate_key("Ed25519", {"kid": "three"})
CLAIMS = {"iss": "https://issuer.test", "sub": "job", "exp": 2_000_000_000}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def public(*keys: Key) -> list[dict[str, Any]]:
    return [dict(key.as_dict(private=False)) for key in keys]


@contextmanager
def refusing(why: str) -> Iterator[None]:
    """What administrators are told; strangers are told nothing."""
    with pytest.raises(Refused) as refused:
        yield
    assert why in refused.value.why
    assert why not in refused.value.message


def signed(key: Key, algorithm: str, **header: Any) -> str:
    return jwt.encode({"alg": algorithm, **header}, dict(CLAIMS), key, algorithms=[algorithm])


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA"), (ED, "Ed25519")],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_token_of_the_issuer_is_true(key: Key, algorithm: str) -> None:
    token = signed(key, algorithm, kid=key.kid)

    assert verify(taken_apart(token), public(RSA, EC, ED)) == CLAIMS


def test_token_without_key_id_is_tried_with_every_key() -> None:
    token = signed(RSA, "RS256")

    assert verify(taken_apart(token), public(OTHER, EC, RSA)) == CLAIMS


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 5, ["RS256"]])
def test_unsigned_token_is_refused(algorithm: Any) -> None:
    token = by_hand({"alg": algorithm}, CLAIMS, b"")

    with refusing("the algorithm"):
        verify(taken_apart(token), public(RSA))


def test_public_key_is_no_shared_secret() -> None:
    """The classic confusion: HMAC with the RSA key that everybody can read."""
    for secret in (RSA.as_pem(private=False), json.dumps(public(RSA)[0]).encode()):
        head = by_hand({"alg": "HS256", "kid": "one"}, CLAIMS, b"").rstrip(".")
        mac = hmac.digest(secret, head.encode(), hashlib.sha256)
        token = f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

        with refusing("HS256"):
            verify(taken_apart(token), public(RSA))


def test_shared_secret_in_a_key_set_is_no_key() -> None:
    shared = OctKey.generate_key(256)
    token = signed(shared, "HS256")

    with pytest.raises(Refused):
        verify(taken_apart(token), [dict(shared.as_dict())], algorithms=frozenset({"HS256", "RS256"}))


def test_signature_of_another_key_of_that_name_is_refused() -> None:
    with refusing("signature"):
        verify(taken_apart(signed(OTHER, "RS256", kid="one")), public(RSA))


def test_unknown_key_id_asks_for_new_keys() -> None:
    with pytest.raises(NoSuchKey):
        verify(taken_apart(signed(RSA, "RS256", kid="new")), public(RSA))


def test_key_in_the_token_itself_is_not_asked() -> None:
    token = signed(OTHER, "RS256", jwk=public(OTHER)[0], jku="https://evil.test/jwks", kid="one")

    with pytest.raises(Refused):
        verify(taken_apart(token), public(RSA))


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False, "crit": ["b64"]}, {"b64": False}])
def test_critical_extensions_are_refused(header: dict[str, Any]) -> None:
    token = by_hand({"alg": "RS256", **header}, CLAIMS, b"x")

    with refusing("crit"):
        verify(taken_apart(token), public(RSA))


def test_changed_claims_are_refused() -> None:
    head, _, signature = signed(RSA, "RS256").split(".")
    claims = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "sub": "root"}).encode()).rstrip(b"=").decode()

    with refusing("signature"):
        verify(taken_apart(f"{head}.{claims}.{signature}"), public(RSA))


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "RS512"}, {"kty": "EC"}, {"n": "AQAB"}, {"n": 5}])
def test_key_for_something_else_is_not_tried(change: dict[str, Any]) -> None:
    with pytest.raises(NoSuchKey):
        verify(taken_apart(signed(RSA, "RS256")), [{**public(RSA)[0], **change}])


def test_short_rsa_key_is_no_key() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    text = base64.urlsafe_b64encode(numbers.n.to_bytes(128, "big")).rstrip(b"=").decode()

    with pytest.raises(NoSuchKey):
        verify(taken_apart(signed(RSA, "RS256")), [{"kty": "RSA", "n": text, "e": "AQAB"}])


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({}, "exp is missing"),
        ({"exp": NOW.timestamp() - 61}, "expired"),
        ({"exp": NOW.timestamp() + 600, "nbf": NOW.timestamp() + 61}, "not valid yet"),
        ({"exp": NOW.timestamp() + 600, "iat": NOW.timestamp() + 61}, "in the future"),
        ({"exp": "tomorrow"}, "not a point in time"),
        ({"exp": True}, "not a point in time"),
        ({"exp": 10**12}, "not a point in time"),
        ({"exp": -1}, "not a point in time"),
        ({"exp": float("inf")}, "not a point in time"),
        ({"exp": float("nan")}, "not a point in time"),
    ],
)
def test_token_outside_of_its_time_is_refused(claims: dict[str, Any], why: str) -> None:
    with refusing(why):
        check_times(claims, NOW, 60)


def test_clocks_may_differ_by_the_leeway() -> None:
    moment = NOW.timestamp()

    check_times({"exp": moment - 59, "nbf": moment + 59, "iat": moment + 59}, NOW, 60)


def test_keys_are_taken_as_set_as_one_and_as_pem() -> None:
    one = public(RSA)[0]
    pems = (RSA.as_pem(private=False) + EC.as_pem(private=False)).decode()

    assert jwks_of(json.dumps({"keys": [one]})) == jwks_of(json.dumps(one)) == [one]
    assert [key["kty"] for key in jwks_of(pems)] == ["RSA", "EC"]
    assert verify(taken_apart(signed(RSA, "RS256", kid="any")), jwks_of(pems)) == CLAIMS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"keys": []}',
        "[1]",
        "-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----",
        json.dumps(RSA.as_dict(private=True)),
        RSA.as_pem(private=True).decode(),
        json.dumps(OctKey.generate_key(256).as_dict()),
    ],
)
def test_rubbish_and_private_keys_are_no_key_set(text: str) -> None:
    with pytest.raises(Invalid):
        jwks_of(text)


@given(st.one_of(st.text(), st.binary().map(lambda raw: "eyJ" + base64.urlsafe_b64encode(raw).decode() + ".e30.")))
def test_whatever_comes_is_taken_apart_or_refused(text: str) -> None:
    try:
        claimed = taken_apart(text)
        verify(claimed, public(RSA))
    except Refused:
        return
    raise AssertionError("nobody signed this")
