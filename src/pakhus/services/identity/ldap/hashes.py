"""Passwords as directories keep them in an attribute that can be read (RFC 2307, section 5.3).

A directory that checks passwords itself, by a bind, is always to be preferred: this is for those that cannot.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

_SCHEME = re.compile(rb"\{(?P<name>[\w-]+)\}(?P<rest>.*)\Z", re.S)
_DIGESTS = {"md5": 16, "sha": 20, "sha256": 32, "sha384": 48, "sha512": 64}


def matches(kept: bytes, password: str) -> bool | None:
    """Is this the password? `None` for a scheme that is not understood."""
    found = _SCHEME.match(kept)
    if found is None:
        return hmac.compare_digest(kept, password.encode())
    name = found["name"].decode().lower().replace("-", "")
    plain = name[1:] if name.startswith("s") and name[1:] in _DIGESTS else name
    if plain not in _DIGESTS:
        return None
    try:
        raw = base64.b64decode(found["rest"], validate=True)
    except ValueError:
        return None
    size = _DIGESTS[plain]
    algorithm = "sha1" if plain == "sha" else plain
    digest = hashlib.new(algorithm, password.encode() + raw[size:], usedforsecurity=False).digest()
    return hmac.compare_digest(raw[:size], digest)
