"""npm packages made for tests, and a body in memory."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from pakhus.domain.content import Asset, Blob, Component, Digests
from pakhus.formats.npm import Npm
from pakhus.formats.npm.names import coordinates, tarball_path
from pakhus.kit.context import Context, Settings

FORMAT = Npm()
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
BASE = "http://host/repository/npm/"


def context(path: str, *, accept: str = "application/json", **query: str) -> Context:
    """The context of a GET of this path."""
    path = FORMAT.canonical(path)
    _, params = FORMAT.match("GET", path)
    return Context("npm", path, params, query, accept, Settings(), lambda inside: BASE + inside, "http://up/r/x")


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tarball."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def tarball(manifest: Mapping[str, Any], *, folder: str = "package", readme: str = "# hello") -> bytes:
    return packed({f"{folder}/package.json": json.dumps(manifest).encode(), f"{folder}/README.md": readme.encode()})


def digests(body: bytes) -> Digests:
    return Digests(*(hashlib.new(name, body).hexdigest() for name in ("sha256", "sha1", "md5", "sha512")))


def dist(body: bytes) -> dict[str, str]:
    encoded = base64.b64encode(hashlib.sha512(body).digest()).decode()
    return {"integrity": f"sha512-{encoded}", "shasum": hashlib.sha1(body).hexdigest()}


def document(name: str, version: str, body: bytes, *, tag: str = "latest", **more: Any) -> dict[str, Any]:
    """What `npm publish` sends."""
    manifest = {"name": name, "version": version, "dist": {**dist(body), "tarball": "http://elsewhere/x.tgz"}, **more}
    return {
        "_id": name,
        "name": name,
        "dist-tags": {tag: version},
        "versions": {version: manifest},
        "_attachments": {
            f"{name}-{version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(body).decode(),
                "length": len(body),
            }
        },
    }


class MemoryDraft:
    """A received body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.cancelled = False

    @property
    def size(self) -> int:
        return len(self._body)

    @property
    def digests(self) -> Digests:
        return digests(self._body)

    def open(self) -> BinaryIO:
        return io.BytesIO(self._body)

    async def cancel(self) -> None:
        self.cancelled = True


async def keep(chunks: Any) -> MemoryDraft:
    return MemoryDraft(b"".join([chunk async for chunk in chunks]))


async def chunked(body: bytes, size: int = 997) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def component(name: str, version: str, *, minutes: int = 0, **attributes: Any) -> Component:
    """A version as a hosted repository holds it; `minutes` after the start of time."""
    when = START + timedelta(minutes=minutes)
    body = f"{name}@{version}".encode()
    blob = Blob(1, "default", "key", len(body), digests(body), when)
    path = tarball_path(name, version)
    asset = Asset(1, "npm", path, blob, "application/x-tgz", coordinates(name, version), {}, when, when, uploader="ann")
    manifest = {"name": name, "version": version, "dist": dist(body)}
    known = {"manifest": {**manifest, **attributes.pop("manifest", {})}, **attributes}
    return Component(1, "npm", coordinates(name, version), known, (asset,), when, when)


def own(name: str, *, minutes: int = 0, **attributes: Any) -> Component:
    """The package itself."""
    when = START + timedelta(minutes=minutes)
    return Component(2, "npm", coordinates(name), attributes, (), when, when)
