"""SAML 2.0 Web Browser SSO as a service provider: requests by redirect, answers by POST."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from pakhus.domain.errors import Invalid
from pakhus.services.federation import saml_encryption, saml_xml
from pakhus.services.federation.providers import Person, SamlProvider, person_of
from pakhus.services.federation.refusal import Refused
from pakhus.services.federation.saml_xml import NS, Element, text_of

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
NEXUS = "SAML"
"""The provider that Nexus's REST API configures; its answers come to where they come in Nexus."""


@dataclass(frozen=True, slots=True)
class Idp:
    """What the metadata of an identity provider says."""

    entity_id: str
    sso_url: str
    certificates: tuple[x509.Certificate, ...]
    wants_signed_requests: bool


@dataclass(frozen=True, slots=True)
class Said:
    """An assertion that was accepted: whose it is, which request it answers, and until when it might be shown again."""

    id: str
    request: str
    expires: float
    person: Person


@lru_cache(maxsize=64)
def idp_of(metadata: str) -> Idp:
    """Raises `Invalid` for metadata that no login can go by."""
    try:
        root = saml_xml.parsed(metadata.encode())
    except Invalid as error:
        raise Invalid(error.message, field="idp_metadata") from error
    entities = list(root.iter(f"{{{saml_xml.METADATA}}}EntityDescriptor"))
    entities = [each for each in entities if each.find("md:IDPSSODescriptor", NS) is not None]
    if len(entities) != 1:
        raise Invalid(f"describes {len(entities)} identity providers instead of one", field="idp_metadata")
    descriptor = entities[0].find("md:IDPSSODescriptor", NS)
    assert descriptor is not None
    places = [each for each in descriptor.findall("md:SingleSignOnService", NS) if each.get("Binding") == REDIRECT]
    url = places[0].get("Location", "") if places else ""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Invalid("names no place for logins by redirect (SingleSignOnService)", field="idp_metadata")
    certificates = saml_xml.certificates_of(descriptor)
    if not certificates or not entities[0].get("entityID"):
        raise Invalid("lacks the provider's name or its signing certificate", field="idp_metadata")
    wants = descriptor.get("WantAuthnRequestsSigned") in ("true", "1")
    return Idp(str(entities[0].get("entityID")), url, certificates, wants)


def new_keypair(now: datetime) -> tuple[str, str]:
    """A private key and a certificate for it, PEM: this server's own, for one provider."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pakhus")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


def entity_id(provider: SamlProvider, base_url: str) -> str:
    if provider.entity_id:
        return provider.entity_id
    if provider.name == NEXUS:
        return f"{base_url}/service/rest/v1/security/saml/metadata"
    return f"{base_url}/login/saml/{provider.name}/metadata"


def acs_url(provider: SamlProvider, base_url: str) -> str:
    return f"{base_url}/saml" if provider.name == NEXUS else f"{base_url}/login/saml/{provider.name}/acs"


class Saml:
    def redirect(self, provider: SamlProvider, base_url: str, request: str, now: datetime) -> str:
        """Where the browser goes: the provider's page, with a signed request of this id."""
        idp = idp_of(provider.idp_metadata)
        text = (
            f'<samlp:AuthnRequest xmlns:samlp="{saml_xml.SAMLP}" xmlns:saml="{saml_xml.SAML}" ID="{request}" '
            f'Version="2.0" IssueInstant="{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" '
            f"Destination={quoteattr(idp.sso_url)} ProtocolBinding={quoteattr(POST)} "
            f"AssertionConsumerServiceURL={quoteattr(acs_url(provider, base_url))}>"
            f"<saml:Issuer>{escape(entity_id(provider, base_url))}</saml:Issuer></samlp:AuthnRequest>"
        )
        packer = zlib.compressobj(wbits=-15)
        packed = base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()
        query = f"SAMLRequest={quote(packed, safe='')}"
        if provider.keypair:
            # Bindings, section 3.4.4.1: what is signed is the query as it is sent.
            query += f"&SigAlg={quote(RSA_SHA256, safe='')}"
            key = serialization.load_pem_private_key(provider.keypair.encode(), None)
            assert isinstance(key, rsa.RSAPrivateKey)
            signature = key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
            query += f"&Signature={quote(base64.b64encode(signature).decode(), safe='')}"
        return f"{idp.sso_url}{'&' if urlsplit(idp.sso_url).query else '?'}{query}"

    def metadata(self, provider: SamlProvider, base_url: str) -> str:
        """What an identity provider wants to know of this server."""
        body = "".join(provider.certificate.splitlines()[1:-1])
        keys = "".join(
            f'<md:KeyDescriptor use="{use}"><ds:KeyInfo xmlns:ds="{saml_xml.DS}"><ds:X509Data>'
            f"<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>"
            for use, methods in (("signing", ""), ("encryption", saml_encryption.METHODS))
            if body
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<md:EntityDescriptor xmlns:md="{saml_xml.METADATA}" entityID={quoteattr(entity_id(provider, base_url))}>'
            f'<md:SPSSODescriptor AuthnRequestsSigned="{str(bool(body)).lower()}" WantAssertionsSigned="true" '
            f'protocolSupportEnumeration="{saml_xml.SAMLP}">{keys}'
            f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(acs_url(provider, base_url))} '
            'index="0" isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>\n'
        )

    def read(self, provider: SamlProvider, base_url: str, answer: str, now: datetime) -> Said:
        """What a response (base64) says. Raises `Refused` unless everything about it is right."""
        idp, acs = idp_of(provider.idp_metadata), acs_url(provider, base_url)
        root = _response(answer)
        root, response_signed = _checked_response(root, idp, provider)
        _check_response(root, idp, acs)
        root = saml_encryption.opened(root, provider.keypair, trusted=response_signed)
        assertion = saml_xml.only_assertion(root)
        assertion_signed = saml_xml.is_signed(assertion)
        if assertion_signed:
            assertion = saml_xml.signed_assertion(root, idp.certificates)
        elif provider.signed_assertion or not response_signed:
            raise Refused("the assertion is not signed")
        return _said(provider, assertion, idp, entity_id(provider, base_url), acs, now)


def _response(answer: str) -> Element:
    try:
        text = base64.b64decode("".join(answer.split()), validate=True)
        root = saml_xml.parsed(text)
    except (ValueError, binascii.Error, Invalid) as error:
        raise Refused(f"the answer cannot be read: {error}") from error
    if root.tag != f"{{{saml_xml.SAMLP}}}Response":
        raise Refused(f"the answer is a {root.tag}, not a SAML response")
    return root


def _checked_response(root: Element, idp: Idp, provider: SamlProvider) -> tuple[Element, bool]:
    if saml_xml.is_signed(root):
        return saml_xml.signed_root(root, idp.certificates), True
    if provider.signed_response:
        raise Refused("the response is not signed")
    return root, False


def _check_response(root: Element, idp: Idp, acs: str) -> None:
    codes = [each.get("Value", "") for each in root.findall("samlp:Status//samlp:StatusCode", NS)]
    if not codes or codes[0] != SUCCESS:
        told = text_of(root.find("samlp:Status/samlp:StatusMessage", NS))
        raise Refused(f"the provider answered {codes} {told[:200]!r}", "the login was not completed")
    destination = root.get("Destination", "")
    if destination and destination != acs:
        raise Refused(f"Destination is {destination[:200]!r}, not {acs!r}")
    issuer = root.find("saml:Issuer", NS)
    if issuer is not None and text_of(issuer) != idp.entity_id:
        raise Refused(f"Issuer is {text_of(issuer)[:200]!r}, not {idp.entity_id!r}")


def _said(provider: SamlProvider, assertion: Element, idp: Idp, audience: str, acs: str, now: datetime) -> Said:
    """Profiles, section 4.1.4.3."""
    if text_of(assertion.find("saml:Issuer", NS)) != idp.entity_id:
        raise Refused(f"the assertion's Issuer is not {idp.entity_id!r}")
    _check_conditions(assertion, audience, now, provider.leeway)
    request, until = _confirmed(assertion, acs, now, provider.leeway)
    name_id = assertion.find("saml:Subject/saml:NameID", NS)
    values = _attributes(assertion)
    names = provider.attributes
    username = names.username
    if not username:
        username = "NameID"
        values["NameID"] = [text_of(name_id)]
    subject = text_of(name_id)
    if not subject or (name_id is not None and name_id.get("Format") == TRANSIENT):
        # It is a new one with each login: the name of the account has to do.
        subject = "user " + person_of(provider.name, "", values, replace(names, username=username)).user_id
    statement = assertion.find("saml:AuthnStatement", NS)
    values["sid"] = "" if statement is None else statement.get("SessionIndex", "")
    person = person_of(provider.name, subject, values, replace(names, username=username))
    return Said(assertion.get("ID", ""), request, until, person)


def _check_conditions(assertion: Element, audience: str, now: datetime, leeway: float) -> None:
    conditions = assertion.find("saml:Conditions", NS)
    if conditions is None:
        raise Refused("the assertion has no Conditions")
    begins, ends = _moment(conditions, "NotBefore"), _moment(conditions, "NotOnOrAfter")
    if begins is not None and begins - leeway > now.timestamp():
        raise Refused(f"it is not valid yet (NotBefore {conditions.get('NotBefore')})")
    if ends is not None and ends + leeway <= now.timestamp():
        raise Refused(f"it has expired (NotOnOrAfter {conditions.get('NotOnOrAfter')})")
    restrictions = conditions.findall("saml:AudienceRestriction", NS)
    for each in restrictions:
        audiences = [text_of(one) for one in each.findall("saml:Audience", NS)]
        if audience not in audiences:
            raise Refused(f"Audience is {audiences[:5]}, without {audience!r}")
    if not restrictions:
        raise Refused("the assertion is for no audience")


def _confirmed(assertion: Element, acs: str, now: datetime, leeway: float) -> tuple[str, float]:
    """The request that the bearer's confirmation answers, and until when it may be shown."""
    why = "there is no bearer confirmation"
    for each in assertion.findall("saml:Subject/saml:SubjectConfirmation", NS):
        data = each.find("saml:SubjectConfirmationData", NS)
        if each.get("Method") != BEARER or data is None:
            continue
        until = _moment(data, "NotOnOrAfter")
        if data.get("Recipient") != acs:
            why = f"Recipient is {str(data.get('Recipient'))[:200]!r}, not {acs!r}"
        elif until is None or until + leeway <= now.timestamp():
            why = f"the confirmation has expired (NotOnOrAfter {data.get('NotOnOrAfter')})"
        elif data.get("NotBefore") is not None:
            why = "the confirmation has a NotBefore"
        elif not data.get("InResponseTo"):
            why = "it answers no request: logins begin here, not at the provider"
        else:
            return str(data.get("InResponseTo")), until + leeway
    raise Refused(why)


def _attributes(assertion: Element) -> dict[str, Any]:
    """Name and friendly name → values. An e-mail address in an assertion is the organisation's word, not the user's."""
    found: dict[str, Any] = {"email_verified": True}
    for each in assertion.findall("saml:AttributeStatement/saml:Attribute", NS):
        values = [text_of(value) for value in each.findall("saml:AttributeValue", NS)]
        for name in (each.get("Name"), each.get("FriendlyName")):
            if name and name != "email_verified":
                known: list[str] = found.get(name, [])
                found[name] = [*known, *values]
    return found


def _moment(element: Element, name: str) -> float | None:
    text = element.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise Refused(f"{name} is not a point in time") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
