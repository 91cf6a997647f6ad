"""Which files a recipe revision or a package revision has: `{"files": {name: {…}}}`.

Clients look at the names alone; the MD5 is for clients without revisions, which ask for it (see `v1`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.formats.conan.reference import BUILD, METADATA, REVISION, files_below, recipe_query
from pakhus.kit.context import Context
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json

Listing = Mapping[str, str]
"""File → MD5, empty where upstream does not tell."""


class RecipeFiles(Document[Listing]):
    path = REVISION + "/files"
    below = REVISION

    def select(self, ctx: Context) -> Query:
        return recipe_query(ctx.params)

    def build(self, ctx: Context, components: Iterable[Component]) -> Listing | None:
        folder = files_below(self.below, ctx.params) + "files/"
        assets = (asset for component in components for asset in component.assets)
        found = {a.path[len(folder) :]: a.blob.digests.md5 for a in assets if a.path.startswith(folder)}
        return dict(sorted(found.items())) or None

    def parse(self, ctx: Context, body: bytes) -> Listing:
        files = parse_json(body)["files"]
        if not isinstance(files, dict):
            raise Invalid("'files' is not an object")
        return {name.replace("\\", "/"): _md5(known) for name, known in files.items()}

    def merge(self, ctx: Context, models: Sequence[Listing]) -> Listing:
        """The first member's files: another one may have packed the same revision otherwise. Metadata only adds up."""
        more = {name: md5 for model in reversed(models) for name, md5 in model.items() if name.startswith(METADATA)}
        return {**more, **models[0]}

    def dump(self, ctx: Context, model: Listing) -> bytes:
        return dump_json({"files": {name: {"md5": md5} if md5 else {} for name, md5 in model.items()}})


class PackageFiles(RecipeFiles):
    path = BUILD + "/files"
    below = BUILD


def _md5(known: object) -> str:
    found = known.get("md5") if isinstance(known, Mapping) else None
    return found if isinstance(found, str) else ""
