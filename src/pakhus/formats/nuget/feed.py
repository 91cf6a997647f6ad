"""The version 2 feed: OData over the same packages, for nuget.exe up to 2.x, Chocolatey and PowerShellGet.

All of it is told from the documents of version 3, so it is the same in repositories of every type.
Source: NuGet's V2 feed as its clients use it; OData 2.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.security import Permission
from pakhus.formats.nuget import atom
from pakhus.formats.nuget.leaves import Leaf, ordered
from pakhus.formats.nuget.metadata import METADATA, SERVICE
from pakhus.formats.nuget.names import is_id, key
from pakhus.formats.nuget.odata import Filter, literal, named_id, sort
from pakhus.formats.nuget.registration import REGISTRATION, REGISTRATION_PAGE, SEMVER2
from pakhus.formats.nuget.search import MAX_TAKE, TERMS, grouped
from pakhus.kit.context import Call, Context, Reply, View
from pakhus.kit.format import ANY, Action
from pakhus.kit.versions import nuget_key

PAGE = 100
MAX_UPDATES = 1000
LEAF = "\0leaf"
"""Where a row keeps the leaf that it tells of: no property has such a name."""

Rows = list[dict[str, Any]]


async def versions(view: View, id: str) -> list[Leaf]:
    """All versions of a package, from the registration and its pages."""
    if not is_id(id):
        return []
    found = await view.model(REGISTRATION, hive=SEMVER2, id=id.lower())
    if found is None:
        return []
    leaves = found.leaves
    for page in found.pages:
        if page.leaves is None:
            params = {"hive": SEMVER2, "id": id.lower(), "lower": page.lower, "upper": page.upper}
            told = await view.model(REGISTRATION_PAGE, **params)
            leaves += (told.leaves or ()) if told else ()
    return ordered(leaves)


async def found(view: View, text: str, *, prerelease: bool) -> list[Leaf]:
    """What a search finds, every version of it, the best match first."""
    terms = {"q": text, "prerelease": str(prerelease).lower(), "semVerLevel": "2.0.0", "take": MAX_TAKE}
    results = await view.model(TERMS, terms=urlencode(terms))
    return [leaf for each in results.found for leaf in each.leaves] if results else []


def rows(ctx: Context, leaves: Iterable[Leaf]) -> Rows:
    """The properties of each version, in the given order of the packages."""
    semver2 = ctx.query.get("semVerLevel", "").startswith("2")
    told: Rows = []
    for held in grouped(leaf for leaf in leaves if semver2 or not leaf.semver2).values():
        listed = sorted((leaf for leaf in held if leaf.listed), key=lambda leaf: nuget_key(leaf.key))
        stable = [leaf for leaf in listed if not leaf.prerelease]
        for leaf in held:
            latest = bool(stable) and leaf is stable[-1]
            absolute = bool(listed) and leaf is listed[-1]
            told.append({**atom.properties(ctx, leaf, latest=latest, absolute=absolute), LEAF: leaf})
    return told


async def find_packages(call: Call, view: View) -> Reply:
    id = literal(call.ctx.query.get("id", ""))
    if not id:
        raise Invalid("FindPackagesById needs an id", field="id")
    return answer(call, "FindPackagesById", rows(call.ctx, await versions(view, id)))


async def search(call: Call, view: View) -> Reply:
    query = call.ctx.query
    prerelease = query.get("includePrerelease", "").strip("'").lower() == "true"
    return answer(
        call, "Search", rows(call.ctx, await found(view, literal(query.get("searchTerm", "")), prerelease=prerelease))
    )


async def packages(call: Call, view: View) -> Reply:
    """`Packages()`: what the filter selects of all packages, or of the one that it is about."""
    id = named_id(call.ctx.query.get("$filter", ""))
    leaves = await versions(view, id) if id else await found(view, "", prerelease=True)
    return answer(call, "Packages", rows(call.ctx, leaves))


async def package(call: Call, view: View) -> Reply:
    """`Packages(Id='…',Version='…')`: one entry."""
    keys = dict(part.split("=", 1) for part in call.ctx["keys"].split(",") if "=" in part)
    id, version = (literal(keys.get(name, "")) for name in ("Id", "Version"))
    told = rows(call.ctx.at(call.ctx.path, call.ctx.params), await versions(view, id))
    for row in told or rows(_all(call.ctx), await versions(view, id)):
        if key(row["Version"]) == key(version):
            entry = atom.write_entry(call.ctx, row.pop(LEAF), row, root=True)
            body = f'<?xml version="1.0" encoding="utf-8"?>\n{entry}'.encode()
            return conditional(call, body, atom.ENTRY_TYPE)
    raise NotFound(f"there is no package {id} {version}")


def _all(ctx: Context) -> Context:
    """A request for one version names it: then it is told whatever the client says of SemVer."""
    return Context(
        ctx.repository, ctx.path, ctx.params, {**ctx.query, "semVerLevel": "2.0.0"}, ctx.accept, ctx.settings, ctx.link
    )


async def updates(call: Call, view: View) -> Reply:
    """`GetUpdates()`: for each installed package the newer versions, or the newest one."""
    query = call.ctx.query
    ids = literal(query.get("packageIds", "")).split("|")[:MAX_UPDATES]
    installed = literal(query.get("versions", "")).split("|")
    flags = [query.get(name, "").lower() == "true" for name in ("includePrerelease", "includeAllVersions")]
    told: Rows = []
    for id, version in zip(ids, installed, strict=False):
        newer = [
            row
            for row in rows(call.ctx, await versions(view, id))
            if row["Listed"]
            and (flags[0] or not row["IsPrerelease"])
            and nuget_key(key(row["Version"])) > nuget_key(key(version))
        ]
        told += newer if flags[1] else newer[-1:]
    return answer(call, "GetUpdates", told)


def answer(call: Call, name: str, told: Rows) -> Reply:
    """The rows as the system query options want them: filtered, sorted, counted, cut."""
    query = call.ctx.query
    matches = Filter(query.get("$filter", "")).matches
    selected = sort([row for row in told if matches(row)], query.get("$orderby", ""))
    skip, top = _number(query.get("$skip", "0")), query.get("$top")
    wanted = selected[skip : skip + _number(top)] if top is not None else selected[skip:]
    if call.ctx.path.endswith("/$count"):
        return conditional(call, str(len(wanted)).encode(), "text/plain; charset=utf-8")
    entries = []
    for row in wanted[:PAGE]:
        properties = {each: value for each, value in row.items() if each != LEAF}
        entries.append(atom.write_entry(call.ctx, row[LEAF], properties))
    count = len(selected) if query.get("$inlinecount") == "allpages" else None
    body = atom.write_feed(call.ctx, name, entries, count=count, following=_following(call, skip, len(wanted)))
    return conditional(call, body, atom.MEDIA_TYPE)


def _following(call: Call, skip: int, count: int) -> str:
    """The URL of what does not fit on one page."""
    if count <= PAGE:
        return ""
    more = {**call.ctx.query, "$skip": str(skip + PAGE)}
    if "$top" in more:
        more["$top"] = str(count - PAGE)
    return f"{call.ctx.link(call.ctx.path)}?{urlencode(more)}"


def _number(written: str) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 10):
        raise Invalid("$skip and $top are numbers", field="$skip")
    return int(written)


def conditional(call: Call, body: bytes, kind: str) -> Reply:
    """The answer, or "not modified" to whoever has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:40]}"'
    headers = {"content-type": kind, "etag": etag, "dataserviceversion": "2.0;"}
    if etag in call.headers.get("if-none-match", ""):
        return Reply(304, b"", headers)
    return Reply(200, body, headers)


async def service(call: Call, view: View) -> Reply:
    base = call.ctx.link("")
    return conditional(call, SERVICE.format(base=atom.text(base)).encode(), "application/xml; charset=utf-8")


async def metadata(call: Call, view: View) -> Reply:
    return conditional(call, METADATA.encode(), "application/xml; charset=utf-8")


Run = Callable[[Call, View], Awaitable[Reply]]
CALL, COUNT = r"{call:(?:\(\))?}", r"{count:(?:/\$count)?}"
PATHS: Sequence[tuple[str, Run]] = (
    ("", service),
    ("$metadata", metadata),
    (f"FindPackagesById{CALL}{COUNT}", find_packages),
    (f"Search{CALL}{COUNT}", search),
    (f"GetUpdates{CALL}{COUNT}", updates),
    (f"Packages{CALL}{COUNT}", packages),
    ("Packages({keys:[^()]+})", package),
)
ROUTES = tuple(
    Action(method, path, run, on=ANY, needs=Permission.READ) for method in ("GET", "HEAD") for path, run in PATHS
)
