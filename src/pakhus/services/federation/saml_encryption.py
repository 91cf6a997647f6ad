"""Encrypted assertions (XML Encryption 1.1): opened with this server's key, and then read like any other."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pakhus.domain.errors import Invalid
from pakhus.services.federation import saml_xml
from pakhus.services.federation.refusal import Refused
from pakhus.services.federation.saml_xml import Element, text_of

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
NS = {**saml_xml.NS, "xenc": XENC, "xenc11": XENC11}
GCM = {f"{XENC11}aes128-gcm": 16, f"{XENC11}aes192-gcm": 24, f"{XENC11}aes256-gcm": 32}
CBC = {f"{XENC}aes128-cbc": 16, f"{XENC}aes192-cbc": 24, f"{XENC}aes256-cbc": 32}
OAEP = frozenset({f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep"})
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
    f"{XENC}sha512": hashes.SHA512,
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}
METHODS = "".join(f'<md:EncryptionMethod Algorithm="{each}"/>' for each in (*GCM, f"{XENC}rsa-oaep-mgf1p"))
CANNOT = "the encrypted assertion cannot be opened"


def opened(root: Element, keypair: str, *, trusted: bool) -> Element:
    """The response with its encrypted assertion in the clear; the same one where there is none.

    `trusted`: the response's own signature was verified. Without that nobody learns from us whether a padding was right
    (CBC has no other protection), so only authenticated ciphers are opened. Raises `Refused`.
    """
    encrypted = root.findall("saml:EncryptedAssertion", NS)
    if not encrypted:
        return root
    if len(encrypted) != 1 or root.find("saml:Assertion", NS) is not None:
        raise Refused("there is more than one assertion")
    if not keypair:
        raise Refused("the assertion is encrypted, and there is no key to open it")
    inner = _decrypted(encrypted[0], keypair, trusted=trusted)
    if inner.tag != f"{{{saml_xml.SAML}}}Assertion":
        raise Refused("what was encrypted is no assertion")
    root.replace(encrypted[0], inner)
    return root


def _decrypted(wrapper: Element, keypair: str, *, trusted: bool) -> Element:
    data = wrapper.find("xenc:EncryptedData", NS)
    key = wrapper.find(".//xenc:EncryptedKey", NS)
    if data is None or key is None:
        raise Refused(f"{CANNOT}: a part is missing")
    method = _algorithm(data)
    if method not in GCM and not (trusted and method in CBC):
        raise Refused(f"{CANNOT}: {method} is not accepted")
    try:
        secret = _key(key, keypair)
        if len(secret) != {**GCM, **CBC}[method]:
            raise Refused(f"{CANNOT}: the key has the wrong length")
        text = _plain(method, secret, _cipher_value(data))
        return saml_xml.parsed(text)
    except (ValueError, InvalidTag, binascii.Error, Invalid) as error:
        raise Refused(CANNOT) from error


def _plain(method: str, secret: bytes, value: bytes) -> bytes:
    if method in GCM:
        return AESGCM(secret).decrypt(value[:12], value[12:], None)
    plain = Cipher(algorithms.AES(secret), modes.CBC(value[:16])).decryptor()
    padded = plain.update(value[16:]) + plain.finalize()
    if not padded or not 1 <= padded[-1] <= 16:
        raise ValueError("padding")
    return padded[: -padded[-1]]


def _key(key: Element, keypair: str) -> bytes:
    """RSA with OAEP only: the older padding tells too much."""
    method = _algorithm(key)
    if method not in OAEP:
        raise Refused(f"{CANNOT}: {method} is not accepted")
    digest = key.find("xenc:EncryptionMethod/ds:DigestMethod", NS)
    mask = key.find("xenc:EncryptionMethod/xenc11:MGF", NS)
    hashed = HASHES.get("http://www.w3.org/2000/09/xmldsig#sha1" if digest is None else digest.get("Algorithm", ""))
    masked = HASHES.get(f"{XENC11}mgf1sha1" if mask is None else mask.get("Algorithm", ""))
    if hashed is None or masked is None:
        raise Refused(f"{CANNOT}: an unknown digest")
    private = serialization.load_pem_private_key(keypair.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private.decrypt(_cipher_value(key), padding.OAEP(padding.MGF1(masked()), hashed(), None))


def _algorithm(element: Element) -> str:
    method = element.find("xenc:EncryptionMethod", NS)
    return "" if method is None else method.get("Algorithm", "")


def _cipher_value(element: Element) -> bytes:
    return base64.b64decode("".join(text_of(element.find("xenc:CipherData/xenc:CipherValue", NS)).split()))
