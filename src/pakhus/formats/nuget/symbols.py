"""Portable PDBs: where the symbol server keeps each, by the identity written in it.

Source: "Simple Symbol Query Protocol" and its key conventions (Portable-Pdb-Signature); ECMA-335, II.24.2 (the metadata
root); "Portable PDB v1.0", #Pdb stream.
"""

from __future__ import annotations

import struct
from typing import BinaryIO
from uuid import UUID

from pakhus.domain.content import Origin
from pakhus.domain.errors import NotFound
from pakhus.formats.nuget.names import SYMBOLS
from pakhus.formats.nuget.package import SYMBOL_LIMITS
from pakhus.kit.archives import read_zip
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File

SIGNATURE = b"BSJB"
MAX_STREAMS = 64


def read(body: BinaryIO) -> dict[str, bytes]:
    """The portable PDBs of a symbol package by the path that they are asked for at. Others are not served."""
    found: dict[str, bytes] = {}
    for name, content in read_zip(body, lambda name: name.lower().endswith(".pdb"), SYMBOL_LIMITS).items():
        if (identity := identify(content)) is not None:
            file = name.replace("\\", "/").rpartition("/")[2].lower()
            found[f"{SYMBOLS}/{file}/{identity}/{file}"] = content
    return found


def identify(pdb: bytes) -> str | None:
    """The key of a portable PDB: its GUID and `ffffffff`; `None` for what is none."""
    try:
        if pdb[:4] != SIGNATURE:
            return None
        (length,) = struct.unpack_from("<I", pdb, 12)
        position = 16 + length
        (streams,) = struct.unpack_from("<H", pdb, position + 2)
        position += 4
        for _ in range(min(streams, MAX_STREAMS)):
            offset, _size = struct.unpack_from("<II", pdb, position)
            end = pdb.index(b"\0", position + 8, position + 40)
            if pdb[position + 8 : end] == b"#Pdb":
                return UUID(bytes_le=pdb[offset : offset + 16]).hex + "f" * 8
            position += 8 + (end - position - 8 + 4) // 4 * 4
    except (struct.error, ValueError):
        return None
    return None


class SymbolFile(File):
    """A PDB, asked for by its name and identity."""

    path = SYMBOLS + "/{file}/{key}/{file}"

    def immutable(self, ctx: Context) -> bool:
        return True

    def content_type(self, ctx: Context) -> str:
        return "application/octet-stream"

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        server = ctx.settings.nuget_proxy.symbol_server_url
        if not server:
            raise NotFound("this proxy has no symbol server: nugetProxy.symbolServerUrl says where it is")
        return Origin(f"{server.rstrip('/')}/{ctx['file']}/{ctx['key']}/{ctx['file']}")
