"""What the format contract feeds on: for each format a module `tests.samples.<name>` with a `SAMPLE`.

A sample is two versions of one package and one version of another, as their client uploads them, and what must be
readable afterwards. The contract runs it in a hosted repository, through a proxy of it, a group and a nested group.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

Listing = Callable[[bytes], set[str]]
"""What a document names: versions, file names, tags … of its bytes."""

Links = Callable[[bytes], list[str]]
"""The absolute URLs that a document leads to."""


@dataclass(frozen=True)
class Request:
    """A request below a repository's URL; `path` is not percent-encoded, and may carry a query."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """One version: the requests that publish it, and the files that can be read then (path → bytes).

    `removal` takes it away again; its files are gone after that.
    """

    publish: Sequence[Request]
    files: Mapping[str, bytes]
    removal: Sequence[Request] = ()


@dataclass(frozen=True)
class Page:
    """A document. `names` of it must be `before` once all releases are there, `after` when `first` is removed again.

    `headers` go with the request (Accept). `links` are fetched; each must answer 200.
    """

    path: str
    names: Listing
    before: frozenset[str]
    after: frozenset[str]
    links: Links = lambda body: []
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """`first` and `second` are versions of one package, `other` is another package.

    `settings` are members of the REST bodies by type ("hosted", "proxy", "group"). `absent` is a path that has a route
    and nothing behind it. `big(n)` is a release with one file of about `n` bytes, where the format can carry that.
    `malformed` are requests that must be answered 4xx and store nothing. `replacing` publish other content in the place
    of `first`, in protocols that take the same content twice without a word.
    """

    format: str
    first: Release
    second: Release
    other: Release
    pages: Sequence[Page]
    absent: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    big: Callable[[int], Release] | None = None
    malformed: Sequence[Request] = ()
    replacing: Sequence[Request] = ()


def installed() -> list[str]:
    """The formats of the entry points: each must have a sample."""
    return sorted(entry.name for entry in entry_points(group="pakhus.formats"))


def sample(format: str) -> Sample:
    module = importlib.import_module(f"tests.samples.{format}")
    found = module.SAMPLE
    assert isinstance(found, Sample)
    return found
