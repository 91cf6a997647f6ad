"""What a proxy wants of its upstream, and how it asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pakhus.domain.content import Asset
from pakhus.domain.repository import Remote, Repository
from pakhus.engine.found import Visit
from pakhus.kit.context import Context
from pakhus.kit.format import Document, File, Format

REFUSALS = frozenset({401, 402, 407, 408, 425, 429})
"""Statuses that say nothing of what upstream has, as all from 500 on."""


@dataclass(frozen=True, slots=True)
class Want:
    """One thing that a proxy wants from its upstream. `key` is the path under which the copy is kept."""

    repository: Repository
    remote: Remote
    format: Format
    route: File | Document[Any]
    ctx: Context
    key: str
    visit: Visit
    kept: Asset | None


def key_of(route: File | Document[Any], ctx: Context) -> str:
    """The path under which a proxy keeps a thing: with the parameters that change it."""
    return with_query(route, ctx, ctx.path)


def with_query(route: File | Document[Any], ctx: Context, location: str) -> str:
    if isinstance(route, File):
        return location
    asked = [(name, ctx.query[name]) for name in route.query if name in ctx.query]
    return f"{location}?{urlencode(asked)}" if asked else location


def document_age(want: Want) -> float:
    """How many minutes a document is kept, −1 for ever: as the format says, else as the repository does."""
    said = want.route.max_age(want.ctx) if isinstance(want.route, Document) else None
    return want.remote.metadata_max_age if said is None else said


def accepted(want: Want) -> dict[str, str]:
    accept = ", ".join(want.route.accept) if isinstance(want.route, File) else want.route.upstream_accept
    return {"accept": accept} if accept else {}


def request_headers(want: Want) -> dict[str, str]:
    """What to ask with: conditions where a copy is kept."""
    headers = accepted(want)
    if want.kept is not None and want.kept.kept is not None:
        if want.kept.kept.etag:
            headers["if-none-match"] = want.kept.kept.etag
        elif want.kept.kept.last_modified:
            headers["if-modified-since"] = want.kept.kept.last_modified
    return headers
