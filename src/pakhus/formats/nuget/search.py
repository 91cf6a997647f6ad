"""Search and autocomplete.

A group cannot merge the second pages of its members. So each member gives its first results up to the end of the page
that is asked for, and the page is cut from their union.
Source: NuGet's documentation, "Search" (`SearchQueryService`), "Autocomplete" (`SearchAutocompleteService`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import UpstreamRefused
from pakhus.formats.nuget import atom
from pakhus.formats.nuget.leaves import Leaf, leaves_of, ordered
from pakhus.formats.nuget.names import REGISTRATIONS, key
from pakhus.formats.nuget.registration import SEMVER2, read_leaf
from pakhus.formats.nuget.upstream import AUTOCOMPLETE_TYPES, SEARCH_TYPES, is_v2, members, query_age, resource
from pakhus.kit.context import Context, Upstream
from pakhus.kit.versions import nuget_key
from pakhus.kit.wire import dump_json, parse_json

MAX_TAKE, MAX_SKIP = 1000, 3000
DEFAULT_TAKE = 20
_TERM = re.compile(r'(?:(\w+):)?(?:"([^"]*)"|(\S+))')
_URLS = frozenset({"@id", "@type", "registration", "versions", "@context"})
EXTRA = ("title", "summary", "description", "tags", "authors", "owners", "packageTypes")


@dataclass(frozen=True, slots=True)
class Found:
    """A package that was found: its versions, the oldest first; the last one speaks for it.

    `told` are the members of the upstream's result; a hosted one is made of the entry.
    """

    leaves: tuple[Leaf, ...]
    told: Mapping[str, Any]

    @property
    def latest(self) -> Leaf:
        return self.leaves[-1]


@dataclass(frozen=True, slots=True)
class Results:
    found: tuple[Found, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search asks for."""

    text: str
    prerelease: bool
    semver2: bool
    type: str
    skip: int
    take: int

    @classmethod
    def read(cls, ctx: Context) -> Asked:
        """Of the URL's parameters, or of those that an action puts into the path."""
        told = dict(parse_qsl(ctx.params["terms"], keep_blank_values=True)) if "terms" in ctx.params else ctx.query
        return cls(
            told.get("q", "").strip(),
            told.get("prerelease", "").lower() == "true",
            told.get("semVerLevel", "").startswith("2"),
            told.get("packageType", ""),
            _number(told.get("skip", ""), 0, MAX_SKIP),
            _number(told.get("take", ""), DEFAULT_TAKE, MAX_TAKE),
        )

    def upstream(self, name: str = "q") -> str:
        """The parameters for an upstream: from the first result to the end of the page."""
        asked: dict[str, Any] = {name: self.text, "skip": 0, "take": min(self.skip + self.take, MAX_TAKE)}
        asked["prerelease"] = "true" if self.prerelease else "false"
        if self.semver2:
            asked["semVerLevel"] = "2.0.0"
        if self.type:
            asked["packageType"] = self.type
        return urlencode(asked)

    def admits(self, leaf: Leaf) -> bool:
        if not leaf.listed or (leaf.prerelease and not self.prerelease) or (leaf.semver2 and not self.semver2):
            return False
        types = leaf.entry.get("packageTypes") or [{"name": "Dependency"}]
        return not self.type or any(each.get("name", "").lower() == self.type.lower() for each in types)

    def matches(self, leaf: Leaf) -> bool:
        return all(_matches(leaf, field.lower(), (a or b).lower()) for field, a, b in _TERM.findall(self.text))

    def word(self) -> str | None:
        """One word for the database; the rest is looked for in what it finds."""
        words = [(a or b) for _, a, b in _TERM.findall(self.text)]
        return max((word for word in words if word.isalnum()), key=len, default=None)


def _number(written: str, default: int, most: int) -> int:
    return min(int(written), most) if written.isascii() and written.isdigit() and len(written) < 10 else default


def _text(leaf: Leaf, *members: str) -> str:
    found = []
    for member in members:
        value = leaf.entry.get(member, "")
        found.append(value if isinstance(value, str) else " ".join(map(str, value)))
    return " ".join(found).lower()


_FIELDS = {
    "id": ("id",),
    "title": ("title",),
    "description": ("description",),
    "summary": ("summary",),
    "tag": ("tags",),
    "tags": ("tags",),
    "author": ("authors",),
    "authors": ("authors",),
    "owner": ("owners", "authors"),
}


def _matches(leaf: Leaf, field: str, word: str) -> bool:
    if field == "packageid":
        return leaf.id.lower() == word
    if field == "version":
        return leaf.key == key(word)
    if field in _FIELDS:
        return word in _text(leaf, *_FIELDS[field])
    return word in _text(leaf, "id", "title", "description", "summary", "tags", "authors")


def grouped(leaves: Iterable[Leaf]) -> dict[str, list[Leaf]]:
    packages: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        packages.setdefault(leaf.id.lower(), []).append(leaf)
    return packages


class Search(atom.Fed[Results]):
    path = "v3/query"
    query: ClassVar[tuple[str, ...]] = ("q", "prerelease", "semVerLevel", "packageType", "skip", "take")

    def select(self, ctx: Context) -> Query:
        return Query(text=Asked.read(ctx).word())

    def build(self, ctx: Context, components: Iterable[Component]) -> Results:
        asked = Asked.read(ctx)
        found = []
        for held in grouped(leaf for leaf in leaves_of(components) if asked.admits(leaf)).values():
            matching = [leaf for leaf in held if asked.matches(leaf)]
            if matching:
                found.append(Found(tuple(matching), {}))
        found.sort(key=lambda each: _rank(asked, each))
        return Results(tuple(found), len(found))

    def parse(self, ctx: Context, body: bytes) -> Results:
        if atom.is_feed(body):
            packages = grouped(ordered(atom.read(ctx, body).leaves))
            found = tuple(Found(tuple(held), {}) for held in packages.values())
            return Results(found, len(found))
        document = members(parse_json(body), "a search result")
        results = document.get("data")
        if not isinstance(results, list):
            raise UpstreamRefused("the upstream's answer is not a search result")
        told = tuple(_read(ctx, each) for each in results)
        total = document.get("totalHits")
        return Results(told, total if isinstance(total, int) else len(told))

    def merge(self, ctx: Context, models: Sequence[Results]) -> Results:
        """Each package once; its newest version speaks for it, and the first member that has that one."""
        packages: dict[str, list[Found]] = {}
        given = 0
        for model in models:
            given += len(model.found)
            for each in model.found:
                packages.setdefault(each.latest.id.lower(), []).append(each)
        found = tuple(_joined(several) for several in packages.values())
        return Results(found, sum(model.total for model in models) - (given - len(found)))

    def dump(self, ctx: Context, model: Results) -> bytes:
        asked = Asked.read(ctx)
        cut = model.found[asked.skip : asked.skip + asked.take]
        return dump_json(
            {
                "@context": {"@vocab": "http://schema.nuget.org/schema#", "@base": ctx.link(f"{REGISTRATIONS}/")},
                "totalHits": model.total,
                "data": [result(ctx, each) for each in cut],
            }
        )

    def max_age(self, ctx: Context) -> float | None:
        return query_age(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        asked = Asked.read(ctx)
        if is_v2(ctx):
            return Origin(_v2(asked))
        return Origin(f"{await resource(upstream, SEARCH_TYPES)}?{asked.upstream()}")


class Terms(Search):
    """The same, asked for by an action: no client sees this path."""

    path = "v3/query/{terms}"
    query = ()


def _v2(asked: Asked) -> str:
    text = quote(asked.text.replace("'", "''"), safe="")
    prerelease = "true" if asked.prerelease else "false"
    latest = "IsAbsoluteLatestVersion" if asked.prerelease else "IsLatestVersion"
    return (
        f"Search()?$filter={latest}&searchTerm='{text}'&targetFramework=''&includePrerelease={prerelease}"
        f"&$skip=0&$top={min(asked.skip + asked.take, MAX_TAKE)}&semVerLevel=2.0.0"
    )


def _rank(asked: Asked, found: Found) -> tuple[int, int, str]:
    id, text = found.latest.id.lower(), asked.text.lower()
    return (0 if id == text else 1 if text and text in id else 2), len(id), id


def _joined(several: Sequence[Found]) -> Found:
    newest = max(several, key=lambda each: nuget_key(each.latest.key))
    return Found(tuple(ordered(leaf for each in several for leaf in each.leaves)), newest.told)


def _read(ctx: Context, told: Mapping[str, Any]) -> Found:
    known = {name: value for name, value in told.items() if name not in _URLS}
    versions = told.get("versions") or [{"version": told["version"]}]
    leaves = [
        read_leaf(ctx.source, {"catalogEntry": {**known, "version": each["version"]}})
        for each in versions
        if isinstance(each, Mapping)
    ]
    counted = {key(each["version"]): each.get("downloads", 0) for each in versions}
    leaves = [_counted(leaf, counted.get(leaf.key, 0)) for leaf in leaves]
    return Found(tuple(ordered(leaves)), known)


def _counted(leaf: Leaf, downloads: Any) -> Leaf:
    return Leaf(leaf.id, leaf.version, leaf.entry, downloads=downloads if isinstance(downloads, int) else 0)


def result(ctx: Context, found: Found) -> dict[str, Any]:
    """A package in the answer."""
    latest = found.latest
    place = ctx.link(f"{REGISTRATIONS}{SEMVER2}/{latest.id.lower()}")
    entry = latest.entry
    told = found.told or {
        **{name: entry[name] for name in EXTRA if name in entry},
        **{name: entry[name] for name in ("licenseUrl", "projectUrl", "iconUrl") if name in entry},
        "description": entry.get("description", ""),
        "authors": [each.strip() for each in str(entry.get("authors", "")).split(",") if each.strip()],
        "packageTypes": [
            {"name": each.get("name", "")} for each in entry.get("packageTypes") or ({"name": "Dependency"},)
        ],
        "totalDownloads": sum(leaf.downloads for leaf in found.leaves),
        "verified": False,
    }
    if entry.get("iconFile") and not found.told:
        told = {**told, "iconUrl": ctx.link(f"{latest.path.rpartition('/')[0]}/icon")}
    return {
        **told,
        "@id": f"{place}/index.json",
        "@type": "Package",
        "registration": f"{place}/index.json",
        "id": latest.id,
        "version": latest.version,
        "versions": [
            {"version": leaf.version, "downloads": leaf.downloads, "@id": f"{place}/{leaf.key}.json"}
            for leaf in found.leaves
        ],
    }


class Autocomplete(atom.Fed[tuple[str, ...]]):
    """Ids by their beginning (`q`), or the versions of one (`id`)."""

    path = "v3/autocomplete"
    query = ("q", "id", "prerelease", "semVerLevel", "packageType", "skip", "take")

    def select(self, ctx: Context) -> Query:
        if id := ctx.query.get("id"):
            return Query(name=id.lower())
        return Query(text=Asked.read(ctx).word())

    def build(self, ctx: Context, components: Iterable[Component]) -> tuple[str, ...]:
        asked = Asked.read(ctx)
        held = [leaf for leaf in leaves_of(components) if asked.admits(leaf)]
        if ctx.query.get("id"):
            return tuple(leaf.version.partition("+")[0] for leaf in held)
        packages = grouped(held)
        return tuple(leaves[-1].id for id, leaves in sorted(packages.items()) if asked.text.lower() in id)

    def parse(self, ctx: Context, body: bytes) -> tuple[str, ...]:
        if atom.is_feed(body):
            leaves = ordered(atom.read(ctx, body).leaves)
            if ctx.query.get("id"):
                return tuple(leaf.version for leaf in leaves if Asked.read(ctx).admits(leaf))
            return tuple(dict.fromkeys(leaf.id for leaf in leaves))
        found = members(parse_json(body), "a list of ids").get("data")
        if not isinstance(found, list):
            raise UpstreamRefused("the upstream's answer is not a list of ids")
        return tuple(each for each in found if isinstance(each, str))

    def merge(self, ctx: Context, models: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
        unique: dict[str, str] = {}
        for each in (each for model in models for each in model):
            unique.setdefault(each.lower(), each)
        return tuple(sorted(unique.values(), key=nuget_key if ctx.query.get("id") else str.lower))

    def dump(self, ctx: Context, model: tuple[str, ...]) -> bytes:
        if ctx.query.get("id"):
            return dump_json({"totalHits": len(model), "data": model})
        asked = Asked.read(ctx)
        return dump_json({"totalHits": len(model), "data": model[asked.skip : asked.skip + asked.take]})

    def max_age(self, ctx: Context) -> float | None:
        return query_age(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        asked = Asked.read(ctx)
        id = ctx.query.get("id")
        if is_v2(ctx):
            return Origin(atom.by_id(id) if id else _v2(asked))
        service = await resource(upstream, AUTOCOMPLETE_TYPES)
        return Origin(
            f"{service}?{asked.upstream()}&{urlencode({'id': id})}" if id else f"{service}?{asked.upstream()}"
        )


TERMS = Terms()
