"""The packages of a recipe revision, with what their latest revisions say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pakhus.domain.content import Asset, Component, Query
from pakhus.domain.errors import Invalid, NotFound
from pakhus.formats.conan.info import summary
from pakhus.formats.conan.reference import BUILD_FILE, INFO, MANIFEST, REVISION, files_below, recipe_query, text
from pakhus.formats.conan.revisions import RecipeLatest
from pakhus.kit.context import Call, Context, Reply, View
from pakhus.kit.format import Document
from pakhus.kit.paths import template
from pakhus.kit.wire import dump_json, parse_json

Packages = Mapping[str, Mapping[str, Any]]
"""Package id → settings, options … of `info.summary`."""


class PackageSearch(Document[Packages]):
    path = REVISION + "/search"

    def select(self, ctx: Context) -> Query:
        return recipe_query(ctx.params)

    def build(self, ctx: Context, components: Iterable[Component]) -> Packages | None:
        folder = files_below(REVISION, ctx.params)
        assets = {a.path: a for component in components for a in component.assets if a.path.startswith(folder)}
        if not assets:
            return None
        return {package: summary(_info_text(info)) for package, info in sorted(_latest(assets).items())}

    def parse(self, ctx: Context, body: bytes) -> Packages:
        packages = parse_json(body)
        if not isinstance(packages, dict) or not all(isinstance(known, dict) for known in packages.values()):
            raise Invalid("these are not packages and what is known of them")
        return packages

    def merge(self, ctx: Context, models: Sequence[Packages]) -> Packages:
        return {package: known for model in reversed(models) for package, known in model.items()}

    def dump(self, ctx: Context, model: Packages) -> bytes:
        return dump_json(model)


def _latest(assets: Mapping[str, Asset]) -> Mapping[str, Asset]:
    """Package → the `conaninfo.txt` of its latest complete revision."""
    found: dict[str, tuple[datetime, Asset]] = {}
    for path, asset in assets.items():
        params = template(BUILD_FILE).match(path)
        if params is None or params["file"] != MANIFEST:
            continue
        info = assets.get(path[: -len(MANIFEST)] + INFO)
        package = params["package_id"]
        if info is not None and (package not in found or found[package][0] <= asset.updated):
            found[package] = (asset.updated, info)
    return {package: info for package, (_, info) in found.items()}


def _info_text(asset: Asset) -> str:
    return str(asset.attributes.get("info", ""))


async def search_latest(call: Call, view: View) -> Reply:
    """`GET …/search` without a revision: that of the latest one."""
    revisions = await view.model(RecipeLatest(), **reference_params(call.ctx))
    found = None
    if revisions:
        params = {**reference_params(call.ctx), "revision": revisions[0].name}
        found = await view.model(PackageSearch(), **params)
    if found is None:
        raise NotFound(f"Recipe not found: '{text(call.ctx.params)}'")
    return Reply(200, dump_json(found), {"content-type": "application/json"})


def reference_params(ctx: Context) -> dict[str, str]:
    return {part: ctx[part] for part in ("name", "version", "user", "channel")}
