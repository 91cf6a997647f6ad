"""Binding by challenge and response: CRAM-MD5 (RFC 2195) and DIGEST-MD5 (RFC 2831). The password is not sent.

Both rest on MD5, and neither protects what follows: they are here for directories that ask for nothing better.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from pakhus.remote.ldap.ber import Malformed

CRAM_MD5 = "CRAM-MD5"
DIGEST_MD5 = "DIGEST-MD5"
_DIRECTIVE = re.compile(r'\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|\Z)', re.S)


def answer(mechanism: str, challenge: bytes, *, user: str, password: str, realm: str, host: str) -> bytes:
    """What the server wants to hear. Raises `Malformed` for a challenge that makes no sense."""
    if mechanism == CRAM_MD5:
        return cram_md5(challenge, user, password)
    return digest_md5(challenge, user, password, realm, host, cnonce=secrets.token_hex(16))


def cram_md5(challenge: bytes, user: str, password: str) -> bytes:
    return f"{user} {hmac.digest(password.encode(), challenge, 'md5').hex()}".encode()


def digest_md5(challenge: bytes, user: str, password: str, realm: str, host: str, *, cnonce: str) -> bytes:
    """The realm is the configured one, else the first that the server offers."""
    asked = _directives(challenge)
    if "nonce" not in asked:
        raise Malformed("the server's challenge has no nonce")
    realm = realm or asked.get("realm", "")
    charset = "utf-8" if asked.get("charset", "").lower() == "utf-8" else "latin-1"
    uri, nonce = f"ldap/{host}", asked["nonce"]
    secret = _md5(f"{user}:{realm}:{password}".encode(charset, "replace"))
    a1 = _md5(secret + f":{nonce}:{cnonce}".encode(charset, "replace")).hex()
    a2 = _md5(f"AUTHENTICATE:{uri}".encode()).hex()
    response = _md5(f"{a1}:{nonce}:00000001:{cnonce}:auth:{a2}".encode(charset, "replace")).hex()
    told = [f'username="{_quoted(user)}"', f'realm="{_quoted(realm)}"', f'nonce="{nonce}"', f'cnonce="{cnonce}"']
    told += ["nc=00000001", "qop=auth", f'digest-uri="{uri}"', f"response={response}"]
    told += ["charset=utf-8"] if charset == "utf-8" else []
    return ",".join(told).encode(charset, "replace")


def _directives(challenge: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(challenge.decode("utf-8", "replace")):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else plain.strip())
    return found


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
