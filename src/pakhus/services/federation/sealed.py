"""Small secrets that others keep for us: encrypted and authenticated, for one purpose, until a moment.

What a login has to remember while the browser is away goes into the browser's own cookie, so that strangers who begin
logins write nothing here, and only the browser that began one can end it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LONGEST = 8192


class Sealed:
    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"pakhus login state\0" + secret.encode()).digest())
        self._key = hashlib.sha256(b"pakhus request id\0" + secret.encode()).digest()
        self._now = now

    def seal(self, purpose: str, value: Mapping[str, Any], seconds: int) -> str:
        text = json.dumps({**value, "until": int(self._now().timestamp()) + seconds}).encode()
        nonce = secrets.token_bytes(12)
        return _written(nonce + self._cipher.encrypt(nonce, text, purpose.encode()))

    def open(self, purpose: str, sealed: str) -> dict[str, Any] | None:
        """What was sealed here for the purpose; `None` for anything else, and once its time is over."""
        raw = _read(sealed)
        if raw is None or len(raw) < 28:
            return None
        try:
            found: dict[str, Any] = json.loads(self._cipher.decrypt(raw[:12], raw[12:], purpose.encode()))
        except InvalidTag:
            return None
        return found if found.pop("until") > self._now().timestamp() else None

    def request_id(self, purpose: str) -> str:
        """An id that can be told to be ours, and how old it is, without having been kept. Fit for XML."""
        stamp = struct.pack(">I", int(self._now().timestamp())) + secrets.token_bytes(12)
        return "_" + (stamp + self._mac(purpose, stamp)).hex()

    def is_request_id(self, purpose: str, id: str, seconds: int) -> bool:
        """Was it made here for the purpose, at most so long ago?"""
        try:
            raw = bytes.fromhex(id.removeprefix("_"))
        except ValueError:
            return False
        if len(raw) != 32 or not hmac.compare_digest(raw[16:], self._mac(purpose, raw[:16])):
            return False
        age = self._now().timestamp() - struct.unpack(">I", raw[:4])[0]
        return bool(-1 <= age <= seconds)

    def _mac(self, purpose: str, stamp: bytes) -> bytes:
        return hmac.digest(self._key, purpose.encode() + b"\0" + stamp, "sha256")[:16]


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read(text: str) -> bytes | None:
    if len(text) > LONGEST:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
