"""LDAP's encoding, filters and challenges."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.remote.ldap import ber, filters, sasl
from pakhus.remote.ldap.ber import Malformed, Reader
from pakhus.remote.ldap.client import Entry
from pakhus.remote.ldap.filters import BadFilter
from pakhus.services.identity.ldap.hashes import matches
from pakhus.services.identity.ldap.lookup import filled, first_value, is_off


@given(st.integers(-(2**63), 2**63))
def test_integers_are_read_as_they_were_written(value: int) -> None:
    assert ber.as_integer(Reader(ber.integer(value)).next(ber.INTEGER)) == value


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_elements_are_read_as_they_were_written(values: list[bytes]) -> None:
    reader = Reader(Reader(ber.tlv(ber.SEQUENCE, *(ber.octets(each) for each in values))).next(ber.SEQUENCE))

    found = []
    while reader:
        found.append(reader.next(ber.OCTETS))

    assert found == values


@given(st.binary(max_size=40))
def test_bytes_of_any_kind_are_read_or_malformed(value: bytes) -> None:
    reader = Reader(value)
    try:
        while reader:
            reader.next()
    except Malformed:
        pass


def test_long_lengths_are_minimal() -> None:
    assert [ber.length(size) for size in (0, 127, 128, 256)] == [b"\x00", b"\x7f", b"\x81\x80", b"\x82\x01\x00"]


def test_filter_is_written_as_the_protocol_has_it() -> None:
    """RFC 4511, section 4.5.1.7."""
    assert filters.parse("(uid=ada)") == bytes.fromhex("a30a0403756964") + b"\x04\x03ada"
    assert filters.parse("uid=ada") == filters.parse(" (uid=ada) ")
    assert filters.parse("(uid=*)") == b"\x87\x03uid"
    assert filters.parse("(&(a=1)(!(b=2)))")[0] == 0xA0
    assert filters.parse("(cn=a*b*c)") == ber.tlv(
        0xA4,
        ber.octets("cn"),
        ber.tlv(ber.SEQUENCE, ber.octets("a", 0x80), ber.octets("b", 0x81), ber.octets("c", 0x82)),
    )
    assert filters.parse("(member:1.2.3:=x)") == filters.equal("member:1.2.3", "x")
    assert filters.parse(r"(cn=\2a)") == filters.equal("cn", "*")
    assert filters.parse("(&)") == ber.tlv(0xA0)


@pytest.mark.parametrize(
    "text", ["", "(", "(a=b", "(a)", "(a=b)(c=d)", "(&(a=b)", r"(a=\zz)", "(=b)", "(a b=c)", "(!)", "(" * 99 + "a=b"]
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        filters.parse(text)


@given(st.text(st.characters(codec="utf-8")))
def test_value_stays_a_value(value: str) -> None:
    """Whatever a user types becomes the value of one condition."""
    reader = Reader(Reader(filters.equal("uid", value)).next(filters.EQUAL))

    assert (reader.next(ber.OCTETS), reader.next(ber.OCTETS)) == (b"uid", value.encode())
    assert not reader


def test_challenges_are_answered_as_the_specifications_show() -> None:
    """RFC 2195, section 3; RFC 2831, section 4 (its example is of IMAP: the service differs, the computation not)."""
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert sasl.cram_md5(challenge, "tim", "tanstaaftanstaaf") == b"tim b913a602c7eda7a495b4e6e7334d3890"

    told = b'realm="example.org",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'
    said = sasl.digest_md5(told, "ada", "secret", "", "ldap.example.org", cnonce="OA6MHXh6VqTrRk").decode()
    secret = hashlib.md5(b"ada:example.org:secret").digest()
    a1 = hashlib.md5(secret + b":OA6MG9tEQGm2hh:OA6MHXh6VqTrRk").hexdigest()
    a2 = hashlib.md5(b"AUTHENTICATE:ldap/ldap.example.org").hexdigest()
    proof = hashlib.md5(f"{a1}:OA6MG9tEQGm2hh:00000001:OA6MHXh6VqTrRk:auth:{a2}".encode()).hexdigest()
    assert f"response={proof}" in said and 'realm="example.org"' in said


def test_challenge_without_nonce_is_malformed() -> None:
    with pytest.raises(Malformed):
        sasl.digest_md5(b"realm=x", "ada", "secret", "", "host", cnonce="x")


@pytest.mark.parametrize(("name", "algorithm", "salt"), [
    ("SHA", "sha1", b""), ("SSHA", "sha1", b"salt"), ("SSHA512", "sha512", b"salt"), ("SMD5", "md5", b"s"),
    ("sha-256", "sha256", b""),
])  # fmt: skip
def test_kept_password_is_compared(name: str, algorithm: str, salt: bytes) -> None:
    digest = hashlib.new(algorithm, b"right" + salt).digest() + salt
    kept = f"{{{name}}}{base64.b64encode(digest).decode()}".encode()

    assert (matches(kept, "right"), matches(kept, "wrong")) == (True, False)


def test_password_of_an_unknown_kind_is_left_to_the_directory() -> None:
    assert matches(b"{CRYPT}$6$x$y", "right") is None
    assert matches(b"{SSHA}not base64", "right") is None
    assert (matches(b"right", "right"), matches(b"right", "wrong")) == (True, False)


def test_member_is_written_as_its_group_lists_it() -> None:
    assert filled("${username}", "cn=a,dc=b", "x,y") == "x,y"
    assert filled("${dn}", "cn=a,dc=b", "x") == "cn=a,dc=b"
    assert filled("uid=${username},ou=people", "", "x,ou=admins") == r"uid=x\,ou\=admins,ou=people"


@pytest.mark.parametrize(
    ("dn", "name"),
    [("cn=dev,ou=groups", "dev"), (r"CN=Dev\, all,OU=x", "Dev, all"), (r"cn=J\c3\bcrgen,x=y", "Jürgen"), ("dev", "")],
)
def test_group_is_named_by_the_first_part(dn: str, name: str) -> None:
    assert first_value(dn) == name


@pytest.mark.parametrize(
    ("attribute", "value", "off"),
    [
        ("userAccountControl", b"514", True),
        ("userAccountControl", b"512", False),
        ("userAccountControl", b"x", False),
        ("pwdAccountLockedTime", b"000001010000Z", True),
        ("pwdAccountLockedTime", b"20260101000000Z", False),
        ("nsAccountLock", b"true", True),
        ("loginDisabled", b"FALSE", False),
    ],
)
def test_account_that_is_switched_off_is_seen_in_every_directory(attribute: str, value: bytes, off: bool) -> None:
    assert is_off(Entry("uid=ada", {attribute.lower(): [value]})) is off
