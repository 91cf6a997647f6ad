"""Blobs as files below one folder.

    <root>/content/ab/cd/<key>         a blob; the key is random and begins with "abcd"
    <root>/content/ab/cd/<key>.json    its sidecar
    <root>/drafts/<name>               what is being written, locked by the process that writes it

Whatever moment a process dies at, it leaves a draft, which `sweep_drafts` removes, or a whole blob that no row names.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pakhus.storage.digesting import Digesting
from pakhus.storage.draft import FileDraft
from pakhus.storage.reader import FileReader
from pakhus.storage.spool import Spool, create, explain, remove_abandoned, write_all
from pakhus.storage.store import BlobMissing

T = TypeVar("T")

KEY = re.compile(r"[0-9a-f]{32}")
RUN = 64
"""How many blobs in a row go to one folder: the disk then makes many of their names durable at once."""


class FileStore:
    """See `pakhus.storage.store.BlobStore`.

    Commits wait for the disk in several threads at once: journalling file systems then write them together.
    """

    def __init__(self, name: str, root: Path, *, threads: int = 16) -> None:
        self._name = name
        self._content = root / "content"
        self._drafts = root / "drafts"
        self._content.mkdir(parents=True, exist_ok=True)
        self._drafts.mkdir(exist_ok=True)
        sync_folder(root)
        self._disk = ThreadPoolExecutor(threads, f"blobs-{name}")
        self._hashing = ThreadPoolExecutor(max(2, os.cpu_count() or 1), f"digests-{name}")
        self._naming = threading.Lock()
        self._shard = ""
        self._left = 0

    @property
    def name(self) -> str:
        return self._name

    async def begin(self) -> FileDraft:
        spool = Spool(self._drafts, self._disk)
        return FileDraft(
            spool, Digesting(spool, self._hashing), store=self._name, place=self._place, remove=self.delete
        )

    async def open(self, key: str) -> FileReader:
        try:
            return FileReader(str(self._path(key)), self._disk)
        except FileNotFoundError:
            raise BlobMissing(f"The blob store {self._name} has no blob {key}.") from None

    async def delete(self, key: str) -> None:
        if KEY.fullmatch(key):
            await self._in_thread(self._remove, self._path(key))

    async def stat(self, key: str) -> int | None:
        return size_of(self._path(key)) if KEY.fullmatch(key) else None

    async def url(self, key: str) -> str | None:
        return None

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        for shard in await self._in_thread(lambda: sorted(self._content.iterdir())):
            for found in await self._in_thread(lambda shard=shard: list(blobs_below(shard))):
                yield found

    async def describe(self, key: str, sidecar: Mapping[str, object]) -> None:
        await self._in_thread(self._write_sidecar, self._path(key), json.dumps(sidecar, sort_keys=True).encode())

    async def description(self, key: str) -> Mapping[str, object] | None:
        return await self._in_thread(read_sidecar, self._path(key)) if KEY.fullmatch(key) else None

    async def drafts(self) -> int:
        return await self._in_thread(lambda: sum(1 for _ in self._drafts.iterdir()))

    async def sweep_drafts(self, older_than: float) -> int:
        return await self._in_thread(self._sweep, time.time() - older_than)

    async def free(self) -> int:
        return await self._in_thread(self._free)

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *args)

    def _path(self, key: str) -> Path:
        """Where a blob is. Nothing but a key ever reaches the disk."""
        if not KEY.fullmatch(key):
            raise BlobMissing(f"{key!r} is no blob's key.")
        return self._content / key[:2] / key[2:4] / key

    async def _place(self, spool: Spool) -> tuple[str, Path]:
        return await self._in_thread(self._keep, spool)

    def _keep(self, spool: Spool) -> tuple[str, Path]:
        with spool.durable() as draft:
            path = self._path(self._new_key())
            draft.rename(path)
        sync_folder(path.parent)
        return path.name, path

    def _new_key(self) -> str:
        """A random key, whose folder exists and is durable."""
        with self._naming:
            if not self._left:
                self._shard = self._new_shard()
                self._left = RUN
            self._left -= 1
            return self._shard + secrets.token_hex(14)

    def _new_shard(self) -> str:
        """Synced even if it exists already: another process may have made it and not come to that yet."""
        shard = secrets.token_hex(2)
        folder = self._content / shard[:2] / shard[2:]
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
        sync_folder(self._content)
        return shard

    def _remove(self, path: Path) -> None:
        """The sidecar first: a blob without it is found again by `keys`, a sidecar without blob is not."""
        sidecar_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def _write_sidecar(self, path: Path, body: bytes) -> None:
        if not path.exists():
            raise BlobMissing(f"The blob store {self._name} has no blob {path.name}.")
        fd, draft = create(self._drafts)
        try:
            write_all(fd, body)
            draft.rename(sidecar_of(path))
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise explain(error) from error
        finally:
            os.close(fd)

    def _sweep(self, before: float) -> int:
        with os.scandir(self._drafts) as entries:
            times = [(Path(entry.path), modified(entry)) for entry in entries]
        return sum(remove_abandoned(path) for path, when in times if when is not None and when < before)

    def _free(self) -> int:
        found = os.statvfs(self._drafts)
        return found.f_bavail * found.f_frsize


def sidecar_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def read_sidecar(path: Path) -> Mapping[str, object] | None:
    try:
        found: Mapping[str, object] = json.loads(sidecar_of(path).read_bytes())
    except FileNotFoundError:
        return None
    return found


def size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def blobs_below(folder: Path) -> list[tuple[str, float]]:
    """All blobs of the shards in a folder, each with its time."""
    found: list[tuple[str, float]] = []
    for shard in sorted(folder.iterdir()):
        with os.scandir(shard) as entries:
            times = ((entry.name, modified(entry)) for entry in entries if KEY.fullmatch(entry.name))
            found.extend((name, when) for name, when in times if when is not None)
    return found


def modified(entry: os.DirEntry[str]) -> float | None:
    """`None` when it has just gone."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; a file's own sync does not do that."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
