"""Zip archives whose every entry counts: what the directory states of each, and the digest of each file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from pakhus.domain.errors import BadPackage
from pakhus.kit.archives import DEFAULT, Limits, check_zip_member, opened_zip, zip_errors
from pakhus.kit.compressed import CHUNK


@dataclass(frozen=True, slots=True)
class Member:
    """An entry: `size` as the directory states it (bytes), `mode` as Unix has it, 0 where none is stated."""

    name: str
    size: int
    mode: int


def zip_members(body: BinaryIO, limits: Limits = DEFAULT) -> list[Member]:
    """All entries, folders included, in the order of the directory. Raises `BadPackage`."""
    with zip_errors(), opened_zip(body, limits) as archive:
        return [Member(info.filename, info.file_size, info.external_attr >> 16) for info in archive.infolist()]


def zip_digests(body: BinaryIO, limits: Limits = DEFAULT) -> list[tuple[str, str]]:
    """Name and SHA-256 of each entry, in the order of the directory; that of a folder is of no bytes.

    Each file is unpacked for it, so its size and its checksum are what the archive states. Raises `BadPackage`.
    """
    digests = []
    left = limits.total
    with zip_errors(), opened_zip(body, limits) as archive:
        for info in archive.infolist():
            digest, size = hashlib.sha256(), 0
            check_zip_member(info, limits, left)
            with archive.open(info) as member:
                while chunk := member.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
            if size and info.is_dir():
                raise BadPackage(f"{info.filename} is a folder with content")
            if size != info.file_size:
                raise BadPackage(f"{info.filename} is truncated")
            digests.append((info.filename, digest.hexdigest()))
            left -= size
    return digests
