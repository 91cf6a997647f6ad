"""Derived metadata: documents rendered on demand, and sets of files that are published and signed together."""

from __future__ import annotations

import mimetypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from pakhus.domain.content import Component, Origin, Query
from pakhus.kit.context import Context, Headers, Signer, Upstream

Model = TypeVar("Model")
Published = tuple[str | Sequence[str], Iterable[bytes]]
"""A file of a set: its path, or all paths under which the same bytes can be read, and its chunks."""


BREAK = b"\f"
"""Between the pages of an upstream's document: a form feed, which neither XML nor JSON can have."""


class Derived(ABC, Generic[Model]):
    """Metadata derived from components: pure functions, one per repository type, and one for the wire."""

    path: ClassVar[str]
    strict: ClassVar[bool] = False
    """A group must not answer without one of its members."""
    local: ClassVar[bool] = False
    """It is the same whatever the repository holds."""
    always: ClassVar[bool] = False
    """There is one, if an empty one, also for names that the repository has never had."""

    def admit(self, ctx: Context) -> None:
        """Raise if the repository's settings refuse this path."""

    def select(self, ctx: Context) -> Query | Sequence[Query]:
        """Which components feed it: those that any of the queries finds."""
        return Query(name=ctx.params.get("name"))

    @abstractmethod
    def build(self, ctx: Context, components: Iterable[Component]) -> Model | None:
        """The model in a hosted repository; `None` when there is nothing to tell."""

    @abstractmethod
    def merge(self, ctx: Context, models: Sequence[Model]) -> Model:
        """The model of a group; models come in member order, and the first one wins."""


class Document(Derived[Model]):
    """One document, rendered when it is asked for and remembered while nothing changes.

    `media_types` are what `dump` can write, best first: the client's Accept picks one, which `dump` finds in
    `ctx.accept`. `upstream_accept` is what a proxy asks for. `query` names the parameters that change the model;
    paging belongs to `dump`.
    """

    media_types: ClassVar[tuple[str, ...]] = ("application/json",)
    upstream_accept: ClassVar[str] = ""
    query: ClassVar[tuple[str, ...]] = ()
    limit: ClassVar[int] = 256 << 20
    """The largest upstream document that a proxy takes, in bytes, with all its pages."""
    pages: ClassVar[int] = 1
    """Of an upstream's document in pages a proxy takes at most so many; `parse` finds `BREAK` between them."""

    @abstractmethod
    def parse(self, ctx: Context, body: bytes) -> Model:
        """The model in a proxy. Upstream's URLs become repository paths, and their origins are remembered in it."""

    @abstractmethod
    def dump(self, ctx: Context, model: Model) -> bytes:
        """What goes to the client: paths become links here."""

    def headers(self, ctx: Context, model: Model) -> Headers:
        return {}

    def following(self, ctx: Context, headers: Headers, body: Callable[[], bytes]) -> str:
        """Where the upstream's document goes on after these pages: a path or a URL; empty after the last one.

        `headers` are the last page's, `body` gives all pages so far.
        """
        return ""

    def max_age(self, ctx: Context) -> float | None:
        """Minutes that a proxy keeps it (−1: for ever), where that is not the repository's metadata max age."""
        return None

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(ctx.path)


class DocumentSet(Derived[Model]):
    """Files derived together and published together, because they vouch for each other (signed indexes).

    `path` matches every file of every set; the parameters beside `file` say which set. A hosted repository publishes a
    set after a change of what feeds it, a group when a member's has changed, each in one transaction; a proxy relays
    the files verbatim. Published files must not contain absolute links.
    """

    signed: ClassVar[bool] = False
    """Does `dump` sign? Then the repository has a key, and a set is published anew when its keys change."""
    lasting_seconds: ClassVar[int] = 86_400
    """How long `lasting` files can still be read after they were superseded."""

    @abstractmethod
    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        """The sets, by their parameters, that a change of this component makes outdated: they count its changes."""

    @abstractmethod
    def folder(self, params: Mapping[str, str]) -> str:
        """Below which path, with a slash at its end, all files of the set lie."""

    @abstractmethod
    def entry(self, params: Mapping[str, str]) -> str:
        """The file that names all others."""

    def begins(self, path: str, params: Mapping[str, str]) -> bool:
        """Do clients begin to read the set with this file? Then it is brought up to date first."""
        return path == self.entry(params)

    @abstractmethod
    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        """The other files that `parse` needs, by the entry of an upstream's set."""

    @abstractmethod
    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Model:
        """The model of an upstream's set, for a group that has the proxy as a member."""

    @abstractmethod
    def dump(self, ctx: Context, model: Model, sign: Signer) -> Iterator[Published]:
        """Path (or paths) and chunks of every file. Runs in a thread, one file after the other."""

    def lifetime(self, ctx: Context) -> float | None:
        """Seconds after which the set is to be published anew although nothing changed; `None` is never."""
        return None

    def lasting(self, path: str) -> bool:
        """May clients still ask for this file when it is superseded (its name tells its content)?"""
        return False

    def immutable(self, ctx: Context) -> bool:
        """Is it certain that the bytes under this path never change?"""
        return False

    def content_type(self, path: str) -> str:
        return mimetypes.guess_type(path, strict=False)[0] or "application/octet-stream"
