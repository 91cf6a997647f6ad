"""Blobs as objects of an S3 bucket.

    <prefix>/content/ab/cd/<key>         a blob; the key is random and begins with "abcd"
    <prefix>/content/ab/cd/<key>.json    its sidecar

What is being written lies in a local folder until it is complete: readers follow it there, and what is cut off never
reaches the bucket.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store as Bucket

from pakhus.domain.errors import TooLarge, Unavailable
from pakhus.storage.digesting import Digesting
from pakhus.storage.draft import FileDraft
from pakhus.storage.handle import PIECE
from pakhus.storage.spool import Spool, remove_abandoned
from pakhus.storage.store import BlobMissing

KEY = re.compile(r"[0-9a-f]{32}")
UNLIMITED = 1 << 62
"""Free bytes: nobody tells how many a bucket has."""
SIGNED_FOR = timedelta(minutes=5)
PART = 8 << 20


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is, and who asks. Empty texts are left to the environment (region, credentials, endpoint)."""

    bucket: str
    region: str = ""
    prefix: str = ""
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    endpoint: str = ""
    path_style: bool = False
    encryption: str = ""
    encryption_key: str = ""
    connections: int | None = None
    """Idle connections that are kept open."""
    signed_urls: bool = False

    def opened(self) -> Bucket:
        """The bucket; nothing is asked of it yet."""
        options: dict[str, Any] = {
            "aws_region": self.region or "us-east-1",
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
            "aws_endpoint": self.endpoint,
            "aws_server_side_encryption": self.encryption,
            "aws_sse_kms_key_id": self.encryption_key,
        }
        config: Any = {name: value for name, value in options.items() if value}
        config["aws_virtual_hosted_style_request"] = not self.path_style
        return Bucket(
            self.bucket,
            prefix=self.prefix.strip("/") or None,
            config=config,
            client_options={
                "allow_http": self.endpoint.startswith("http://"),
                "timeout": "10m",
                "connect_timeout": "10s",
                **({} if self.connections is None else {"pool_max_idle_per_host": str(self.connections)}),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )


class S3Store:
    """See `pakhus.storage.store.BlobStore`. `spool` is a local folder of this store alone."""

    def __init__(self, name: str, settings: S3Settings, spool: Path, *, threads: int = 8) -> None:
        self._name = name
        self._bucket = settings.opened()
        self._signs = settings.signed_urls
        self._spool, self._left = spool / "drafts", spool / "uploaded"
        for folder in (self._spool, self._left):
            folder.mkdir(parents=True, exist_ok=True)
        self._disk = ThreadPoolExecutor(threads, f"spool-{name}")
        self._hashing = ThreadPoolExecutor(max(2, os.cpu_count() or 1), f"digests-{name}")

    @property
    def name(self) -> str:
        return self._name

    async def begin(self) -> FileDraft:
        spool = _Uploaded(self._spool, self._disk)
        digesting = Digesting(spool, self._hashing)
        return FileDraft(spool, digesting, store=self._name, place=self._place, remove=self.delete)

    async def open(self, key: str) -> S3Reader:
        size = await self.stat(key)
        if size is None:
            raise BlobMissing(f"The blob store {self._name} has no blob {key}.")
        return S3Reader(self._bucket, _path(key), size)

    async def delete(self, key: str) -> None:
        """The sidecar first, as in every store."""
        if not KEY.fullmatch(key):
            return
        for path in (_sidecar(key), _path(key)):
            try:
                await obstore.delete_async(self._bucket, path)
            except NotFoundError:
                continue
            except BaseError as error:
                raise self._trouble(error) from error

    async def stat(self, key: str) -> int | None:
        if not KEY.fullmatch(key):
            return None
        try:
            return int((await obstore.head_async(self._bucket, _path(key)))["size"])
        except (FileNotFoundError, NotFoundError):
            return None
        except BaseError as error:
            raise self._trouble(error) from error

    async def url(self, key: str) -> str | None:
        if not self._signs or await self.stat(key) is None:
            return None
        signed: str = await obstore.sign_async(self._bucket, "GET", _path(key), SIGNED_FOR)
        return signed

    async def keys(self) -> AsyncIterator[tuple[str, float]]:
        try:
            async for page in obstore.list(self._bucket, "content"):
                for entry in page:
                    name = entry["path"].rpartition("/")[2]
                    if KEY.fullmatch(name):
                        yield name, entry["last_modified"].timestamp()
        except BaseError as error:
            raise self._trouble(error) from error

    async def describe(self, key: str, sidecar: Mapping[str, object]) -> None:
        if await self.stat(key) is None:
            raise BlobMissing(f"The blob store {self._name} has no blob {key}.")
        try:
            await obstore.put_async(self._bucket, _sidecar(key), json.dumps(sidecar, sort_keys=True).encode())
        except BaseError as error:
            raise self._trouble(error) from error

    async def description(self, key: str) -> Mapping[str, object] | None:
        if not KEY.fullmatch(key):
            return None
        try:
            answer = await obstore.get_async(self._bucket, _sidecar(key))
            found: Mapping[str, object] = json.loads(bytes(await answer.bytes_async()))
        except (FileNotFoundError, NotFoundError):
            return None
        except BaseError as error:
            raise self._trouble(error) from error
        return found

    async def drafts(self) -> int:
        return sum(1 for _ in self._spool.iterdir())

    async def sweep_drafts(self, older_than: float) -> int:
        before = time.time() - older_than
        for path in _older(self._left, before):
            path.unlink(missing_ok=True)
        return sum(remove_abandoned(path) for path in _older(self._spool, before))

    async def free(self) -> int:
        return UNLIMITED

    async def probe(self) -> None:
        """Write, read and remove a small object. Raises `Unavailable` where one of that is not possible."""
        path = f"probe/{secrets.token_hex(16)}"
        try:
            await obstore.put_async(self._bucket, path, b"pakhus")
            await obstore.head_async(self._bucket, path)
            await obstore.delete_async(self._bucket, path)
        except (BaseError, OSError) as error:
            raise self._trouble(error) from error

    async def _place(self, spool: Spool) -> tuple[str, Path]:
        key = secrets.token_hex(16)
        body: bytes | Path | None = spool.memory()
        try:
            if body is None:
                body = spool.local()
            await obstore.put_async(self._bucket, _path(key), body, chunk_size=PART, max_concurrency=4)
        except BaseError as error:
            raise self._trouble(error) from error
        return key, self._left / key

    def _trouble(self, error: Exception) -> Unavailable:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Unavailable(f"The blob store {self._name} cannot be used: {first[:300]}")


class _Uploaded(Spool):
    """A spool whose file is superfluous once it was uploaded, but for those who still have the draft."""

    _left: Path | None = None

    def moved(self, path: Path) -> None:
        if self._path is not None:
            self._path.rename(path)
            self._left = path
        super().moved(path)

    def __del__(self) -> None:
        if self._left is not None:
            self._left.unlink(missing_ok=True)


class S3Reader:
    """See `pakhus.storage.store.Reader`."""

    def __init__(self, bucket: Bucket, path: str, size: int) -> None:
        self._bucket = bucket
        self._path = path
        self._size = size
        self._closed = False

    @property
    def size(self) -> int:
        return self._size

    @property
    def path(self) -> str | None:
        return None

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        end = self._size if stop is None else min(stop, self._size)
        if start >= end:
            return
        try:
            answer = await obstore.get_async(self._bucket, self._path, options={"range": (start, end)})
            async for piece in answer.stream(min_chunk_size=PIECE):
                yield bytes(piece)
        except (FileNotFoundError, NotFoundError):
            raise BlobMissing(f"The blob {self._path} is gone.") from None
        except BaseError as error:
            raise Unavailable(f"The blob {self._path} cannot be read.") from error

    def read(self, limit: int) -> bytes:
        if self._size > limit:
            raise TooLarge(f"The body has {self._size} bytes, more than {limit}.")
        if self._closed:
            raise ValueError("the reader is closed")
        try:
            return bytes(obstore.get(self._bucket, self._path).bytes())
        except (FileNotFoundError, NotFoundError):
            raise BlobMissing(f"The blob {self._path} is gone.") from None
        except BaseError as error:
            raise Unavailable(f"The blob {self._path} cannot be read.") from error

    def close(self) -> None:
        self._closed = True


def _older(folder: Path, before: float) -> list[Path]:
    found = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                found.append(path)
    return found


def _path(key: str) -> str:
    """Where a blob is. Nothing but a key ever reaches the bucket."""
    if not KEY.fullmatch(key):
        raise BlobMissing(f"{key!r} is no blob's key.")
    return f"content/{key[:2]}/{key[2:4]}/{key}"


def _sidecar(key: str) -> str:
    return f"{_path(key)}.json"
