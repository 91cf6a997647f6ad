"""The checksum database, relayed: an upstream that is a proxy of one has it below `sumdb/`.

A client that is told "supported" asks here only; one that is told 404 asks its next proxy, or the database itself.
Records and tiles never change: the database is a log which only grows.
Source: Go modules reference, "Checksum database"; proposal 25530, "Proxying a Checksum Database".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pakhus.domain.content import Component, Query
from pakhus.formats.go.documents import TEXT
from pakhus.kit.context import Context
from pakhus.kit.format import Document, File

MAX_ANSWER = 1 << 20


class Relayed(Document[bytes]):
    """An answer that only an upstream has. In a group that of the first member which has any."""

    media_types = (TEXT,)
    limit = MAX_ANSWER

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx.path)

    def build(self, ctx: Context, components: Iterable[Component]) -> bytes | None:
        return None

    def parse(self, ctx: Context, body: bytes) -> bytes:
        return body

    def merge(self, ctx: Context, models: Sequence[bytes]) -> bytes:
        return models[0]

    def dump(self, ctx: Context, model: bytes) -> bytes:
        return model


class Supported(Relayed):
    path = "sumdb/{database:path}/supported"


class TreeHead(Relayed):
    """The database's signed size of the day."""

    path = "sumdb/{database:path}/latest"


class Record(File):
    """The hashes of one version, with a tree head that proves them: an old one proves as well as a new one."""

    path = "sumdb/{database:path}/lookup/{record:path}"

    def immutable(self, ctx: Context) -> bool:
        return True

    def content_type(self, ctx: Context) -> str:
        return TEXT


class Tile(File):
    """A part of the log's hash tree. One that is still partial has its width in its name."""

    path = "sumdb/{database:path}/tile/{tile:path}"

    def immutable(self, ctx: Context) -> bool:
        return True

    def content_type(self, ctx: Context) -> str:
        return "application/octet-stream"
