"""Version 1 of the protocol, for Conan 1 without revisions: views of what version 2 keeps.

Such a client asks for the URLs of the files and then goes there. It reads the latest revision; what it uploads is
revision `0`, its packages those of the latest recipe. So both kinds of clients share a repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pakhus.domain.errors import Invalid, NotFound
from pakhus.formats.conan.listing import Listing, PackageFiles, RecipeFiles
from pakhus.formats.conan.packages import reference_params
from pakhus.formats.conan.reference import (
    BUILD,
    MANIFEST,
    RECIPE,
    REFERENCE,
    REVISION,
    UNREVISED,
    check,
    files_below,
    full_text,
)
from pakhus.formats.conan.removal import remove
from pakhus.formats.conan.revisions import PackageLatest, RecipeLatest
from pakhus.kit.context import Call, Hosted, Reply, View
from pakhus.kit.paths import flaw
from pakhus.kit.wire import dump_json, parse_json, read_body

RECIPE_V1 = "v1/conans/" + REFERENCE
PACKAGE_V1 = RECIPE_V1 + "/packages/{package_id}"
MAX_BODY = 4 << 20


async def snapshot(call: Call, view: View) -> Reply:
    """File → MD5."""
    _, files = await _latest(call, view)
    return _json(files)


async def digest(call: Call, view: View) -> Reply:
    """The URL of the manifest."""
    folder, files = await _latest(call, view)
    if MANIFEST not in files:
        raise NotFound(f"Not found: the manifest of '{full_text(call.ctx.params)}'")
    return _json({MANIFEST: call.ctx.link(folder + MANIFEST)})


async def download_urls(call: Call, view: View) -> Reply:
    folder, files = await _latest(call, view)
    return _json({name: call.ctx.link(folder + name) for name in files})


async def recipe_upload_urls(call: Call, view: View) -> Reply:
    check(call.ctx.params)
    return await _upload_urls(call, files_below(REVISION, {**call.ctx.params, "revision": UNREVISED}))


async def package_upload_urls(call: Call, view: View) -> Reply:
    check(call.ctx.params)
    params = {**await _with_revision(call, view), "package_revision": UNREVISED}
    return await _upload_urls(call, files_below(BUILD, params))


async def _upload_urls(call: Call, folder: str) -> Reply:
    """`{file: size}` → `{file: URL}`."""
    wanted = await _body(call)
    for name in wanted:
        if not name or name.endswith("/") or flaw(name):
            raise Invalid(f"'{name}' is not the name of a file")
    return _json({name: call.ctx.link(f"{folder}files/{name}") for name in wanted})


async def remove_recipe(call: Call, hosted: Hosted) -> Reply:
    """All revisions, and all packages of each."""
    if not await remove(hosted, files_below(RECIPE, call.ctx.params), call.ctx.params):
        raise NotFound(f"Recipe not found: '{full_text(call.ctx.params)}'")
    return Reply(200)


async def remove_packages(call: Call, hosted: Hosted) -> Reply:
    """`{"package_ids": […]}` in all revisions of the recipe; an empty list means all."""
    wanted = frozenset(_texts(await _body(call), "package_ids"))

    def is_wanted(params: Mapping[str, str]) -> bool:
        return "package_id" in params and (not wanted or params["package_id"] in wanted)

    if not await remove(hosted, files_below(RECIPE, call.ctx.params), call.ctx.params, is_wanted):
        raise NotFound(f"Packages not found: '{full_text(call.ctx.params)}'")
    return Reply(200)


async def remove_files(call: Call, hosted: Hosted) -> Reply:
    """`{"files": […]}` of the recipe: the end of an upload, after which files of an earlier one are left over."""
    names = frozenset(_texts(await _body(call), "files"))
    folder = files_below(REVISION, {**call.ctx.params, "revision": UNREVISED})
    await remove(hosted, folder, call.ctx.params, lambda p: "package_id" not in p and p["file"] in names)
    return Reply(200)


async def _latest(call: Call, view: View) -> tuple[str, Listing]:
    """The folder and the files of the latest revision of the recipe or package that the path names."""
    params = await _with_revision(call, view)
    if "package_id" in params:
        built = await view.model(PackageLatest(), **params)
        params["package_revision"] = built[0].name if built else UNREVISED
        files, folder = await view.model(PackageFiles(), **params), files_below(BUILD, params)
    else:
        files, folder = await view.model(RecipeFiles(), **params), files_below(REVISION, params)
    if not files:
        raise NotFound(f"Not found: '{full_text(call.ctx.params)}'")
    return f"{folder}files/", files


async def _with_revision(call: Call, view: View) -> dict[str, str]:
    """The parameters of the path and the latest revision of its recipe."""
    revisions = await view.model(RecipeLatest(), **reference_params(call.ctx))
    if not revisions:
        raise NotFound(f"Recipe not found: '{full_text(call.ctx.params)}'")
    return {**call.ctx.params, "revision": revisions[0].name}


async def _body(call: Call) -> Mapping[str, Any]:
    document = parse_json(await read_body(call.body, limit=MAX_BODY))
    if not isinstance(document, dict):
        raise Invalid("the body is not an object")
    return document


def _texts(document: Mapping[str, Any], member: str) -> list[str]:
    found = document.get(member)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Invalid(f"'{member}' is not a list of texts", field=member)
    return found


def _json(value: object) -> Reply:
    return Reply(200, dump_json(value), {"content-type": "application/json"})
