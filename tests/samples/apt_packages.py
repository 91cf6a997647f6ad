"""Debian packages of the tests' own, made without any of Debian's programs."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Mapping

from backports import zstd

PACKERS = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


def tar(files: Mapping[str, bytes], packing: str = ".xz") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo("./" + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return PACKERS[packing](plain.getvalue())


def ar(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, content in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def control(name: str, version: str, architecture: str = "all", **more: str) -> bytes:
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "A Tester <tester@example.org>",
        "Section": "misc",
        "Priority": "optional",
        **{field.replace("_", "-"): value for field, value in more.items()},
    }
    fields.setdefault("Description", f"does what {name} does\n It does so at length.")
    return "".join(f"{field}: {value}\n" for field, value in fields.items()).encode()


def deb(
    name: str,
    version: str,
    architecture: str = "all",
    *,
    files: Mapping[str, bytes] | None = None,
    packing: str = ".xz",
    **more: str,
) -> bytes:
    """A binary package; `more` are fields of its control file, with `_` for the dashes."""
    return ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{packing}": tar({"control": control(name, version, architecture, **more)}, packing),
            f"data.tar{packing}": tar(files or {f"usr/share/{name}/hello": version.encode()}, packing),
        }
    )


def dsc(name: str, version: str, parts: Mapping[str, bytes], **more: str) -> bytes:
    lines = [
        "Format: 3.0 (native)",
        f"Source: {name}",
        f"Binary: {name}",
        "Architecture: all",
        f"Version: {version}",
        "Maintainer: A Tester <tester@example.org>",
        *(f"{field}: {value}" for field, value in more.items()),
        "Checksums-Sha256:",
        *(f" {hashlib.sha256(body).hexdigest()} {len(body)} {file}" for file, body in parts.items()),
        "Files:",
        *(f" {hashlib.md5(body).hexdigest()} {len(body)} {file}" for file, body in parts.items()),
    ]
    return ("\n".join(lines) + "\n").encode()
