"""Strict content types: do the first bytes of a file agree with what its name says it is?"""

from __future__ import annotations

import mimetypes
from typing import BinaryIO

from pakhus.domain.errors import Invalid

ZIP = "application/zip"
GZIP = "application/gzip"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", GZIP),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"\x7fELF", "application/x-executable"),
    (b"MZ", "application/x-dosexec"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"!<arch>\n", "application/x-archive"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
)
_BY_SUFFIX = {
    **dict.fromkeys(("zip", "jar", "war", "ear", "aar", "whl", "nupkg", "snupkg", "apk", "vsix", "egg"), ZIP),
    **dict.fromkeys(("tgz", "gz", "crate"), GZIP),
    "bz2": "application/x-bzip2",
    "xz": "application/x-xz",
    "zst": "application/zstd",
    "7z": "application/x-7z-compressed",
    "pdf": "application/pdf",
    "png": "image/png",
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    "gif": "image/gif",
    "class": "application/java-vm",
    **dict.fromkeys(("deb", "udeb"), "application/x-archive"),
    "rpm": "application/x-rpm",
}
_MARKUP = {"xml": "application/xml", "pom": "application/xml", "html": "text/html", "htm": "text/html"}
_BINARY = frozenset(kind for _, kind in _MAGIC)


def check(path: str, body: BinaryIO) -> None:
    """Raise `Invalid`, in Nexus's words, when the content is plainly not what the file's extension says."""
    suffix = path.rpartition("/")[2].rpartition(".")[2].lower()
    found = _sniff(body.read(64))
    expected = _BY_SUFFIX.get(suffix)
    if expected is not None:
        if found != expected:
            raise Invalid(f"Detected content type [{found or 'text/plain'}], but expected [{expected}]: {path}")
    elif found in _BINARY and suffix in _MARKUP:
        raise Invalid(f"Detected content type [{found}], but expected [{_MARKUP[suffix]}]: {path}")
    elif found in _BINARY and (mimetypes.guess_type(path)[0] or "").startswith("text/"):
        raise Invalid(f"Detected content type [{found}], but expected [{mimetypes.guess_type(path)[0]}]: {path}")


def _sniff(head: bytes) -> str | None:
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
