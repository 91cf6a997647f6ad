"""Bounded readers of zip and tar archives: what an uploader sent is never trusted to be small, honest or complete.

Each refusal is a `BadPackage` whose message names the member. Names come as the archive spells them ("./control").
"""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from pakhus.domain.errors import BadPackage
from pakhus.kit.compressed import CHUNK, CORRUPT, Source, decompressed

BLOCK = 512
SMALL = 1 << 20
"""Up to this size no ratio is asked for, and extended tar headers must stay below it (bytes)."""
MAX_ZIP_DIRECTORY = 64 << 20
_UNSAFE = re.compile(r"[\x00\r\n]|^[/\\]|^[A-Za-z]:[/\\]|(?:^|[/\\])\.\.(?:[/\\]|$)")


@dataclass(frozen=True)
class Limits:
    """`entries`: members of the archive. `member`: bytes of one read member. `total`: bytes read or decompressed
    by one call. `ratio`: uncompressed to compressed size of a zip member above 1 MiB."""

    entries: int = 200_000
    member: int = 64 << 20
    total: int = 1 << 30
    ratio: int = 200


DEFAULT = Limits()


def zip_names(body: BinaryIO, limits: Limits = DEFAULT) -> list[str]:
    """The names of all members, folders included, in the order of the directory. Raises `BadPackage`."""
    with zip_errors(), opened_zip(body, limits) as archive:
        return archive.namelist()


def read_zip(body: BinaryIO, wanted: Callable[[str], bool], limits: Limits = DEFAULT) -> dict[str, bytes]:
    """The members whose name is wanted, in the order of the directory. Raises `BadPackage`."""
    found: dict[str, bytes] = {}
    left = limits.total
    with zip_errors(), opened_zip(body, limits) as archive:
        for info in archive.infolist():
            if info.is_dir() or not wanted(info.filename):
                continue
            if info.filename in found:
                raise BadPackage(f"the archive has {info.filename} twice")
            check_zip_member(info, limits, left)
            with archive.open(info) as member:
                found[info.filename] = content = member.read(info.file_size + 1)
            if len(content) != info.file_size:
                raise BadPackage(f"{info.filename} is truncated")
            left -= len(content)
    return found


def read_tar(
    body: BinaryIO, wanted: Callable[[str], bool], limits: Limits = DEFAULT, *, first_only: bool = False
) -> dict[str, bytes]:
    """The regular files whose name is wanted; of a repeated name the last, as extraction would leave it.

    Plain, gzip, bzip2, xz, lzma or zstd, by its first bytes, read from the current position; concatenated
    compressed streams are one archive. With `first_only` reading stops at the first found. Raises `BadPackage`.
    """
    found: dict[str, bytes] = {}
    left = limits.total
    stream = _Tape(body, limits.total)
    for name, size in _tar_files(stream, limits.entries):
        if not wanted(name):
            stream.skip(_padded(size))
            continue
        _check_name(name)
        if size > limits.member:
            raise BadPackage(f"{name} has {size} bytes; at most {limits.member} are read")
        left += len(found.pop(name, b"")) - size
        if left < 0:
            raise BadPackage(f"the wanted files have more than {limits.total} bytes")
        found[name] = stream.read(size)
        if first_only:
            break
        stream.skip(_padded(size) - size)
    return found


def tar_names(body: BinaryIO, limits: Limits = DEFAULT) -> list[str]:
    """The names of all files and links, in order; everything is decompressed and counted. Raises `BadPackage`."""
    found: list[str] = []
    stream = _Tape(body, limits.total)
    for name, size in _tar_files(stream, limits.entries, links=True):
        found.append(name)
        stream.skip(_padded(size))
    return found


# zip


class _Directory:
    """The file under a `ZipFile`, guarding the one read that builds an object for each of its entries."""

    def __init__(self, body: BinaryIO, entries: int) -> None:
        self._body, self._entries = body, entries
        self.guarding = True
        self.tell, self.seekable = body.tell, body.seekable

    def read(self, size: int = -1) -> bytes:
        if not self.guarding:
            return self._body.read(size)
        if size > MAX_ZIP_DIRECTORY:
            raise BadPackage(f"the archive's directory has {size} bytes; at most {MAX_ZIP_DIRECTORY} are read")
        read = self._body.read(size)
        # Entries are counted by their signature: the number that the archive states is not what zipfile goes by.
        if read.count(b"PK\x01\x02") > self._entries:
            raise BadPackage(f"the archive has more than {self._entries} members")
        return read

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise BadPackage("the archive's directory points outside of it")
        return self._body.seek(offset, whence)


@contextmanager
def opened_zip(body: BinaryIO, limits: Limits) -> Iterator[zipfile.ZipFile]:
    guard = _Directory(body, limits.entries)
    with zipfile.ZipFile(guard) as archive:
        guard.guarding = False
        yield archive


@contextmanager
def zip_errors() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
        IndexError,
    ) as error:
        raise BadPackage(f"not a readable zip archive: {error or 'truncated'}") from error
    except OSError as error:
        if error.errno is not None and error.errno != 22:
            raise
        raise BadPackage("not a readable zip archive: a member lies outside of it") from error


def check_zip_member(info: zipfile.ZipInfo, limits: Limits, left: int) -> None:
    _check_name(info.filename)
    if info.flag_bits & 0x41:
        raise BadPackage(f"{info.filename} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The library decompresses the others without a bound on what one step gives.
        raise BadPackage(f"{info.filename} is compressed by method {info.compress_type}; only deflate is read")
    if info.file_size > limits.member:
        raise BadPackage(f"{info.filename} has {info.file_size} bytes; at most {limits.member} are read")
    if info.file_size > left:
        raise BadPackage(f"the wanted files have more than {limits.total} bytes")
    if info.file_size > SMALL and info.file_size > limits.ratio * info.compress_size:
        raise BadPackage(f"{info.filename} is compressed more than {limits.ratio} times: this may be a bomb")


def _check_name(name: str) -> None:
    if _UNSAFE.search(name):
        raise BadPackage(f"{name!r} is not a safe file name")


# tar


def _tar_files(tape: _Tape, entries: int, *, links: bool = False) -> Iterator[tuple[str, int]]:
    """Name and size of each regular file, with `links` of links, too.

    Whoever asks for the next has read or skipped the file and its padding.

    Layout: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU's long names.
    """
    extended: dict[str, str] = {}
    headers = 0
    while (block := tape.header()) is not None:
        headers += 1
        if headers > entries:
            raise BadPackage(f"the archive has more than {entries} members")
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            what = "not a tar archive" if headers == 1 else "the tar archive is corrupt"
            raise BadPackage(f"{what}: {error}") from error
        if header.size < 0:
            raise BadPackage("the tar archive is corrupt: a member has a negative size")
        if header.type == tarfile.XHDTYPE:
            extended |= _pax(tape.extension(header.size))
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            name = tape.extension(header.size).split(b"\0", 1)[0]
            extended["path"] = name.decode("utf-8", "surrogateescape")
        elif header.type in (tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGLINK):
            tape.skip(_padded(header.size))
        else:
            size = _pax_size(extended, header.size)
            sparse = any(key.startswith("GNU.sparse.") for key in extended)
            name_, extended = extended.get("path", header.name), {}
            if header.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) and not sparse:
                yield name_, size
            elif header.type in _WITHOUT_CONTENT:
                if links and header.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                    yield name_, 0
            else:
                tape.skip(_padded(size))


_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _pax(block: bytes) -> dict[str, str]:
    """The records `length key=value` of an extended header; the length counts the whole record."""
    records: dict[str, str] = {}
    position = 0
    while position < len(block) and block[position]:
        written, _, _ = block[position : position + 20].partition(b" ")
        length = int(written) if written.isdigit() and len(written) < 10 else 0
        record = block[position + len(written) + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or position + length > len(block):
            raise BadPackage("the tar archive is corrupt: an extended header is malformed")
        records[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "surrogateescape")
        position += length
    return records


def _pax_size(extended: dict[str, str], size: int) -> int:
    written = extended.get("size")
    if written is None:
        return size
    if not re.fullmatch("[0-9]{1,19}", written):
        raise BadPackage("the tar archive is corrupt: a member's size is not a number")
    return int(written)


class _Tape:
    """A tar archive read forwards: decompressed, counted, and never cut short in silence."""

    def __init__(self, body: BinaryIO, limit: int) -> None:
        magic = body.read(6)
        body.seek(-len(magic), 1)
        if not magic:
            raise BadPackage("the archive is empty")
        self._plain = body if (source := decompressed(magic, body)) is None else None
        self._source: Source = source or body
        self._limit = self._left = limit

    def header(self) -> bytes | None:
        """The next block, or `None` at the end: a block of zeros, or nothing at all."""
        block = self._take(BLOCK)
        if not block or not block.strip(b"\0"):
            return None
        if len(block) < BLOCK:
            raise BadPackage(
                "the tar archive is truncated" if self._left + BLOCK < self._limit else "not a tar archive"
            )
        return block

    def extension(self, size: int) -> bytes:
        """The content of an extended header."""
        if size > SMALL:
            raise BadPackage(f"the tar archive has an extended header of {size} bytes")
        block = self.read(size)
        self.skip(_padded(size) - size)
        return block

    def read(self, size: int) -> bytes:
        content = self._take(size)
        if len(content) < size:
            raise BadPackage("the tar archive is truncated")
        return content

    def skip(self, size: int) -> None:
        if self._plain is not None and size > CHUNK:
            self._plain.seek(size - CHUNK, 1)
            size = CHUNK
        while size:
            size -= len(self.read(min(size, CHUNK)))

    def _take(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end."""
        parts: list[bytes] = []
        while size:
            try:
                part = self._source.read(min(size, CHUNK))
            except CORRUPT as error:
                raise BadPackage(f"the archive is truncated or corrupt: {error}") from error
            if not part:
                break
            self._left -= len(part)
            if self._left < 0:
                raise BadPackage(f"the archive unpacks to more than {self._limit} bytes")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
