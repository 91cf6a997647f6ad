"""Reading `repodata/` as a client does: every file by its name in `repomd.xml`, with every digest and size checked."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, fromstring

from pakhus.kit.compressed import zstd


@dataclass
class Metadata:
    """`entry` is repomd.xml; `files` its documents by type, unpacked; `names` as they are on the server."""

    entry: bytes
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def packages(self, kind: str = "primary") -> list[Element]:
        root = fromstring(self.files[kind])
        found = list(root)
        assert root.get("packages") == str(len(found))
        return found

    @property
    def listed(self) -> dict[str, str]:
        """Name-[epoch:]version-release.arch → place, of each package."""
        found = {}
        for each in self.packages():
            version, location = each.find("{*}version"), each.find("{*}location")
            assert version is not None
            assert location is not None
            epoch = "" if version.get("epoch") == "0" else f"{version.get('epoch')}:"
            evr = f"{epoch}{version.get('ver')}-{version.get('rel')}"
            found[f"{each.findtext('{*}name')}-{evr}.{each.findtext('{*}arch')}"] = location.get("href", "")
        return found


async def read(get: Callable[[str], Awaitable[bytes]], base: str = "") -> Metadata:
    """All that the `repomd.xml` below `base` names."""
    found = Metadata(await get(f"{base}repodata/repomd.xml"))
    for record in fromstring(found.entry).iterfind("{*}data"):
        kind, location = record.get("type", ""), record.find("{*}location")
        assert location is not None
        name = location.get("href", "")
        content = await get(base + name)
        plain = unpacked(name, content)
        assert record.findtext("{*}checksum") == hashlib.sha256(content).hexdigest(), name
        assert record.findtext("{*}size") == str(len(content))
        assert record.findtext("{*}open-checksum") == hashlib.sha256(plain).hexdigest(), name
        assert record.findtext("{*}open-size") == str(len(plain))
        found.files[kind], found.names[kind] = plain, name
    lists = [{each.get("pkgid") for each in found.packages(kind)} for kind in ("filelists", "other")]
    assert lists[0] == lists[1] == {each.findtext("{*}checksum") for each in found.packages()}
    return found


def unpacked(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(content)
    return zstd.decompress(content) if name.endswith(".zst") else content
