"""What the gateway hands to the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor
from pakhus.kit.context import Headers


@dataclass(frozen=True, slots=True)
class Request:
    """A request for something in a repository. `path` is decoded and canonical; header names are lower case.

    `link` writes a path as a URL of the mount that the client used, `locate` reads the path of such a URL: the
    repository's name and the path in it. `pairs` is the query with names that stand there more than once.
    """

    repository: Repository
    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: AsyncIterator[bytes]
    size: int | None
    actor: Actor
    link: Callable[[str], str]
    locate: Callable[[str], tuple[str, str] | None] = lambda path: None
    pairs: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Entering:
    """A request to a mount, before any repository. `path` has no leading slash; links and `locate` are the mount's."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: AsyncIterator[bytes]
    size: int | None
    actor: Actor
    link: Callable[[str], str]
    locate: Callable[[str], tuple[str, str] | None]
    pairs: Sequence[tuple[str, str]]
