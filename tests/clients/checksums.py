"""A checksum database of one record, as files: signed, and proved by a hash tree of one leaf.

Sources: proposal 25530 ("Secure the Public Go Module Ecosystem"); signed notes: `golang.org/x/mod/sumdb/note`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"


@dataclass(frozen=True)
class Checksums:
    """`lines` are what go.sum has to say of `module` at `version`."""

    name: str
    module: str
    version: str
    lines: tuple[str, ...]
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def key(self) -> str:
        """What GOSUMDB is set to."""
        return f"{self.name}+{self._key_hash().hex()}+{base64.b64encode(self._public()).decode()}"

    def files(self) -> dict[str, bytes]:
        """Everything that go asks for, by its path below `sumdb/<name>/`."""
        record = "".join(f"{line}\n" for line in self.lines).encode()
        leaf = hashlib.sha256(b"\x00" + record).digest()
        head = self._signed(f"go.sum database tree\n1\n{base64.b64encode(leaf).decode()}\n")
        return {
            "supported": b"yes",
            "latest": head,
            f"lookup/{self.module}@{self.version}": b"0\n" + record + b"\n" + head,
            "tile/8/0/000.p/1": leaf,
        }

    def _signed(self, text: str) -> bytes:
        signature = self._key_hash() + self.private.sign(text.encode())
        return f"{text}\n\u2014 {self.name} {base64.b64encode(signature).decode()}\n".encode()

    def _public(self) -> bytes:
        return ED25519 + self.private.public_key().public_bytes_raw()

    def _key_hash(self) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + self._public()).digest()[:4]
