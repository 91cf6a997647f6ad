"""What a proxy tells of a module: its versions, the latest one, and which version a branch or a commit is.

Source: Go modules reference, "GOPROXY protocol" and "Pseudo-versions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.go.names import CANONICAL, check_module, is_incompatible, unescape
from pakhus.kit.context import Context
from pakhus.kit.format import Document, Model
from pakhus.kit.versions import go_key, go_prerelease, go_pseudo
from pakhus.kit.wire import dump_json, parse_json

TEXT = "text/plain; charset=utf-8"
ZIP = ".zip"
_PSEUDO_END = re.compile(r"([0-9]{14})-([0-9a-f]{12})$")
_COMMIT = re.compile("[0-9a-f]{7,64}")

Revision = Mapping[str, Any]
"""A version as JSON: `Version`, `Time` (RFC 3339), perhaps `Origin`."""


class ModuleDocument(Document[Model]):
    """A document about one module."""

    def admit(self, ctx: Context) -> None:
        check_module(unescape(ctx["module"]))

    def select(self, ctx: Context) -> Query:
        return Query(name=unescape(ctx["module"]))


class VersionList(ModuleDocument[tuple[str, ...]]):
    """`@v/list`: the tagged versions, oldest first, without pseudo-versions."""

    path = "{module:path}/@v/list"
    media_types = (TEXT,)

    def build(self, ctx: Context, components: Iterable[Component]) -> tuple[str, ...] | None:
        found = downloadable(components)
        return ordered(each.version for each in found) if found else None

    def parse(self, ctx: Context, body: bytes) -> tuple[str, ...]:
        lines = (line.split() for line in body.decode("utf-8").splitlines())
        # A proxy may write a time behind each version.
        return ordered(words[0] for words in lines if words)

    def merge(self, ctx: Context, models: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        return ordered(version for model in models for version in model)

    def dump(self, ctx: Context, model: tuple[str, ...]) -> bytes:
        return "".join(f"{version}\n" for version in model).encode()


class Latest(ModuleDocument[Revision]):
    """`@latest`: what go takes when the list has nothing suitable."""

    path = "{module:path}/@latest"

    def build(self, ctx: Context, components: Iterable[Component]) -> Revision | None:
        found = max(downloadable(components), key=lambda each: preference(each.version), default=None)
        return None if found is None else revision_of(found)

    def parse(self, ctx: Context, body: bytes) -> Revision:
        return revision(body)

    def merge(self, ctx: Context, models: Sequence[Revision]) -> Revision:
        return max(models, key=lambda model: preference(model["Version"]))

    def dump(self, ctx: Context, model: Revision) -> bytes:
        return dump_json(model)


class RevisionQuery(ModuleDocument[Revision]):
    """`@v/{query}.info`, where the query is a branch, a commit or a tag: its version may be another tomorrow."""

    path = "{module:path}/@v/{query}.info"

    def build(self, ctx: Context, components: Iterable[Component]) -> Revision | None:
        """Only a commit can be known here, by the pseudo-versions."""
        query = ctx["query"]
        if not _COMMIT.fullmatch(query):
            return None
        found = [each for each in downloadable(components) if _is_of(each.version, query)]
        newest = max(found, key=lambda each: preference(each.version), default=None)
        return None if newest is None else revision_of(newest)

    def parse(self, ctx: Context, body: bytes) -> Revision:
        return revision(body)

    def merge(self, ctx: Context, models: Sequence[Revision]) -> Revision:
        return models[0]

    def dump(self, ctx: Context, model: Revision) -> bytes:
        return dump_json(model)


def revision(body: bytes) -> Revision:
    """A version's JSON. Raises `Invalid`."""
    found = parse_json(body)
    if not isinstance(found, dict) or not isinstance(found.get("Version"), str):
        raise Invalid("the JSON has no Version")
    return found


def revision_of(component: Component) -> Revision:
    return {"Version": component.version, "Time": component.attributes.get("time") or stamp(component.created)}


def downloadable(components: Iterable[Component]) -> list[Component]:
    """The versions whose zip is here: go could do nothing with others."""
    return [each for each in components if any(asset.path.endswith(ZIP) for asset in each.assets)]


def ordered(versions: Iterable[str]) -> tuple[str, ...]:
    """The canonical versions without pseudo-versions, each once, oldest first."""
    wanted = {each for each in versions if CANONICAL.fullmatch(each) and not go_pseudo(each)}
    return tuple(sorted(wanted, key=lambda each: (go_key(each), each)))


def preference(version: str) -> tuple[Any, ...]:
    """Greater is preferred: releases, then pre-releases, then pseudo-versions by their time.

    `+incompatible` versions stand below all that are in the modules' own terms.
    """
    if go_pseudo(version):
        time = commit_time(version)
        return 0, False, (time or datetime.min.replace(tzinfo=UTC), go_key(version))
    return 1 if go_prerelease(version) else 2, not is_incompatible(version), go_key(version)


def commit_time(version: str) -> datetime | None:
    """When the commit was made that a pseudo-version names."""
    found = _PSEUDO_END.search(version.partition("+")[0]) if go_pseudo(version) else None
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_of(version: str, commit: str) -> bool:
    found = _PSEUDO_END.search(version.partition("+")[0]) if go_pseudo(version) else None
    return found is not None and (commit.startswith(found[2]) or found[2].startswith(commit))
