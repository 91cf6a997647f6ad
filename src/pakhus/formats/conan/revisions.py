"""Which revisions there are, and which is the latest: of recipes, and of packages of a recipe revision.

`{"revision": …, "time": …}`, newest first. A revision's time is when its manifest arrived, the last file of an upload:
until then it is not listed, and uploading it again makes it the latest, as in conan_server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.conan.reference import BINARY, MANIFEST, RECIPE, files_below, recipe_query
from pakhus.kit.context import Context
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json


@dataclass(frozen=True, slots=True)
class Revision:
    name: str
    time: datetime


Revisions = tuple[Revision, ...]


def held(folder: str, components: Iterable[Component]) -> Revisions:
    """The complete revisions below `folder`, newest first."""
    prefix = f"{folder}revisions/"
    tail = f"/files/{MANIFEST}"
    found = []
    for component in components:
        for asset in component.assets:
            if asset.path.startswith(prefix) and asset.path.endswith(tail):
                name = asset.path[len(prefix) : -len(tail)]
                if "/" not in name:
                    found.append(Revision(name, asset.updated))
    return newest_first(found)


def newest_first(revisions: Iterable[Revision]) -> Revisions:
    """Each once, with the last of its times: then the latest of all is the latest of the latest of any part."""
    times: dict[str, datetime] = {}
    for each in revisions:
        times[each.name] = max(each.time, times.get(each.name, each.time))
    found = (Revision(name, time) for name, time in times.items())
    return tuple(sorted(found, key=lambda each: each.time, reverse=True))


def read(entry: Any) -> Revision:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("revision"), str):
        raise Invalid("this is not a revision and its time")
    time = datetime.fromisoformat(str(entry.get("time")))
    return Revision(entry["revision"], time if time.tzinfo else time.replace(tzinfo=UTC))


def written(revision: Revision) -> Mapping[str, str]:
    return {"revision": revision.name, "time": revision.time.astimezone(UTC).isoformat()}


class RecipeRevisions(Document[Revisions]):
    path = RECIPE + "/revisions"
    below = RECIPE

    def select(self, ctx: Context) -> Query:
        return recipe_query(ctx.params)

    def build(self, ctx: Context, components: Iterable[Component]) -> Revisions | None:
        return held(files_below(self.below, ctx.params), components) or None

    def parse(self, ctx: Context, body: bytes) -> Revisions:
        return newest_first(read(entry) for entry in parse_json(body)["revisions"])

    def merge(self, ctx: Context, models: Sequence[Revisions]) -> Revisions:
        return newest_first(each for model in models for each in model)

    def dump(self, ctx: Context, model: Revisions) -> bytes:
        return dump_json({"revisions": [written(each) for each in model]})


class RecipeLatest(RecipeRevisions):
    path = RECIPE + "/latest"

    def parse(self, ctx: Context, body: bytes) -> Revisions:
        return (read(parse_json(body)),)

    def dump(self, ctx: Context, model: Revisions) -> bytes:
        return dump_json(written(model[0]))


class PackageRevisions(RecipeRevisions):
    path = BINARY + "/revisions"
    below = BINARY


class PackageLatest(RecipeLatest):
    path = BINARY + "/latest"
    below = BINARY
