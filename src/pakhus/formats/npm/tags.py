"""Dist-tags, single versions and owners: small views of the packument, and the changes of tags.

Source: npm's registry API, "/-/package/{package}/dist-tags"; what `npm dist-tag` and `npm access` send.
"""

from __future__ import annotations

from collections.abc import Mapping

from pakhus.domain.content import Attributes
from pakhus.domain.errors import Forbidden, Invalid, NotFound
from pakhus.formats.npm.names import check_tag, coordinates, package_query
from pakhus.formats.npm.package import answer
from pakhus.formats.npm.packument import Package, Packument, linked
from pakhus.kit.context import Annotation, Call, Hosted, Reply, View
from pakhus.kit.wire import parse_json, read_body

MAX_BODY = 1 << 20


async def package(call: Call, view: View) -> Package:
    model = await view.model(Packument(), name=call.ctx["name"])
    if model is None:
        raise NotFound(f"there is no package {call.ctx['name']} here")
    return model


async def show_version(call: Call, view: View) -> Reply:
    """`GET /{name}/{version or tag}`."""
    manifest = (await package(call, view)).resolve(call.ctx["version"])
    if manifest is None:
        raise NotFound(f"version not found: {call.ctx['version']}")
    return answer(linked(call.ctx, manifest))


async def show_tags(call: Call, view: View) -> Reply:
    return answer((await package(call, view)).tags)


async def show_collaborators(call: Call, view: View) -> Reply:
    """User → what the package's owner may do; who else may is a matter of this server's roles."""
    owners = (await package(call, view)).about.get("maintainers")
    listed = owners if isinstance(owners, list) else []
    names = (owner.get("name") for owner in listed if isinstance(owner, Mapping))
    return answer({name: "write" for name in names if isinstance(name, str)})


async def show_visibility(call: Call, view: View) -> Reply:
    await package(call, view)
    return answer({"public": False})


async def set_tag(call: Call, hosted: Hosted) -> Reply:
    version = await _body(call)
    if not isinstance(version, str):
        raise Invalid("the body is not the text of a version")
    await _change(call, hosted, {call.ctx["tag"]: version})
    return answer({"ok": True}, 201)


async def set_tags(call: Call, hosted: Hosted) -> Reply:
    """POST adds tags, PUT also removes those that are not named."""
    tags = await _body(call)
    if not isinstance(tags, dict) or not all(isinstance(version, str) for version in tags.values()):
        raise Invalid("the body is not an object of tags and versions")
    await _change(call, hosted, tags, whole=call.method == "PUT")
    return answer({"ok": True}, 201)


async def remove_tag(call: Call, hosted: Hosted) -> Reply:
    name, tag = call.ctx["name"], call.ctx["tag"]
    if tag == "latest":
        raise Forbidden("the tag 'latest' cannot be removed; point it at another version")
    own = await hosted.find(package_query(name, ""))
    if not own or tag not in own[0].attributes.get("tags", {}):
        raise NotFound(f"{name} has no tag '{tag}'")
    await hosted.deposit(Annotation(coordinates(name), lambda held: _without(held, tag), name))
    return answer({"ok": True})


def _without(held: Attributes, tag: str) -> Attributes:
    return {**held, "tags": {other: version for other, version in held.get("tags", {}).items() if other != tag}}


async def _change(call: Call, hosted: Hosted, tags: Mapping[str, str], *, whole: bool = False) -> None:
    name = call.ctx["name"]
    for tag, version in tags.items():
        check_tag(tag)
        if not version or not await hosted.find(package_query(name, version)):
            raise NotFound(f"there is no {name}@{version} here")

    def update(held: Attributes) -> Attributes:
        before = held.get("tags", {})
        kept = {"latest": before["latest"]} if whole and "latest" in before else {} if whole else before
        return {**held, "tags": {**kept, **tags}}

    await hosted.deposit(Annotation(coordinates(name), update, name))


async def _body(call: Call) -> object:
    return parse_json(await read_body(call.body, limit=MAX_BODY))
