"""SAML's XML: parsed without entities, signatures checked, and only what was signed handed on.

A document with a valid signature somewhere is not a signed document (signature wrapping). So a signature is only sought
where it has to be, the reference has to be that very element, and what is read afterwards is the copy that the
signature was computed over, never the document that came.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509
from lxml import etree

from pakhus.domain.errors import Invalid
from pakhus.services.federation.refusal import Refused

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
NS = {"saml": SAML, "samlp": SAMLP, "md": METADATA, "ds": DS}
LARGEST = 512 << 10
MOST_ELEMENTS = 20_000
Element = etree._Element

METHODS = tuple(f"{kind}_SHA{bits}" for kind in ("RSA", "ECDSA") for bits in (256, 384, 512)) + tuple(
    f"SHA{bits}_RSA_MGF1" for bits in (256, 384, 512)
)
DIGESTS = ("SHA256", "SHA384", "SHA512")
"""signxml's names of what is accepted: no SHA-1, no HMAC, no DSA."""
TRANSFORMS = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
    }
)
"""What a reference may be transformed by (SAML Core, 5.4.4): nothing that could take content away, as XPath does."""


def parsed(text: bytes) -> Element:
    """The root. Raises `Invalid` for what is no XML, is too large, or declares a document type."""
    if len(text) > LARGEST:
        raise Invalid("the XML is too large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Invalid(f"it is not well-formed XML: {error}") from error
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.externalDTD is not None:
        raise Invalid("XML with a document type is not accepted")
    if sum(1 for _, each in zip(range(MOST_ELEMENTS + 1), root.iter(), strict=False)) > MOST_ELEMENTS:
        raise Invalid("the XML has too many elements")
    return root


def certificates_of(descriptor: Element) -> tuple[x509.Certificate, ...]:
    """The certificates that may have signed, from a role's metadata. Raises `Invalid` if one cannot be read."""
    found: list[x509.Certificate] = []
    for key in descriptor.findall("md:KeyDescriptor", NS):
        if key.get("use", "signing") != "signing":
            continue
        for each in key.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NS):
            try:
                der = base64.b64decode("".join(text_of(each).split()), validate=True)
                found.append(x509.load_der_x509_certificate(der))
            except (ValueError, binascii.Error) as error:
                raise Invalid("a certificate in the metadata cannot be read", field="idp_metadata") from error
    return tuple(found)


def is_signed(element: Element) -> bool:
    return element.find("ds:Signature", NS) is not None


def signed_root(root: Element, certificates: Sequence[x509.Certificate]) -> Element:
    """The root as its own signature covers it. Raises `Refused`."""
    return _verified(root, "./", root.tag, root.get("ID"), certificates)


def signed_assertion(root: Element, certificates: Sequence[x509.Certificate]) -> Element:
    """The one assertion of a response, as its own signature covers it. Raises `Refused`."""
    assertion = only_assertion(root)
    return _verified(root, f"./{{{SAML}}}Assertion/", assertion.tag, assertion.get("ID"), certificates)


def only_assertion(root: Element) -> Element:
    """Raises `Refused` unless there is one assertion, in its place, and no other anywhere in the document."""
    everywhere = list(root.iter(f"{{{SAML}}}Assertion"))
    direct = root.findall("saml:Assertion", NS)
    if len(everywhere) != 1 or len(direct) != 1:
        raise Refused(f"there are {len(everywhere)} assertions, {len(direct)} of them in their place, instead of one")
    return direct[0]


def _verified(
    root: Element, location: str, tag: str, id: str | None, certificates: Sequence[x509.Certificate]
) -> Element:
    if not id or sum(1 for each in root.iter() if each.get("ID") == id) != 1:
        raise Refused("the signed element has no ID of its own")
    signatures = root.findall(f"{location}{{{DS}}}Signature")
    if len(signatures) != 1:
        raise Refused(f"there are {len(signatures)} signatures where one belongs")
    reference = signatures[0].findall("ds:SignedInfo/ds:Reference", NS)
    if len(reference) != 1 or reference[0].get("URI") != f"#{id}":
        raise Refused("the signature refers to something else than the element that it is in")
    transforms = {each.get("Algorithm") for each in reference[0].iter(f"{{{DS}}}Transform")}
    if not transforms <= TRANSFORMS:
        raise Refused(f"the transforms {sorted(str(each) for each in transforms - TRANSFORMS)} are not accepted")
    why = "the metadata has no certificate"
    for certificate in certificates:
        try:
            found = _by(root, location, certificate)
        except Refused as refused:
            why = refused.why
            continue
        if found is not None and found.tag == tag and found.get("ID") == id:
            return found
        why = "it covers something else"
    raise Refused(f"the signature is not valid: {why}")


def _by(root: Element, location: str, certificate: x509.Certificate) -> Element | None:
    """A certificate in the metadata only carries a key: its dates are not asked for (SAML Metadata IOP, 2.6.1)."""
    # Imported where it is used: a server without SAML does without the memory and the time that it takes.
    from signxml.algorithms import DigestAlgorithm, SignatureMethod
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

    config = SignatureConfiguration(
        location=location,
        expect_references=1,
        signature_methods=frozenset(SignatureMethod[name] for name in METHODS),
        digest_algorithms=frozenset(DigestAlgorithm[name] for name in DIGESTS),
        ignore_ambiguous_key_info=True,
        verification_time=certificate.not_valid_before_utc + timedelta(seconds=1),
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="ID", expect_config=config)
    except (SignXMLException, ValueError, TypeError, AttributeError, etree.LxmlError) as error:
        raise Refused(str(error)[:300]) from error
    assert isinstance(result, VerifyResult)
    return result.signed_xml


def text_of(element: Element | None) -> str:
    """All its text, in one: a comment inside must not cut a name short."""
    return "" if element is None else "".join(str(each) for each in element.itertext()).strip()
