"""Writing `repodata/`: the lists, compressed and hashed as they are made, and `repomd.xml`, which names them.

Every list has its digest in its name, so that a client which still has the `repomd.xml` of a moment ago finds what that
one named. Source: createrepo_c's "rpm-md" format.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pakhus.formats.yum.elements import escaped
from pakhus.formats.yum.listed import Listed
from pakhus.kit.compressed import zstd

LISTS = {"primary": "metadata", "filelists": "filelists", "other": "otherdata"}
"""List → its root element."""
COMMON = "http://linux.duke.edu/metadata/common"
NAMESPACES = {name: f"http://linux.duke.edu/metadata/{name}" for name in ("filelists", "other")} | {"primary": COMMON}
RPM_NAMESPACE = "http://linux.duke.edu/metadata/rpm"
BATCH = 500
GZIP_LEVEL, ZSTD_LEVEL = 6, 6


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A compression of the lists; `suffix` is empty for none."""

    suffix: str
    start: Callable[[], _Compressor]


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


PLAIN = Codec("", _Plain)
GZIP = Codec(".gz", lambda: zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31))
ZSTD = Codec(".zst", lambda: zstd.ZstdCompressor(level=ZSTD_LEVEL))
CODECS = {"GZIP": GZIP, "ZSTD": ZSTD}


@dataclass(frozen=True, slots=True)
class Record:
    """A file of the set as `repomd.xml` names it: sizes in bytes, digests of SHA-256."""

    kind: str
    filename: str
    sha256: str
    open_sha256: str
    size: int
    open_size: int
    chunks: Sequence[bytes]


class Writer:
    """A file in the making: only its compressed form is kept."""

    def __init__(self, kind: str, filename: str, codec: Codec) -> None:
        self._kind, self._filename, self._codec = kind, filename, codec
        self._compressor = codec.start()
        self._chunks: list[bytes] = []
        self._open = hashlib.sha256()
        self._open_size = 0

    def write(self, content: bytes) -> None:
        self._open.update(content)
        self._open_size += len(content)
        if compressed := self._compressor.compress(content):
            self._chunks.append(compressed)

    def finished(self) -> Record:
        self._chunks.append(self._compressor.flush())
        digest = hashlib.sha256()
        for chunk in self._chunks:
            digest.update(chunk)
        return Record(
            self._kind,
            f"{digest.hexdigest()}-{self._filename}{self._codec.suffix}",
            digest.hexdigest(),
            self._open.hexdigest(),
            sum(len(chunk) for chunk in self._chunks),
            self._open_size,
            self._chunks,
        )


def document(kind: str, filename: str, content: bytes, codec: Codec = PLAIN) -> Record:
    """The record of a file that is at hand."""
    writer = Writer(kind, filename, codec)
    writer.write(content)
    return writer.finished()


def lists(packages: Sequence[Listed], codec: Codec) -> list[Record]:
    """The three lists of packages. Each has a thread of its own: compressing and hashing let the others run."""
    writers = {kind: Writer(kind, f"{kind}.xml", codec) for kind in LISTS}
    for kind, writer in writers.items():
        writer.write(_head(kind, len(packages)))
    with ThreadPoolExecutor(len(writers), "repodata") as pool:
        pending: list[Future[None]] = []
        for batch in _batches(packages):
            for each in pending:
                each.result()
            pending = [pool.submit(writers[kind].write, content) for kind, content in batch.items()]
        for each in pending:
            each.result()
    for kind, writer in writers.items():
        writer.write(f"</{LISTS[kind]}>\n".encode())
    return [writer.finished() for writer in writers.values()]


def _head(kind: str, count: int) -> bytes:
    rpm = f' xmlns:rpm="{RPM_NAMESPACE}"' if kind == "primary" else ""
    root = f'<{LISTS[kind]} xmlns="{NAMESPACES[kind]}"{rpm} packages="{count}">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode()


def _batches(packages: Sequence[Listed]) -> Iterator[dict[str, bytes]]:
    for start in range(0, len(packages), BATCH):
        found = [package.fragments() for package in packages[start : start + BATCH]]
        yield {
            "primary": b"".join(each.primary for each in found),
            "filelists": b"".join(each.filelists for each in found),
            "other": b"".join(each.other for each in found),
        }


def repomd(records: Sequence[Record], revision: int) -> bytes:
    """`repomd.xml`; `revision` are seconds since the epoch."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="{RPM_NAMESPACE}">',
        f"  <revision>{revision}</revision>",
    ]
    for record in records:
        lines += [
            f'  <data type="{escaped(record.kind)}">',
            f'    <checksum type="sha256">{record.sha256}</checksum>',
            f'    <open-checksum type="sha256">{record.open_sha256}</open-checksum>',
            f'    <location href="repodata/{escaped(record.filename)}"/>',
            f"    <timestamp>{revision}</timestamp>",
            f"    <size>{record.size}</size>",
            f"    <open-size>{record.open_size}</open-size>",
            "  </data>",
        ]
    return "\n".join([*lines, "</repomd>", ""]).encode()
