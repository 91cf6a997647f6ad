"""A SAML identity provider in a few functions: honest answers, and the material for dishonest ones."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree
from signxml import methods
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from pakhus.services.federation.saml import new_keypair
from pakhus.services.federation.saml_xml import DS, METADATA, NS, SAML, SAMLP

XENC = "http://www.w3.org/2001/04/xmlenc#"
ENTITY = "https://idp.test/saml"
SSO = "https://idp.test/sso"


class Legacy(XMLSigner):
    """Signs with what nobody accepts any more."""

    def check_deprecated_methods(self) -> None:
        return


@dataclass
class Idp:
    """An identity provider with a key of its own."""

    entity_id: str = ENTITY
    sso_url: str = SSO
    keypair: tuple[str, str] = field(default_factory=lambda: new_keypair(datetime.now(UTC)))

    @property
    def metadata(self) -> str:
        body = "".join(self.keypair[1].splitlines()[1:-1])
        return (
            f'<md:EntityDescriptor xmlns:md="{METADATA}" xmlns:ds="{DS}" entityID="{self.entity_id}">'
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"><md:KeyDescriptor use="signing"><ds:KeyInfo>'
            f"<ds:X509Data><ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" '
            f'Location="{self.sso_url}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
        )

    def response(self, *, acs: str, audience: str, request: str, **changes: Any) -> etree._Element:
        """An unsigned response. `changes`: user, groups, and anything below by its name."""
        now = changes.get("now", datetime.now(UTC))
        said = {
            "user": "ann",
            "groups": ("developers",),
            "issuer": self.entity_id,
            "destination": acs,
            "recipient": acs,
            "begins": now - timedelta(minutes=1),
            "ends": now + timedelta(minutes=5),
            "confirmed": now + timedelta(minutes=5),
            "status": "urn:oasis:names:tc:SAML:2.0:status:Success",
            "format": "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
            "method": "urn:oasis:names:tc:SAML:2.0:cm:bearer",
            "id": "_" + secrets.token_hex(8),
            **changes,
        }
        groups = "".join(f"<saml:AttributeValue>{each}</saml:AttributeValue>" for each in said["groups"])
        text = f"""<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_r{said["id"]}" Version="2.0"
 IssueInstant="{_at(now)}" Destination="{said["destination"]}" InResponseTo="{request}">
<saml:Issuer>{said["issuer"]}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="{said["status"]}"/></samlp:Status><saml:Assertion ID="{said["id"]}" Version="2.0"
 IssueInstant="{_at(now)}"><saml:Issuer>{said["issuer"]}</saml:Issuer><saml:Subject>
<saml:NameID Format="{said["format"]}">{said["user"]}</saml:NameID><saml:SubjectConfirmation Method="{said["method"]}">
<saml:SubjectConfirmationData InResponseTo="{request}" NotOnOrAfter="{_at(said["confirmed"])}"
 Recipient="{said["recipient"]}"/>
</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{_at(said["begins"])}"
 NotOnOrAfter="{_at(said["ends"])}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>
</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{_at(now)}" SessionIndex="s1"/>
<saml:AttributeStatement><saml:Attribute Name="urn:oid:uid" FriendlyName="uid">
<saml:AttributeValue>{said["user"]}</saml:AttributeValue></saml:Attribute>
<saml:Attribute Name="groups">{groups}</saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>"""
        return etree.fromstring(text)

    def signed(
        self,
        element: etree._Element,
        *,
        method: SignatureMethod = SignatureMethod.RSA_SHA256,
        digest: DigestAlgorithm = DigestAlgorithm.SHA256,
    ) -> etree._Element:
        """The element with its own signature, after its issuer."""
        signer = Legacy(
            method=methods.enveloped,
            signature_algorithm=method,
            digest_algorithm=digest,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        place = etree.SubElement(element, f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
        element.remove(place)
        element.insert(1, place)
        return signer.sign(
            element, key=self.keypair[0].encode(), cert=self.keypair[1], reference_uri=f"#{element.get('ID')}"
        )

    def answer(self, *, sign: str = "assertion", **said: Any) -> etree._Element:
        """A response of which the assertion, itself, both or nothing is signed."""
        root = self.response(**said)
        if sign in ("assertion", "both"):
            assertion = root.find("saml:Assertion", NS)
            assert assertion is not None
            root.replace(assertion, self.signed(assertion))
        return self.signed(root) if sign in ("response", "both") else root


def encrypted(root: etree._Element, certificate: str) -> etree._Element:
    """The response with its assertion encrypted for a service provider."""
    assertion = root.find("saml:Assertion", NS)
    assert assertion is not None
    key, nonce = os.urandom(32), os.urandom(12)
    value = nonce + AESGCM(key).encrypt(nonce, etree.tostring(assertion), None)
    public: Any = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    wrapped = public.encrypt(key, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
    text = f"""<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}">
<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><ds:KeyInfo xmlns:ds="{DS}">
<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>
{base64.b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>
<xenc:CipherData><xenc:CipherValue>{base64.b64encode(value).decode()}</xenc:CipherValue></xenc:CipherData>
</xenc:EncryptedData></saml:EncryptedAssertion>"""
    root.replace(assertion, etree.fromstring(text))
    return root


def sent(root: etree._Element) -> str:
    """As a browser posts it."""
    return base64.b64encode(etree.tostring(root)).decode()


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
