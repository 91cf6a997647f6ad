"""Packages of NuGet as `pack` makes them, small and always the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from uuid import UUID

NAMESPACE = "http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"


def nuspec(id: str, version: str, more: str = "", *, namespace: str = NAMESPACE) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="{namespace}"><metadata>'
        f"<id>{id}</id><version>{version}</version><authors>Ada, Bob</authors>"
        f"<description>What {id} does</description>{more}</metadata></package>"
    ).encode()


def zipped(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content, compress_type=compression)
    return buffer.getvalue()


RELATIONS = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship'
    ' Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/{id}.nuspec" Id="R1" /></Relationships>'
)
TYPES = (
    b'<?xml version="1.0" encoding="utf-8"?>\n'
    b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />'
    b'<Default Extension="nuspec" ContentType="application/octet" />'
    b'<Default Extension="txt" ContentType="application/octet" /></Types>'
)


def nupkg(
    id: str,
    version: str,
    more: str = "",
    *,
    files: Mapping[str, bytes] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    held = {
        "_rels/.rels": RELATIONS.format(id=id).encode(),
        "[Content_Types].xml": TYPES,
        f"{id}.nuspec": nuspec(id, version, more),
        "content/notes.txt": b"notes",
    }
    return zipped({**held, **({"lib/netstandard2.0/_._": b""} if files is None else files)}, compression=compression)


PDB_ID = UUID("0d5b6d3f-2f0a-4a3e-9a51-2b1e7f3c8d90")


def portable_pdb(identity: UUID = PDB_ID) -> bytes:
    """A metadata root (ECMA-335, II.24.2.1) with nothing but a #Pdb stream."""
    version = b"PDB v1.0\0\0\0\0"
    head = b"BSJB" + b"\1\0\1\0" + bytes(4) + len(version).to_bytes(4, "little") + version + bytes(2) + b"\1\0"
    offset = len(head) + 8 + 8
    return (
        head
        + offset.to_bytes(4, "little")
        + (32).to_bytes(4, "little")
        + b"#Pdb\0\0\0\0"
        + identity.bytes_le
        + bytes(16)
    )


def snupkg(id: str, version: str, pdb: bytes | None = None) -> bytes:
    more = '<packageTypes><packageType name="SymbolsPackage" /></packageTypes>'
    return nupkg(id, version, more, files={f"lib/netstandard2.0/{id}.pdb": portable_pdb() if pdb is None else pdb})


def form(package: bytes) -> tuple[bytes, dict[str, str]]:
    """The form of a push, and its headers."""
    head = b'--limit\r\nContent-Disposition: form-data; name="package"; filename="package.nupkg"\r\n\r\n'
    return head + package + b"\r\n--limit--\r\n", {"content-type": "multipart/form-data; boundary=limit"}
