"""Removing recipes, revisions, packages and package revisions. Conan's clients take 200 for success, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pakhus.domain.errors import NotFound
from pakhus.formats.conan.reference import (
    BINARY,
    BUILD,
    RECIPE,
    REVISION,
    files_below,
    full_text,
    located,
    recipe_query,
)
from pakhus.kit.context import Call, Hosted, Removal, Reply

Wanted = Callable[[Mapping[str, str]], bool]


def everything(params: Mapping[str, str]) -> bool:
    return True


async def remove(hosted: Hosted, folder: str, params: Mapping[str, str], wanted: Wanted = everything) -> int:
    """Remove the files below `folder` that are `wanted` by the parameters of their paths; how many they were."""
    components = await hosted.find(recipe_query(params))
    paths = [asset.path for component in components for asset in component.assets if asset.path.startswith(folder)]
    gone = [path for path in paths if (found := located(path)) is not None and wanted(found)]
    if gone:
        await hosted.deposit(*(Removal(path=path) for path in gone))
    return len(gone)


def removing(template_text: str) -> Callable[[Call, Hosted], Awaitable[Reply]]:
    """The action that removes what a path of this template names."""

    async def run(call: Call, hosted: Hosted) -> Reply:
        if not await remove(hosted, files_below(template_text, call.ctx.params), call.ctx.params):
            raise NotFound(f"Not found: '{full_text(call.ctx.params)}'")
        return Reply(200)

    return run


remove_recipe = removing(RECIPE)
remove_revision = removing(REVISION)
remove_packages = removing(REVISION + "/packages")
remove_package = removing(BINARY)
remove_build = removing(BUILD)
