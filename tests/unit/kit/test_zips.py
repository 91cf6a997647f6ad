"""Zip archives whose every entry counts."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from pakhus.domain.errors import BadPackage
from pakhus.kit.archives import Limits
from pakhus.kit.zips import Member, zip_digests, zip_members

FILES = {"a.txt": b"a" * 5000, "sub/": b"", "sub/b.bin": bytes(range(256)) * 300}


def zipped(compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o40755 if name.endswith("/") else 0o100644) << 16
            archive.writestr(entry, content, compression)
    return out.getvalue()


def test_members_are_told_as_the_directory_states_them() -> None:
    assert zip_members(io.BytesIO(zipped())) == [
        Member("a.txt", 5000, 0o100644),
        Member("sub/", 0, 0o40755),
        Member("sub/b.bin", 76800, 0o100644),
    ]
    with pytest.raises(BadPackage, match="more than 2 members"):
        zip_members(io.BytesIO(zipped()), Limits(entries=2))


def test_each_entry_has_a_digest() -> None:
    wanted = [(name, hashlib.sha256(content).hexdigest()) for name, content in FILES.items()]
    assert zip_digests(io.BytesIO(zipped())) == wanted


def test_a_folder_has_no_content() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("sub/", b"content")
    with pytest.raises(BadPackage, match="folder with content"):
        zip_digests(out)


@pytest.mark.parametrize("limits", [Limits(member=70_000), Limits(total=80_000)])
def test_no_more_is_unpacked_than_the_limits_allow(limits: Limits) -> None:
    with pytest.raises(BadPackage, match=r"at most 70000|more than 80000"):
        zip_digests(io.BytesIO(zipped()), limits)


def test_a_damaged_file_has_none() -> None:
    body = bytearray(zipped(zipfile.ZIP_STORED))
    body[body.index(b"aaaa")] = ord("b")
    with pytest.raises(BadPackage, match=r"CRC"):
        zip_digests(io.BytesIO(bytes(body)))


@pytest.mark.parametrize("body", [b"", b"no zip", zipped()[:-30]])
def test_what_is_no_zip_is_refused(body: bytes) -> None:
    for read in (zip_members, zip_digests):
        with pytest.raises(BadPackage):
            read(io.BytesIO(body))
