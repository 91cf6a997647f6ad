"""`npm search`: packages by words and by `keywords:`, `author:`, `maintainer:`, `scope:`.

The registry pages; a group cannot merge the second pages of its members. So each member gives its first results up
to the end of the page that is asked for, and the page is cut from their union. Beyond what an upstream gives in one
answer (250), each member's own page is what there is.
Source: npm's registry API, "GET /-/v1/search".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import UpstreamDown
from pakhus.formats.npm.manifest import facts
from pakhus.formats.npm.names import full
from pakhus.formats.npm.packument import effective_tags, owners_of, stamp
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.wire import dump_json, parse_json

DEFAULT_SIZE = 20
MAX_SIZE = 250
WEIGHTS = ("quality", "popularity", "maintenance")
QUALIFIERS = ("keywords", "author", "maintainer", "scope", "not", "is", "boost-exact")
_QUALIFIER = re.compile(rf"(?:{'|'.join(QUALIFIERS)}):(\S*)")
_PERSON = re.compile(r"\s*([^<(]*?)\s*(?:<([^>]*)>)?\s*(?:\(([^)]*)\))?\s*")


@dataclass(frozen=True, slots=True)
class Results:
    """The model: result objects from `offset` on, and how many there are in all."""

    objects: Sequence[Mapping[str, Any]]
    total: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search text, taken apart."""

    words: tuple[str, ...]
    qualifiers: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str) -> Wanted:
        words, qualifiers = [], []
        for term in text.split():
            if _QUALIFIER.fullmatch(term):
                name, _, value = term.partition(":")
                qualifiers.append((name, value.lower()))
            else:
                words.append(term.lower().strip("\"'"))
        return cls(tuple(word for word in words if word not in ("", "*")), tuple(qualifiers))

    def matches(self, entry: Mapping[str, Any]) -> bool:
        text = " ".join((entry["name"], entry.get("description", ""), *entry.get("keywords", ()))).lower()
        return all(word in text for word in self.words) and all(self._is(entry, *q) for q in self.qualifiers)

    def _is(self, entry: Mapping[str, Any], qualifier: str, value: str) -> bool:
        if qualifier == "keywords":
            held = {keyword.lower() for keyword in entry.get("keywords", ())}
            return all(held & set(either.split("+")) for either in value.split(",") if either)
        if qualifier == "scope":
            return bool(entry["scope"].lower() == value.removeprefix("@"))
        if qualifier == "author":
            return value in entry.get("author", {}).get("name", "").lower()
        if qualifier == "maintainer":
            return any(value == owner["username"].lower() for owner in entry["maintainers"])
        return True


def page(ctx: Context) -> tuple[int, int]:
    """From, size."""
    return _number(ctx, "from", 0, 1 << 20), _number(ctx, "size", DEFAULT_SIZE, MAX_SIZE)


def _number(ctx: Context, name: str, default: int, most: int) -> int:
    written = ctx.query.get(name, "")
    return min(int(written), most) if written.isascii() and written.isdigit() and len(written) < 10 else default


class Search(Document[Results]):
    path = "-/v1/search"
    query = ("text", "from", "size", *WEIGHTS)

    def select(self, ctx: Context) -> Query:
        # One word narrows the search in the database; the others are looked for in what it finds.
        words = Wanted.read(ctx.query.get("text", "")).words
        return Query(text=max(words, key=len) if words else None)

    def build(self, ctx: Context, components: Iterable[Component]) -> Results:
        wanted = Wanted.read(ctx.query.get("text", ""))
        packages: dict[str, list[Component]] = {}
        for component in components:
            packages.setdefault(full(component.coordinates), []).append(component)
        entries = (_entry(name, held) for name, held in packages.items())
        found = [entry for entry in entries if entry and wanted.matches(entry)]
        found.sort(key=lambda entry: (*_rank(wanted, entry["name"]), entry["name"]))
        return Results([{"package": entry, **_score(position)} for position, entry in enumerate(found)], len(found))

    def parse(self, ctx: Context, body: bytes) -> Results:
        document = parse_json(body)
        if not isinstance(document, dict) or not isinstance(document.get("objects"), list):
            raise UpstreamDown("the upstream's answer is not a search result")
        objects = [found for found in document["objects"] if _name(found)]
        total = document.get("total")
        return Results(objects, total if isinstance(total, int) else len(objects), _upstream_page(ctx)[0])

    def merge(self, ctx: Context, models: Sequence[Results]) -> Results:
        start, size = page(ctx)
        deep = any(model.offset for model in models)
        unique: dict[str, Mapping[str, Any]] = {}
        given = 0
        for model in models:
            objects = _cut(model, start, size) if deep else model.objects
            given += len(objects)
            for found in objects:
                unique.setdefault(_name(found), found)
        repeated = given - len(unique)
        total = max(sum(model.total for model in models) - repeated, len(unique))
        return Results(list(unique.values()), total, start if deep else 0)

    def dump(self, ctx: Context, model: Results) -> bytes:
        objects = [{"score": _NO_SCORE, "searchScore": 0, **found} for found in _cut(model, *page(ctx))]
        # npm asks for the time of the answer; that of a kept answer would do no harm, but is nobody's to know.
        return dump_json({"objects": objects, "total": model.total, "time": stamp(datetime.now(UTC))})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        start, size = _upstream_page(ctx)
        weights = {name: ctx.query[name] for name in WEIGHTS if name in ctx.query}
        asked = {"text": ctx.query.get("text", ""), "size": size, "from": start, **weights}
        return Origin(f"{ctx.path}?{urlencode(asked)}")


_NO_SCORE = {"final": 0, "detail": dict.fromkeys(WEIGHTS, 0)}


def _upstream_page(ctx: Context) -> tuple[int, int]:
    start, size = page(ctx)
    return (0, start + size) if start + size <= MAX_SIZE else (start, size)


def _cut(model: Results, start: int, size: int) -> Sequence[Mapping[str, Any]]:
    first = max(start - model.offset, 0)
    return model.objects[first : first + size]


def _name(found: object) -> str:
    package = found.get("package") if isinstance(found, Mapping) else None
    name = package.get("name") if isinstance(package, Mapping) else None
    return name if isinstance(name, str) else ""


def _rank(wanted: Wanted, name: str) -> tuple[int, int]:
    """The name itself first, then names that have all words, then the rest; shorter names first."""
    if wanted.words and name.lower() == " ".join(wanted.words):
        return 0, 0
    return (1 if all(word in name.lower() for word in wanted.words) else 2), len(name)


def _score(position: int) -> dict[str, Any]:
    final = 1 / (1 + position)
    return {"score": {"final": final, "detail": dict.fromkeys(WEIGHTS, 1)}, "searchScore": final}


def _entry(name: str, held: Sequence[Component]) -> dict[str, Any] | None:
    """The `package` member of a result: what the latest version says."""
    versions = {c.version: c for c in held if c.version and c.assets}
    if not versions:
        return None
    own = next((c.attributes for c in held if not c.version), {})
    latest = versions[effective_tags(own.get("tags", {}), versions)["latest"]]
    manifest = latest.attributes.get("manifest", {})
    known = facts(manifest)
    owners = own.get("maintainers") or owners_of(latest)
    return {
        "name": name,
        "scope": latest.namespace or "unscoped",
        "version": latest.version,
        "description": known.get("description", ""),
        "keywords": known.get("keywords", []),
        "date": stamp(latest.published or latest.created),
        "links": _links(known, manifest),
        **({"author": _person(known["author"])} if "author" in known else {}),
        "publisher": {"username": latest.asset.uploader, "email": ""},
        "maintainers": [_owner(owner) for owner in owners if isinstance(owner, Mapping)],
    }


def _links(known: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    bugs = manifest.get("bugs")
    address = bugs.get("url") if isinstance(bugs, Mapping) else bugs
    links = {"homepage": known.get("homepage"), "repository": known.get("repository"), "bugs": address}
    return {name: link for name, link in links.items() if isinstance(link, str) and link}


def _person(text: str) -> dict[str, str]:
    found = _PERSON.fullmatch(text)
    if found is None:
        return {"name": text}
    return {key: part for key, part in zip(("name", "email", "url"), found.groups(), strict=True) if part}


def _owner(owner: Mapping[str, Any]) -> dict[str, str]:
    return {"username": str(owner.get("name") or owner.get("username") or ""), "email": str(owner.get("email") or "")}
