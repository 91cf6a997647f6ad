"""Checksum files: one digest as hexadecimal digits, alone or among a file name and the name of the algorithm."""

from __future__ import annotations

import re

from pakhus.domain.errors import Invalid

MAX_CHECKSUM = 4096
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,128}(?![0-9A-Za-z])")


def digest_in(body: bytes, algorithm: str) -> str:
    """The digest in a checksum file, in lower case. Raises `Invalid`."""
    digits = _DIGITS[algorithm]
    found = [match[0] for match in _HEX.finditer(body.decode("latin-1")) if len(match[0]) == digits]
    if not found:
        raise Invalid(f"The body has no {algorithm} digest ({digits} hexadecimal digits)")
    return found[0].lower()


def promises(body: bytes | None, algorithm: str) -> dict[str, str]:
    """What an upstream's checksum file promises of its file: nothing, where there is none or it cannot be read."""
    try:
        return {algorithm: digest_in(body, algorithm)} if body is not None else {}
    except Invalid:
        return {}
