"""What an index says of a package: the paragraph as its maker wrote it, and where and what the file is."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence

from pakhus.domain.content import Digests
from pakhus.formats.apt import control
from pakhus.formats.apt.deb import Deb

OF_THE_FILE = frozenset({"filename", "size", "md5sum", "sha1", "sha256", "sha512", "description-md5"})
MOST_LISTED = 1 << 20
"""Files of a package that Contents tells, in bytes of their packed list: no list of a usual package is near it."""


def binary_stanza(deb: Deb, path: str, size: int, digests: Digests) -> str:
    """A paragraph of `Packages`."""
    lines = [control.without(deb.text, OF_THE_FILE)]
    if "description" in deb.fields:
        lines.append(f"Description-md5: {description_md5(deb.fields['description'])}")
    lines += [f"Filename: {path}", f"Size: {size}", f"MD5sum: {digests.md5}", f"SHA256: {digests.sha256}"]
    return "\n".join(lines)


def description_md5(description: str) -> str:
    """By which a translation is found: of the description with the newline after it."""
    return hashlib.md5((description + "\n").encode(), usedforsecurity=False).hexdigest()


def translation(package: str, description: str) -> str:
    """A paragraph of `Translation-en`."""
    return f"Package: {package}\nDescription-md5: {description_md5(description)}\nDescription-en: {description}"


def packed(files: Sequence[str]) -> str:
    """The paths of a package's files in little text; empty if there are none, or far too many."""
    names = "\n".join(each for each in files if each and "\n" not in each)
    data = base64.b64encode(zlib.compress(names.encode("utf-8", "replace"), 6)).decode() if names else ""
    return data if len(data) <= MOST_LISTED else ""


def unpacked(data: str) -> list[str]:
    return zlib.decompress(base64.b64decode(data)).decode().split("\n") if data else []
