"""What the engine finds: a body that may be kept, still growing, or rendered; and the edition of a document."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, Protocol, TypeVar

from pakhus.domain.content import Asset, Attributes, Digests
from pakhus.domain.security import Actor
from pakhus.kit.context import Content
from pakhus.storage.store import BlobStore, Draft, Reader

Model = TypeVar("Model")


class Body(Protocol):
    """Bytes on their way out. `size` is `None` while an upstream has not said how many there will be."""

    @property
    def size(self) -> int | None: ...
    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]: ...
    async def local_path(self) -> str | None:
        """The file that holds exactly these bytes, where there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A kept blob."""

    store: BlobStore
    key: str
    size: int

    async def open(self) -> Reader:
        return await self.store.open(self.key)

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        reader = await self.open()
        try:
            async for chunk in reader.chunks(start, stop):
                yield chunk
        finally:
            reader.close()

    async def local_path(self) -> str | None:
        reader = await self.open()
        try:
            return reader.path
        finally:
            reader.close()


@dataclass(frozen=True, slots=True)
class Growing:
    """A body that is arriving from upstream."""

    draft: Draft
    size: int | None

    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        return self.draft.follow(start, stop)

    async def local_path(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document, or a checksum."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        yield self.data[start:stop]

    async def local_path(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """What a GET sends. `etag` comes with its quotes; `asset` is the row whose downloads are counted.

    `fresh_for` are the seconds after which an upstream must be asked again, if nothing changes here before.
    """

    body: Body
    content_type: str
    etag: str = ""
    modified: datetime | None = None
    digests: Digests | None = None
    attributes: Attributes = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    asset: Asset | None = None
    vary: str = ""
    fresh_for: float = math.inf

    def with_headers(self, headers: Mapping[str, str]) -> Found:
        return replace(self, headers={**self.headers, **headers}) if headers else self

    def as_content(self) -> Content:
        return Content(self.content_type, self.body.size, self.digests, self.attributes, self.modified)


@dataclass(frozen=True, slots=True)
class Edition(Generic[Model]):
    """A version of a document, and the way to its model (`None`: there is no such document).

    Equal versions have equal models. `fresh_for` as in `Found`.
    """

    version: str
    model: Callable[[], Awaitable[Model | None]]
    modified: datetime | None = None
    fresh_for: float = math.inf


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, and which repositories lie behind on the way here: groups nest, and must not turn in circles."""

    actor: Actor
    behind: frozenset[int] = frozenset()

    def entering(self, repository_id: int) -> Visit:
        return replace(self, behind=self.behind | {repository_id})


def moment(http_date: str) -> datetime | None:
    """The point in time that an HTTP date (RFC 9110, section 5.6.7) names, if it names one."""
    if not http_date:
        return None
    try:
        return parsedate_to_datetime(http_date).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
