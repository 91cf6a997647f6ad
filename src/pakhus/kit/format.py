"""The format protocol: a format is a table of routes, each a File, a Document, a Checksum or an Action.

A format never learns whether it runs in a hosted repository, a proxy or a group.
"""

from __future__ import annotations

import mimetypes
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Generic, TypeVar

from pakhus.domain.content import (
    NO_FACTS,
    Asset,
    Component,
    Coordinates,
    Digests,
    Facts,
    Origin,
    Query,
)
from pakhus.domain.errors import NotAllowed, NotFound, PakhusError
from pakhus.domain.repository import ANY, HOSTED, RepositoryType
from pakhus.domain.security import Permission
from pakhus.kit.context import (
    Call,
    Content,
    Context,
    Form,
    Headers,
    Hosted,
    Reply,
    Settings,
    Upstream,
    View,
)
from pakhus.kit.paths import template

Model = TypeVar("Model")
READS = ("GET", "HEAD")


class File:
    """Bytes kept under a path: uploaded to a hosted repository, or copied from upstream by a proxy."""

    path: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = READS
    accept: ClassVar[tuple[str, ...]] = ()

    def admit(self, ctx: Context) -> None:
        """Raise if the repository's settings refuse this path (400 for a write, absent for a read)."""

    def immutable(self, ctx: Context) -> bool:
        """Is it certain that the bytes under this path never change? Then a proxy never asks again."""
        return False

    def rewritable(self, ctx: Context) -> bool:
        """May the path be replaced although the write policy is ALLOW_ONCE?"""
        return False

    def identify(self, ctx: Context) -> Coordinates | None:
        """The component that the path belongs to."""
        return None

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        """What the bytes say of themselves. Runs in a thread. Raises `BadPackage`."""
        return NO_FACTS

    def verify(self, ctx: Context, digests: Digests) -> None:
        """Raise `DigestMismatch` if the path promises another digest."""

    def content_type(self, ctx: Context) -> str:
        """The media type of a stored file; empty for "as the uploader or upstream says"."""
        return mimetypes.guess_type(ctx.path, strict=False)[0] or ""

    def headers(self, ctx: Context, content: Content) -> Headers:
        """Headers beyond the common ones."""
        return {}

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Where the upstream keeps the file: the same path, unless the protocol says otherwise."""
        return Origin(ctx.path)


class Drop(File):
    """A file that a plain PUT stores and a plain DELETE removes."""

    methods = ("GET", "HEAD", "PUT", "DELETE")


class Derived(ABC, Generic[Model]):
    """Metadata derived from components: pure functions, one per repository type, and one for the wire."""

    path: ClassVar[str]
    strict: ClassVar[bool] = False
    """A group must not answer without one of its members."""
    local: ClassVar[bool] = False
    """It is the same whatever the repository holds."""

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
    """The largest upstream document that a proxy takes, in bytes."""

    @abstractmethod
    def parse(self, ctx: Context, body: bytes) -> Model:
        """The model in a proxy. Upstream's URLs become repository paths, and their origins are remembered in it."""

    @abstractmethod
    def dump(self, ctx: Context, model: Model) -> bytes:
        """What goes to the client: paths become links here."""

    def headers(self, ctx: Context) -> Headers:
        return {}

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(ctx.path)


class DocumentSet(Derived[Model]):
    """Files derived together and published together, because they vouch for each other (signed indexes).

    `path` matches every file of every set; the parameters beside `file` say which set. A hosted repository publishes a
    set after a change of what feeds it, a group when a member's has changed, each in one transaction; a proxy relays
    the files verbatim. Published files must not contain absolute links.
    """

    lasting_seconds: ClassVar[int] = 86_400
    """How long `lasting` files can still be read after they were superseded."""

    @abstractmethod
    def affected(self, component: Component) -> Iterable[Mapping[str, str]]:
        """The sets, by their parameters, that a change of this component makes outdated."""

    @abstractmethod
    def folder(self, params: Mapping[str, str]) -> str:
        """Below which path, with a slash at its end, all files of the set lie, and nothing else."""

    @abstractmethod
    def entry(self, params: Mapping[str, str]) -> str:
        """The file that names all others."""

    @abstractmethod
    def listed(self, ctx: Context, entry: bytes) -> Sequence[str]:
        """The other files that `parse` needs, by the entry of an upstream's set."""

    @abstractmethod
    def parse(self, ctx: Context, files: Mapping[str, bytes]) -> Model:
        """The model of an upstream's set, for a group that has the proxy as a member."""

    @abstractmethod
    def dump(self, ctx: Context, model: Model) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Path and chunks of every file. Runs in a thread, one file after the other."""

    def lasting(self, path: str) -> bool:
        """May clients still ask for this file when it is superseded (its name tells its content)?"""
        return False

    def immutable(self, ctx: Context) -> bool:
        """Is it certain that the bytes under this path never change?"""
        return False

    def content_type(self, path: str) -> str:
        return mimetypes.guess_type(path, strict=False)[0] or "application/octet-stream"


@dataclass(frozen=True)
class Checksum:
    """`{path}.{algo}`: the digest of whatever a GET of `{path}` sends, be it a file or a document.

    In a proxy, too, the digest is computed: what is served and its checksum never disagree.
    """

    path: str


@dataclass(frozen=True)
class Action:
    """Anything that changes or computes. `needs=None` asks for no permission at all (login, ping)."""

    method: str
    path: str
    run: Callable[[Call, Hosted], Awaitable[Reply]] | Callable[[Call, View], Awaitable[Reply]]
    on: frozenset[RepositoryType] = HOSTED
    needs: Permission | None = Permission.ADD


Route = File | Document[Any] | DocumentSet[Any] | Checksum | Action


@dataclass(frozen=True)
class Mount:
    """A URL outside `/repository/<name>/`: `outside` has `{rest}` and, unless it owns a port, `{repository}`."""

    outside: str
    inside: str


@dataclass(frozen=True)
class Credential:
    """A way for a client of this format to say who it is.

    `scheme` is `basic`, `bearer`, `raw` (the token is the whole Authorization header) or `header` (in `header`).
    """

    scheme: str
    header: str = "authorization"


BASIC = Credential("basic")
BEARER = Credential("bearer")


@dataclass(frozen=True)
class Field:
    """A field of the REST and UI upload, as `/v1/formats/upload-specs` describes it."""

    name: str
    type: str = "STRING"
    description: str = ""
    optional: bool = True
    group: str = "Component coordinates"


@dataclass(frozen=True)
class UploadForm:
    """The REST upload of a format; `run` stores what the form holds by `drop` or `deposit`.

    `complete` says that a form needs no component fields, because its files say what they are.
    """

    run: Callable[[Form, Hosted], Awaitable[None]]
    component_fields: tuple[Field, ...] = ()
    asset_fields: tuple[Field, ...] = ()
    multiple: bool = False
    complete: Callable[[Form], bool] = lambda form: False


@dataclass(frozen=True)
class Clue:
    """Where the installed client of a format keeps the address of its own upstream.

    Either what a `command` prints, or an element (`xpath`) of XML files that a `glob` finds, perhaps as `member` of
    a zip. The first address found wins; `without` is cut off its end.
    """

    command: tuple[str, ...] = ()
    glob: str = ""
    member: str = ""
    xpath: str = ""
    without: str = ""


@dataclass(frozen=True)
class Snippet:
    """How a client is set up: `{url}` (with trailing slash), `{host}`, `{name}`, `{user}`, `{password}` are filled in.

    `file` is where the text belongs (`~/.npmrc`), or empty for commands.
    """

    client: str
    text: str
    file: str = ""
    language: str = "shell"


class Format:
    """A package format. Subclasses are data: a name, routes, settings, and a few pure functions."""

    name: ClassVar[str]
    segment: ClassVar[str] = ""
    """The word in the REST paths of `/v1/repositories/<segment>/…` where it is not the name ("maven" for maven2)."""
    routes: ClassVar[Sequence[Route]]
    mounts: ClassVar[Sequence[Mount]] = ()
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {}
    credentials: ClassVar[Sequence[Credential]] = (BASIC, BEARER)
    upload: ClassVar[UploadForm | None] = None
    search: ClassVar[Mapping[str, str]] = {}
    """REST search parameter → `namespace`, `name`, `version`, `prerelease`, `component.<attribute>` or
    `asset.<attribute>`; `package.<attribute>` is an object of the package itself that has the version under the value
    (npm's tags), `not package.<attribute>` one that has not."""
    usage: ClassVar[Sequence[Snippet]] = ()
    clues: ClassVar[Sequence[Clue]] = ()
    lists_folders: ClassVar[bool] = False
    """Does GET of a folder answer with its `index.html` or a listing?"""

    def starters(self, upstream: str | None) -> Sequence[tuple[str, dict[str, Any]]]:
        """The repositories that a new server has: (type, REST object). A proxy only where an upstream is known."""
        members = [f"{self.name}-hosted"]
        found: list[tuple[str, dict[str, Any]]] = [("hosted", {"name": members[0]})]
        if upstream is not None:
            members.append(f"{self.name}-proxy")
            found.append(("proxy", {"name": members[1], "proxy": {"remoteUrl": upstream}}))
        return [*found, ("group", {"name": f"{self.name}-group", "group": {"memberNames": members}})]

    def options(self, type: RepositoryType) -> type[Settings]:
        return self.settings.get(type, Settings)

    def canonical(self, path: str) -> str:
        """The one spelling of a path."""
        return path

    def version_key(self, version: str) -> Any:
        """What versions are sorted by; greater is newer."""
        return version

    def prerelease(self, version: str) -> bool:
        return False

    def browse(self, asset: Asset) -> Sequence[str]:
        """Where the asset stands in the browse tree."""
        return asset.path.split("/")

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        """The asset's member named after the format in the REST API."""
        return {}

    def problem(self, error: PakhusError) -> Reply:
        """The protocol's own shape of an error."""
        return Reply(error.status, (error.message + "\n").encode(), {"content-type": "text/plain; charset=utf-8"})

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The first route for a path. Raises `NotFound`, or `NotAllowed` when only other methods have one."""
        allowed: list[str] = []
        for route in self.routes:
            params = template(route.path).match(path)
            if params is None:
                continue
            methods = methods_of(route)
            if method in methods:
                return route, params
            allowed.extend(methods)
        if allowed:
            raise NotAllowed(f"{method} is not possible for {path}", allow=tuple(dict.fromkeys(allowed)))
        raise NotFound(f"{path} is not a path of the {self.name} format")


def methods_of(route: Route) -> tuple[str, ...]:
    if isinstance(route, Action):
        return (route.method,)
    return route.methods if isinstance(route, File) else READS


__all__ = [
    "ANY",
    "BASIC",
    "BEARER",
    "HOSTED",
    "READS",
    "Action",
    "Checksum",
    "Clue",
    "Credential",
    "Derived",
    "Document",
    "DocumentSet",
    "Drop",
    "Field",
    "File",
    "Format",
    "Model",
    "Mount",
    "Origin",
    "Route",
    "Snippet",
    "UploadForm",
    "methods_of",
]
