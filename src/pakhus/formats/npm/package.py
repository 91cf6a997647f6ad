"""What changes a package after its publication: deprecation, owners, unpublishing, and the PUT that may be any of it.

npm reads the packument, edits it and sends it back. A document that came through a group also has the versions, tags
and times of other members; and since it was read, something may have been published. So nothing is taken from the
document but its differences from what this repository holds.
Source: what libnpmpublish ("unpublish"), `npm deprecate` and `npm owner` send.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pakhus.domain.content import Attributes, Component
from pakhus.domain.errors import Invalid, NotFound
from pakhus.formats.npm.names import coordinates, package_query, version_of
from pakhus.formats.npm.packument import changed_at, effective_tags, owners_of
from pakhus.formats.npm.publish import MAX_DOCUMENT, chosen_tags, receive, releases, store, tags_of, versions_of
from pakhus.kit.context import Annotation, Call, Change, Hosted, Removal, Reply
from pakhus.kit.wire import dump_json, parse_json, read_body

JSON = {"content-type": "application/json"}


def answer(value: object, status: int = 200) -> Reply:
    return Reply(status, dump_json(value), JSON)


async def put(call: Call, hosted: Hosted) -> Reply:
    """A publication, or without tarballs a change of what is known."""
    name = call.ctx["name"]
    document, attachments = await receive(call, hosted)
    try:
        check_identity(name, document)
        new = await releases(name, document, attachments)
        if new:
            await store(hosted, name, new, chosen_tags(document, new))
        else:
            await amend(hosted, name, document)
    except BaseException:
        await attachments.cancel()
        raise
    return answer({"ok": True, "success": True, "id": name}, 201)


async def put_revision(call: Call, hosted: Hosted) -> Reply:
    """The same document with fewer versions or tags, or only its maintainers."""
    name = call.ctx["name"]
    document = parse_json(await read_body(call.body, limit=MAX_DOCUMENT))
    if not isinstance(document, dict):
        raise Invalid("the body is not a package document")
    check_identity(name, document)
    await amend(hosted, name, document, revision=call.ctx["revision"])
    return answer({"ok": True, "id": name, "rev": call.ctx["revision"]}, 201)


def check_identity(name: str, document: Mapping[str, Any]) -> None:
    for member in ("name", "_id"):
        if document.get(member, name) != name:
            raise Invalid(f"the document is of '{document[member]}', its URL of '{name}'", field=member)


async def amend(hosted: Hosted, name: str, document: Mapping[str, Any], *, revision: str | None = None) -> None:
    """Apply the differences. Only with a revision do missing versions and tags mean that they shall go."""
    held = await hosted.find(package_query(name))
    versions = {c.version: c for c in held if c.version}
    own = next((c for c in held if not c.version), None)
    known = own.attributes if own else {}
    if not versions:
        raise NotFound(f"there is no package {name} here")
    gone = _missing(versions.values(), document, revision) if revision is not None else []
    changes: list[Change] = [Removal(coordinates=c.coordinates) for c in gone]
    left = {version: c for version, c in versions.items() if c not in gone}
    changes += _deprecations(name, left, versions_of(document))
    tags = _tag_changes(effective_tags(known.get("tags", {}), versions), left, document, whole=revision is not None)
    owners = _owner_change(document, known.get("maintainers") or owners_of(next(iter(versions.values()))))
    if not left:
        changes.append(Annotation(coordinates(name), lambda _: None, name))
    elif tags or owners is not None:
        changes.append(Annotation(coordinates(name), lambda attributes: _updated(attributes, tags, owners), name))
    if changes:
        await hosted.deposit(*changes)


def _missing(held: Iterable[Component], document: Mapping[str, Any], revision: str) -> list[Component]:
    """The versions that the client has taken out: those it cannot have seen are not among them."""
    if "versions" not in document:
        return []
    kept, seen_until = versions_of(document), changed_at(revision)
    return [c for c in held if c.version not in kept and c.created <= seen_until]


def _deprecations(name: str, held: Mapping[str, Component], stated: Mapping[str, Mapping[str, Any]]) -> list[Change]:
    changes: list[Change] = []
    for version, component in held.items():
        if version not in stated:
            continue
        reason = stated[version].get("deprecated") or ""
        if reason is True:
            reason = "this version is deprecated"
        if not isinstance(reason, str):
            raise Invalid("'deprecated' is not a text", field="deprecated")
        if reason != (component.attributes.get("deprecated") or ""):
            changes.append(Annotation(component.coordinates, _setting("deprecated", reason), name))
    return changes


def _setting(member: str, value: object) -> Any:
    return lambda attributes: {**attributes, member: value}


def _tag_changes(
    now: Mapping[str, str], left: Mapping[str, Component], document: Mapping[str, Any], *, whole: bool
) -> dict[str, str | None]:
    """Tag → its new version, `None` for a tag that goes. Tags of versions that are not here belong to others."""
    if "dist-tags" not in document:
        return {}
    wanted = tags_of(document)
    changes: dict[str, str | None] = {t: v for t, v in wanted.items() if v in left and now.get(t) != v}
    if whole:
        changes |= dict.fromkeys(now.keys() - wanted.keys() - {"latest"}, None)
    return changes


def _owner_change(document: Mapping[str, Any], now: Sequence[Any]) -> list[Any] | None:
    wanted = document.get("maintainers")
    if wanted is None or wanted == list(now):
        return None
    if not isinstance(wanted, list):
        raise Invalid("'maintainers' is not a list", field="maintainers")
    return wanted


def _updated(attributes: Attributes, tags: Mapping[str, str | None], owners: list[Any] | None) -> Attributes:
    merged = {**attributes.get("tags", {}), **tags}
    kept = {tag: version for tag, version in merged.items() if version is not None}
    return {**attributes, "tags": kept, **({"maintainers": owners} if owners is not None else {})}


async def delete_package(call: Call, hosted: Hosted) -> Reply:
    name = call.ctx["name"]
    held = await hosted.find(package_query(name))
    if not held:
        raise NotFound(f"there is no package {name} here")
    await hosted.deposit(
        *(Removal(coordinates=c.coordinates) for c in held if c.version),
        Annotation(coordinates(name), lambda _: None, name),
    )
    return answer({"ok": True})


async def delete_tarball(call: Call, hosted: Hosted) -> Reply:
    """The second step of `npm unpublish name@version`; the first, a PUT, has removed the version already."""
    name, file = call.ctx["name"], call.ctx["file"]
    version = version_of(name, file)
    if version and await hosted.find(package_query(name, version)):
        await hosted.deposit(Removal(coordinates=coordinates(name, version)))
    return answer({"ok": True})
