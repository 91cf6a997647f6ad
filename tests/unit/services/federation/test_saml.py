"""SAML: only what the identity provider signed is believed, wherever else in the document something stands."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from pakhus.domain.errors import Invalid
from pakhus.services.federation.providers import Attributes, SamlProvider
from pakhus.services.federation.refusal import Refused
from pakhus.services.federation.saml import Saml, acs_url, entity_id, idp_of, new_keypair
from pakhus.services.federation.saml_xml import DS, NS, SAML, SAMLP
from tests.peers.saml_idp import Idp, encrypted, sent

BASE = "https://pakhus.test"
NOW = datetime.now(UTC)
IDP = Idp()
ENEMY = Idp()
OWN = new_keypair(NOW)
PROVIDER = SamlProvider(
    "corp", IDP.metadata, attributes=Attributes("uid", groups="groups"), keypair=OWN[0], certificate=OWN[1]
)
SAID: dict[str, Any] = {"acs": acs_url(PROVIDER, BASE), "audience": entity_id(PROVIDER, BASE), "request": "_request"}


def read(root: etree._Element, provider: SamlProvider = PROVIDER, now: datetime = NOW) -> Any:
    return Saml().read(provider, BASE, sent(root), now)


def refused(root: etree._Element, provider: SamlProvider = PROVIDER, now: datetime = NOW) -> str:
    with pytest.raises(Refused) as refusal:
        read(root, provider, now)
    return refusal.value.why


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_answer_of_the_provider_is_believed(sign: str) -> None:
    said = read(IDP.answer(sign=sign, **SAID))

    assert (said.person.user_id, said.person.groups, said.request) == ("ann", ("developers",), "_request")
    assert said.person.session == "s1"


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_encrypted_answer_is_believed(sign: str) -> None:
    root = IDP.answer(sign="assertion" if sign != "response" else "none", **SAID)
    root = encrypted(root, OWN[1])
    if sign != "assertion":
        root = IDP.signed(root)

    assert read(root).person.user_id == "ann"


def test_encrypting_is_not_signing() -> None:
    """Anybody has our public key."""
    assert "not signed" in refused(encrypted(IDP.answer(sign="none", **SAID), OWN[1]))


def test_unsigned_answer_is_refused() -> None:
    assert "not signed" in refused(IDP.answer(sign="none", **SAID))


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_answer_of_somebody_else_is_refused(sign: str) -> None:
    assert "signature" in refused(ENEMY.answer(sign=sign, **SAID))


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
def test_changed_answer_is_refused(sign: str) -> None:
    root = IDP.answer(sign=sign, **SAID)
    for each in root.iter(f"{{{SAML}}}AttributeValue", f"{{{SAML}}}NameID"):
        each.text = "admin"

    assert "signature" in refused(root)


@pytest.mark.parametrize(
    ("provider", "sign"),
    [({"signed_response": True}, "assertion"), ({"signed_assertion": True}, "response")],
)
def test_signature_that_is_demanded_has_to_be_there(provider: dict[str, Any], sign: str) -> None:
    changed = SamlProvider("corp", IDP.metadata, attributes=PROVIDER.attributes, **provider)

    assert "not signed" in refused(IDP.answer(sign=sign, **SAID), changed)
    assert read(IDP.answer(sign="both", **SAID), changed).person.user_id == "ann"


@pytest.mark.parametrize(
    ("method", "digest"),
    [
        (SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA256),
        (SignatureMethod.RSA_SHA256, DigestAlgorithm.SHA1),
    ],
)
def test_sha1_is_refused(method: SignatureMethod, digest: DigestAlgorithm) -> None:
    root = IDP.response(**SAID)
    assertion = root.find("saml:Assertion", NS)
    assert assertion is not None
    root.replace(assertion, IDP.signed(assertion, method=method, digest=digest))

    assert "forbidden" in refused(root)


# -- signature wrapping --------------------------------------------------------------------------------------------


def evil_copy(assertion: etree._Element, *, id: str | None) -> etree._Element:
    """The assertion without its signature, for another user."""
    evil = copy.deepcopy(assertion)
    for signature in evil.findall("ds:Signature", NS):
        evil.remove(signature)
    for each in evil.iter(f"{{{SAML}}}AttributeValue", f"{{{SAML}}}NameID"):
        each.text = "admin"
    if id is not None:
        evil.set("ID", id)
    return evil


def beside_before(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    original.addprevious(evil)


def beside_after(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    original.addnext(evil)


def in_extensions(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    root.replace(original, evil)
    wrapper = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    wrapper.append(original)


def in_signature_object(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    signature = original.find("ds:Signature", NS)
    assert signature is not None
    root.replace(original, evil)
    evil.insert(1, signature)
    etree.SubElement(signature, f"{{{DS}}}Object").append(original)


def inside_the_evil_one(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    root.replace(original, evil)
    evil.append(original)


def signature_moved(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    signature = original.find("ds:Signature", NS)
    assert signature is not None
    root.replace(original, evil)
    evil.insert(1, signature)
    etree.SubElement(root, f"{{{SAMLP}}}Extensions").append(original)


def evil_around(root: etree._Element, original: etree._Element, evil: etree._Element) -> None:
    signature = original.find("ds:Signature", NS)
    assert signature is not None
    evil.insert(1, copy.deepcopy(signature))
    original.addprevious(evil)


WRAPPINGS = [
    beside_before,
    beside_after,
    in_extensions,
    in_signature_object,
    inside_the_evil_one,
    signature_moved,
    evil_around,
]


@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("sign", ["assertion", "both"])
@pytest.mark.parametrize("wrap", WRAPPINGS, ids=lambda wrap: wrap.__name__)
def test_signature_wrapping_gains_nothing(wrap: Callable[..., None], sign: str, same_id: bool) -> None:
    root = IDP.answer(sign=sign, **SAID)
    original = root.find("saml:Assertion", NS)
    assert original is not None
    wrap(root, original, evil_copy(original, id=None if same_id else "_evil"))

    assert refused(root)


@pytest.mark.parametrize("same_id", [True, False])
@pytest.mark.parametrize("place", ["extensions", "object"])
def test_wrapped_response_gains_nothing(place: str, same_id: bool) -> None:
    root = IDP.answer(sign="response", **SAID)
    evil = copy.deepcopy(root)
    for each in evil.iter(f"{{{SAML}}}AttributeValue", f"{{{SAML}}}NameID"):
        each.text = "admin"
    if not same_id:
        evil.set("ID", "_evil")
    signature = evil.find("ds:Signature", NS)
    assert signature is not None
    if place == "object":
        etree.SubElement(signature, f"{{{DS}}}Object").append(root)
    else:
        etree.SubElement(evil, f"{{{SAMLP}}}Extensions").append(root)

    assert refused(evil)


def test_comment_does_not_cut_a_name_short() -> None:
    """Canonical XML has no comments: one inside a signed name changes no signature, but much in careless readers."""
    root = IDP.answer(user="admin@evil.test", **SAID)
    for each in root.iter(f"{{{SAML}}}AttributeValue", f"{{{SAML}}}NameID"):
        if each.text == "admin@evil.test":
            each.text = "admin"
            comment = etree.Comment("x")
            comment.tail = "@evil.test"
            each.append(comment)

    assert read(root).person.user_id == "admin@evil.test"


def test_transform_that_takes_content_away_is_refused() -> None:
    root = IDP.answer(**SAID)
    transforms = next(root.iter(f"{{{DS}}}Transforms"))
    etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116")

    assert "transforms" in refused(root)


def test_two_assertions_are_refused_even_if_both_are_signed() -> None:
    root = IDP.answer(**SAID)
    second = IDP.answer(**SAID).find("saml:Assertion", NS)
    assert second is not None
    root.append(second)

    assert "2 assertions" in refused(root)


# -- what it says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"audience": "https://other.test"}, "Audience"),
        ({"issuer": "https://other.test"}, "Issuer"),
        ({"destination": "https://other.test/acs"}, "Destination"),
        ({"recipient": "https://other.test/acs"}, "Recipient"),
        ({"ends": NOW - timedelta(minutes=2)}, "expired"),
        ({"confirmed": NOW - timedelta(minutes=2)}, "expired"),
        ({"begins": NOW + timedelta(minutes=2)}, "not valid yet"),
        ({"request": ""}, "answers no request"),
        ({"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}, "no bearer confirmation"),
        ({"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"}, "the provider answered"),
        ({"user": ""}, "is missing"),
        ({"user": "a/b"}, "cannot be the name"),
    ],
)
@pytest.mark.parametrize("sign", ["assertion", "response"])
def test_answer_for_somebody_or_something_else_is_refused(changes: dict[str, Any], why: str, sign: str) -> None:
    assert why in refused(IDP.answer(sign=sign, **{**SAID, **changes}))


def test_clocks_may_differ_by_the_leeway() -> None:
    root = IDP.answer(**SAID, begins=NOW + timedelta(seconds=50), ends=NOW - timedelta(seconds=50))

    assert read(root).person.user_id == "ann"


def test_transient_name_is_no_subject() -> None:
    form = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    first, second = (read(IDP.answer(**SAID, format=form)) for _ in range(2))

    assert first.person.subject == second.person.subject == "user ann"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"rubbish",
        b"<a>",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" + b"<b/>" * 30_000 + b"</a>",
    ],
)
def test_rubbish_and_document_types_are_refused(text: bytes) -> None:
    with pytest.raises(Refused):
        Saml().read(PROVIDER, BASE, base64.b64encode(text).decode(), NOW)
    with pytest.raises(Invalid):
        idp_of(text.decode())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_byte_makes_somebody_else_of_anybody(data: st.DataObject) -> None:
    text = bytearray(etree.tostring(IDP.answer(sign="both", **SAID)))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(32, 126))
    try:
        said = Saml().read(PROVIDER, BASE, base64.b64encode(bytes(text)).decode(), NOW)
    except Refused:
        return
    assert (said.person.user_id, said.person.groups) == ("ann", ("developers",))


def test_request_is_signed_and_metadata_says_where_answers_go() -> None:
    from urllib.parse import parse_qs, urlsplit

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    location = Saml().redirect(PROVIDER, BASE, "_id", NOW)
    query = urlsplit(location).query
    signed, _, _ = query.partition("&Signature=")
    key = x509.load_pem_x509_certificate(OWN[1].encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(parse_qs(query)["Signature"][0]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    metadata = Saml().metadata(PROVIDER, BASE)

    assert location.startswith("https://idp.test/sso?SAMLRequest=")
    assert 'Location="https://pakhus.test/login/saml/corp/acs"' in metadata
    assert etree.fromstring(metadata.encode()).get("entityID") == entity_id(PROVIDER, BASE)
