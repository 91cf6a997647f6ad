"""Secrets at rest: what an upstream or a directory is told is encrypted in the database (AES-256-GCM)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_MEMBERS = frozenset(
    {"password", "bearerToken", "passphrase", "keypair", "secretAccessKey", "sessionToken", "secret"}
) | {"client_secret", "refresh_token"}
MARK = "$sealed"


class Vault:
    """Seals the secret members of a JSON object, and opens them again. The key is derived from the server's secret."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"pakhus vault\0" + secret.encode()).digest())

    def seal(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: self._seal_text(v) if k in SECRET_MEMBERS and v else self.seal(v) for k, v in value.items()}
        return [self.seal(each) for each in value] if isinstance(value, list) else value

    def open(self, value: Any) -> Any:
        if isinstance(value, dict):
            if MARK in value:
                return self._open_text(value[MARK])
            return {k: self.open(v) for k, v in value.items()}
        return [self.open(each) for each in value] if isinstance(value, list) else value

    def _seal_text(self, text: Any) -> Any:
        if not isinstance(text, str):
            return self.seal(text)
        nonce = secrets.token_bytes(12)
        return {MARK: base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), None)).decode()}

    def _open_text(self, sealed: str) -> str:
        raw = base64.b64decode(sealed)
        return self._cipher.decrypt(raw[:12], raw[12:], None).decode()
