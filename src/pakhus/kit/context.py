"""What a format is handed: frozen values, and narrow objects for the few things that wait."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from pakhus.domain.content import (
    EMPTY,
    NO_FACTS,
    Asset,
    Attributes,
    Component,
    Coordinates,
    Digests,
    Facts,
    Query,
)
from pakhus.domain.security import Permission

if TYPE_CHECKING:
    from pakhus.kit.derived import Document

Headers = Mapping[str, str]
Model = TypeVar("Model")


class Settings(BaseModel):
    """A format's own options: top-level members of the repository's REST object, beside the common ones.

    Members are camelCase outside and snake_case inside; unknown ones are ignored, as Nexus does.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class SigningKeyPair(Settings):
    """A key that an administrator brings: a field of this type among a format's settings is taken into custody.

    `keypair` is an armored OpenPGP secret key. Neither member is ever shown again: the field reads as null.
    """

    keypair: str = ""
    passphrase: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A request, as far as a format may know it.

    `path` is decoded and canonical, without leading slash and relative to the repository. `link` gives the absolute
    URL of such a path in the repository that the client addressed, through the mount that it used. `accept` is the
    one of the document's media types that the client gets (for a `File`: its Accept header). `source` is, in `parse`,
    the URL from which the body came. `pairs` is the query with names that stand there more than once.
    """

    repository: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    accept: str
    settings: Any
    link: Callable[[str], str]
    source: str = ""
    method: str = "GET"
    pairs: Sequence[tuple[str, str]] = ()

    def __getitem__(self, name: str) -> str:
        return self.params[name]

    def at(self, path: str, params: Mapping[str, str]) -> Context:
        return replace(self, path=path, params=params)


@dataclass(frozen=True, slots=True)
class Content:
    """What the engine found for a path; digests are `None` while a proxy's first copy is still arriving."""

    content_type: str
    size: int | None
    digests: Digests | None
    attributes: Attributes
    modified: datetime | None = None


class Draft(Protocol):
    """A body that has been received and is not yet kept. `open` reads it from the start; seekable."""

    @property
    def size(self) -> int: ...
    @property
    def digests(self) -> Digests: ...
    def open(self) -> BinaryIO: ...
    async def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Deposit:
    """A file that enters a hosted repository: a draft, the bytes of a small file, or an asset that there is already.

    Whoever hands over an asset has seen it in the name of the actor (`Hosted.visible`).
    """

    path: str
    body: Draft | bytes | Asset
    coordinates: Coordinates | None = None
    facts: Facts = NO_FACTS
    content_type: str = ""
    references: tuple[str, ...] = ()
    rewritable: bool = False


@dataclass(frozen=True, slots=True)
class Annotation:
    """A change of a component's attributes, computed from those it has when the transaction holds them.

    `update` returns all attributes, or `None` to remove a component without assets. The component is made when it is
    missing and `update` returns something. `path` is what content selectors are asked about, where the component's
    name is not how its paths begin.
    """

    coordinates: Coordinates
    update: Callable[[Attributes], Attributes | None]
    path: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """A path, or all that a component has, leaves the repository; refused while others refer to it, if so asked."""

    path: str | None = None
    coordinates: Coordinates | None = None
    unreferenced: bool = False


Change = Deposit | Annotation | Removal


class Uploads(Protocol):
    """Bodies that come in several requests. `path` is what the upload is for; all but `begin` raise `NoSuchUpload`."""

    async def begin(self, path: str) -> str:
        """A new upload; its id."""
        ...

    async def size(self, path: str, id: str) -> int:
        """How many bytes have been received."""
        ...

    async def append(self, path: str, id: str, chunks: AsyncIterable[bytes], *, start: int | None = None) -> int:
        """Add bytes; how many there are then. Raises `UploadOutOfOrder` when they are not to begin at `start`."""
        ...

    def complete(self, path: str, id: str) -> AbstractAsyncContextManager[Draft]:
        """The whole body, to be deposited inside; afterwards the upload is over."""
        ...

    async def cancel(self, path: str, id: str) -> None: ...


class Hosted(Protocol):
    """What an action may do in a hosted repository, in the name of the actor who called it."""

    @property
    def settings(self) -> Any: ...

    @property
    def uploads(self) -> Uploads: ...

    async def visible(self, path: str, *, outside: bool = False) -> Asset | None:
        """What a GET by the actor would find in the repository that the client addressed, a group perhaps.

        An `outside` path is in the client's terms, as it stands in a URL of the mount that it used: it may lead to
        another repository of the format.
        """
        ...

    async def hold(self, asset: Asset) -> bool:
        """Keep an expendable asset from being swept, for a while; false when it is gone."""
        ...

    async def draft(self, chunks: AsyncIterable[bytes], *, limit: int | None = None) -> Draft:
        """Receive a body to disk, hashing it."""
        ...

    async def deposit(self, *changes: Change) -> None:
        """Apply all changes in one transaction, or none: permission, policies and references are checked here."""
        ...

    async def drop(self, files: Mapping[str, Draft | bytes], *, content_type: str = "") -> None:
        """Store files as if each was PUT to its path: identified, inspected, verified; one transaction."""
        ...

    async def find(self, query: Query) -> Sequence[Component]: ...
    async def asset(self, path: str) -> Asset | None: ...
    async def read(self, path: str, *, limit: int) -> bytes | None:
        """The bytes of a small asset."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """What a short-lived token may do at most: permissions below an `outside` path, or on exactly that one.

    A path that ends with a slash is a folder.
    """

    path: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """A token for what the actor may of the scopes it asked for, and for how many seconds.

    `offline` is a long-lived one that is good for another `grant` and nothing else; empty for anonymous.
    """

    token: str
    seconds: int
    scopes: Sequence[Scope]
    offline: str = ""


class Entrance(Protocol):
    """What an action may do that needs no repository."""

    @property
    def user(self) -> str | None:
        """Who asks, `None` for anonymous."""
        ...

    @property
    def identified(self) -> bool:
        """Did the request bring credentials? Those of an anonymous token count."""
        ...

    async def grant(
        self, scopes: Sequence[Scope], *, username: str = "", password: str = "", offline: str = ""
    ) -> Granted:
        """A token for the actor, or for whom these credentials speak of, narrowed to what it may of these scopes."""
        ...

    def repositories(self, path: str) -> Sequence[str]:
        """The repositories of the format that a mount leads to and in which the actor may read a path."""
        ...

    async def model_of(self, repository: str, document: Document[Model]) -> Model | None:
        """The document in one of these repositories; `None` where it cannot be had."""
        ...


class View(Entrance, Protocol):
    """What an action may see in a repository of any type."""

    async def has(self, path: str) -> bool:
        """Would a GET of this path by this actor find something?"""
        ...

    async def model(self, document: Document[Model], **params: str) -> Model | None:
        """The document's model in this repository, whatever its type."""
        ...

    async def relay(self, path: str, body: bytes, headers: Headers) -> Sequence[Reply]:
        """POST to the upstream of this repository, or of each of its members.

        Empty for hosted ones; an upstream that cannot be asked is left out.
        """
        ...

    async def login(self, username: str, password: str, *, label: str) -> str:
        """A new token of the user, named `label`. Raises `Unauthenticated`."""
        ...

    async def logout(self, token: str) -> None: ...


class Upstream(Protocol):
    """What `origin` may ask of the upstream of its proxy."""

    @property
    def url(self) -> str:
        """The remote URL as it was configured: some protocols are given the URL of a document, not of a folder."""
        ...

    async def model(self, document: Document[Model], **params: str) -> Model:
        """The parsed document, read through the cache. Raises `NotFound` when upstream has none."""
        ...

    async def find(self, query: Query) -> Sequence[Component]:
        """What the proxy has kept."""
        ...

    async def fetch(self, path: str, *, limit: int) -> bytes | None:
        """GET a small thing that is not kept, a checksum say; `None` when upstream has none within `limit` bytes."""
        ...

    async def post(self, path: str, body: bytes, headers: Headers) -> bytes: ...


class Signer(Protocol):
    """What signs the files of a document set: every key that the repository signs with at this moment (OpenPGP).

    To be used in `dump` only, which runs in a thread.
    """

    @property
    def moment(self) -> datetime:
        """When the set is published."""
        ...

    def clear(self, text: bytes) -> bytes:
        """The text in the cleartext signature framework (RFC 9580, section 7), signed by every key."""
        ...

    def detached(self, data: bytes) -> bytes:
        """An armored detached signature with a packet of every key."""
        ...

    def public(self, *, armored: bool) -> bytes:
        """The keys with which all this is verified."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request that an action handles. `body` streams; header names are lower case; `size` is the declared length."""

    method: str
    ctx: Context
    headers: Headers
    body: AsyncIterator[bytes]
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`reason` are the words after the status: some clients show their user nothing else."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UploadedAsset:
    """A file of a REST upload: the name of its part, its file name, and the fields that belong to it."""

    part: str
    filename: str
    draft: Draft
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """A REST upload: `fields` belong to the component. Names come without the format's prefix."""

    fields: Mapping[str, str]
    assets: Sequence[UploadedAsset]


__all__ = [
    "EMPTY",
    "Annotation",
    "Attributes",
    "Call",
    "Change",
    "Content",
    "Context",
    "Deposit",
    "Draft",
    "Entrance",
    "Form",
    "Granted",
    "Headers",
    "Hosted",
    "Model",
    "Removal",
    "Reply",
    "Scope",
    "Settings",
    "Signer",
    "SigningKeyPair",
    "UploadedAsset",
    "Uploads",
    "Upstream",
    "View",
]
