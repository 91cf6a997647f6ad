"""The format protocol: a format is a table of routes, each a File, a Document, a Checksum or an Action.

A format never learns whether it runs in a hosted repository, a proxy or a group.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO, ClassVar

from pakhus.domain.content import NO_FACTS, Asset, Component, Coordinates, Digests, Facts, Origin
from pakhus.domain.errors import NotAllowed, NotFound, PakhusError
from pakhus.domain.repository import ANY, HOSTED, RepositoryType
from pakhus.domain.security import Permission
from pakhus.kit.clients import Clue
from pakhus.kit.context import (
    Call,
    Content,
    Context,
    Entrance,
    Form,
    Headers,
    Hosted,
    Reply,
    Settings,
    Upstream,
    View,
)
from pakhus.kit.derived import BREAK, Derived, Document, DocumentSet, Model, Published
from pakhus.kit.doors import BASIC, BEARER, NO_DOORS, Credential, Doors, Mount
from pakhus.kit.paths import template
from pakhus.kit.usage import Snippet

READS = ("GET", "HEAD")


class File:
    """Bytes kept under a path: uploaded to a hosted repository, or copied from upstream by a proxy."""

    path: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = READS
    accept: ClassVar[tuple[str, ...]] = ()
    limit: ClassVar[int | None] = None
    """The largest such file, in bytes. A proxy sends one with a limit only when it has it whole and verified."""
    probed: ClassVar[bool] = False
    """A proxy asks by HEAD whether its copy is still what upstream has, since a GET costs more there."""

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

    def unchanged(self, ctx: Context, headers: Headers, kept: Asset) -> bool:
        """Is a proxy's copy what the upstream has, by the headers with which it answered HEAD?"""
        return False

    def aliases(self, ctx: Context, digests: Digests) -> Sequence[str]:
        """The other paths under which the same bytes can be read: a proxy keeps them there, too."""
        return ()

    def expendable(self, ctx: Context, asset: Asset) -> timedelta | None:
        """How long the file stays in a hosted repository while no other refers to it; `None`: for good."""
        return None

    def upholders(self, ctx: Context, asset: Asset) -> Sequence[str]:
        """Paths that keep an expendable file as long as they are there, although they do not refer to it."""
        return ()


class Drop(File):
    """A file that a plain PUT stores and a plain DELETE removes."""

    methods = ("GET", "HEAD", "PUT", "DELETE")


class PublicKey(File):
    """The key that the repository signs its document sets with; a proxy has the file that upstream has.

    `armored` says whether it is sent as text (RFC 9580, section 6) or as bytes.
    """

    armored: ClassVar[bool] = True

    def content_type(self, ctx: Context) -> str:
        return "application/pgp-keys"


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
    run: (
        Callable[[Call, Hosted], Awaitable[Reply]]
        | Callable[[Call, View], Awaitable[Reply]]
        | Callable[[Call, Entrance], Awaitable[Reply]]
    )
    on: frozenset[RepositoryType] = HOSTED
    needs: Permission | None = Permission.ADD


Route = File | Document[Any] | DocumentSet[Any] | Checksum | Action


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


class Format:
    """A package format. Subclasses are data: a name, routes, settings, and a few pure functions."""

    name: ClassVar[str]
    segment: ClassVar[str] = ""
    """The word in the REST paths of `/v1/repositories/<segment>/…` where it is not the name ("maven" for maven2)."""
    routes: ClassVar[Sequence[Route]]
    mounts: ClassVar[Sequence[Mount]] = ()
    entrance: ClassVar[Sequence[Action]] = ()
    """What can be asked before a mount's URL names a repository; the actions get an `Entrance`."""
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

    def title(self, component: Component) -> str:
        """The component's name as its author spells it."""
        return component.name

    def browse(self, asset: Asset) -> Sequence[str]:
        """Where the asset stands in the browse tree."""
        return asset.path.split("/")

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        """The asset's member named after the format in the REST API."""
        return {}

    def doors(self, settings: Any) -> Doors:
        """Where else a repository with these settings can be reached."""
        return NO_DOORS

    def open_to_anonymous(self, settings: Any) -> bool:
        """May a client without credentials be served at all, if its rights allow?"""
        return True

    def challenge(self, ctx: Context) -> str:
        """The `WWW-Authenticate` of a refused request; empty for Basic. `ctx.settings` is `None` at the entrance."""
        return ""

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
    "BREAK",
    "HOSTED",
    "READS",
    "Action",
    "Checksum",
    "Clue",
    "Credential",
    "Derived",
    "Document",
    "DocumentSet",
    "Doors",
    "Drop",
    "Field",
    "File",
    "Format",
    "Model",
    "Mount",
    "Origin",
    "PublicKey",
    "Published",
    "Route",
    "Snippet",
    "UploadForm",
    "methods_of",
]
