"""`cargo search`: crates by words in their name, description or keywords.

The API does not page for cargo: it asks for the first results, at most 100.
Source: the Cargo book, "Registry Web API" (Search).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import UpstreamDown
from pakhus.formats.cargo.index import CONFIG, Config
from pakhus.formats.cargo.names import folded
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.versions import semver_key, semver_prerelease
from pakhus.kit.wire import dump_json, parse_json

DEFAULT, MOST = 10, 100


@dataclass(frozen=True, slots=True)
class Results:
    """The model: the first `MOST` crates at most, and how many there are in all."""

    crates: Sequence[Mapping[str, Any]]
    total: int


class Search(Document[Results]):
    path = "api/v1/crates"
    query = ("q", "per_page")

    def select(self, ctx: Context) -> Query:
        # One word narrows the search in the database; the others are looked for in what it finds.
        return Query(text=max(_words(ctx), key=len, default=None))

    def build(self, ctx: Context, components: Iterable[Component]) -> Results:
        words = _words(ctx)
        crates: dict[str, list[Component]] = {}
        for component in components:
            if component.version and component.assets:
                crates.setdefault(component.name, []).append(component)
        found = [made for held in crates.values() if (made := _result(held, words))]
        found.sort(key=lambda one: (_rank(words, one["name"]), one["name"]))
        return Results(found[:MOST], len(found))

    def parse(self, ctx: Context, body: bytes) -> Results:
        stated = parse_json(body)
        crates = stated.get("crates") if isinstance(stated, dict) else None
        if not isinstance(crates, list):
            raise UpstreamDown("the upstream's answer is not a search result")
        known = [one for one in crates if isinstance(one, dict) and isinstance(one.get("name"), str)]
        meta = stated.get("meta")
        total = meta.get("total") if isinstance(meta, dict) else None
        return Results(known, total if isinstance(total, int) else len(known))

    def merge(self, ctx: Context, models: Sequence[Results]) -> Results:
        unique: dict[str, Mapping[str, Any]] = {}
        for model in models:
            for crate in model.crates:
                unique.setdefault(folded(crate["name"]), crate)
        repeated = sum(len(model.crates) for model in models) - len(unique)
        return Results(list(unique.values()), sum(model.total for model in models) - repeated)

    def dump(self, ctx: Context, model: Results) -> bytes:
        return dump_json({"crates": model.crates[: _size(ctx)], "meta": {"total": model.total}})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        config: Config = await upstream.model(CONFIG)
        asked = {"q": ctx.query.get("q", ""), "per_page": _size(ctx)}
        return Origin(f"{config.web(ctx.path)}?{urlencode(asked)}")


def _words(ctx: Context) -> list[str]:
    return ctx.query.get("q", "").lower().split()


def _size(ctx: Context) -> int:
    written = ctx.query.get("per_page", "")
    return min(int(written), MOST) if written.isascii() and written.isdigit() and len(written) < 10 else DEFAULT


def _result(held: Sequence[Component], words: Sequence[str]) -> dict[str, Any] | None:
    """The crate, if all words are somewhere in what its newest version says."""
    newest = max(held, key=_precedence)
    known = newest.attributes
    name = str(known.get("entry", {}).get("name", newest.name))
    text = " ".join((name, folded(name), known.get("description", ""), *known.get("keywords", ()))).lower()
    if not all(word in text for word in words):
        return None
    return {"name": name, "max_version": newest.version, "description": known.get("description")}


def _precedence(component: Component) -> tuple[bool, bool, Any]:
    """Yanked versions and prereleases only where there is nothing else."""
    version = component.version
    return not component.attributes.get("yanked"), not semver_prerelease(version), semver_key(version)


def _rank(words: Sequence[str], name: str) -> tuple[int, int]:
    """The name itself first, then names that have all words, then the rest; shorter names first."""
    if folded(name) == folded("-".join(words)):
        return 0, 0
    return (1 if all(word in name.lower() for word in words) else 2), len(name)
