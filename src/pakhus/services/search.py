"""Search over all that the caller may browse: Nexus's parameters become conditions on components and assets."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pakhus.database import search
from pakhus.database.components import escape_like
from pakhus.database.search import Condition, Hits, Pattern, Scope
from pakhus.database.transaction import Database
from pakhus.domain.content import ALGORITHMS, Asset, Component
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission, Reach, reach
from pakhus.engine.catalog import Catalog
from pakhus.services.contents import LOOKED, BadToken, Page, members, visible, visible_asset
from pakhus.services.query import MANY, Term, keywords, parsed

PAGE = 50
MOST_SCOPES = 64
"""Alternatives in one statement."""
NOTHING = "Asset search returned no results"
SEVERAL = (
    "Search returned multiple assets, please refine search criteria to find a single asset or use the sort query "
    "parameter to retrieve the first result."
)
COMMON = {
    "group": "namespace",
    "name": "name",
    "version": "version",
    "group.raw": "namespace",
    "name.raw": "name",
    **{algorithm: algorithm for algorithm in ALGORITHMS},
    **{f"assets.attributes.checksum.{algorithm}": algorithm for algorithm in ALGORITHMS},
}
ATTRIBUTES = ("assets.attributes.", "attributes.")
Parameters = Mapping[str, str]


class Search:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def components(self, actor: Actor, parameters: Parameters) -> Page[Component]:
        """A page of components with all their assets."""
        return await self._page(actor, parameters, search.find_components, self._seen)

    async def assets(self, actor: Actor, parameters: Parameters) -> Page[Asset]:
        """A page of assets."""
        return await self._page(actor, parameters, search.find_assets, self._seen_asset)

    async def one_asset(self, actor: Actor, parameters: Parameters) -> Asset:
        """The only asset that is found, or with `sort` the first. Raises `NotFound`, or `Invalid` for several."""
        found: list[Asset] = []
        asked = dict(parameters)
        enough = 1 if parameters.get("sort") else 2
        while True:
            page = await self.assets(actor, asked)
            found.extend(page.items)
            if page.token is None or len(found) >= enough:
                break
            asked["continuationToken"] = page.token
        if not found:
            raise NotFound(NOTHING)
        if len(found) >= 2 and enough == 2:
            raise Invalid(SEVERAL)
        return found[0]

    async def suggest(self, actor: Actor, text: str, format: str, limit: int) -> list[Component]:
        """The first components whose words begin with, or have, the text: for those who are still typing."""
        asked = {"q": text, "format": format, "sort": "name"}
        found = await self.components(actor, {name: value for name, value in asked.items() if value})
        return list(found.items)[:limit]

    async def _page(
        self,
        actor: Actor,
        parameters: Parameters,
        find: Callable[..., Hits],
        seen: Callable[[Any, Hits, Actor], Any],
    ) -> Page[Any]:
        """What the actor may see of what is found, searching on until a page is full, or enough was looked at."""
        wanted = self._wanted(actor, parameters)
        if wanted is None:
            return Page((), None)
        found: list[Any] = []
        looked = 0
        while True:
            hits = await self._database.read(find, wanted, limit=PAGE - len(found))
            looked += len(hits.items)
            found.extend(each for item in hits.items if (each := seen(item, hits, actor)) is not None)
            if not hits.more:
                return Page(found, None)
            if len(found) >= PAGE or looked >= LOOKED:
                return Page(found, _token(hits.last, parameters))
            wanted = replace(wanted, after=hits.last)

    def _seen(self, found: Component, hits: Hits, actor: Actor) -> Component | None:
        """With the assets that the actor may browse, if it was not found by others alone."""
        shown = visible(found, self._catalog.get(found.repository), actor)
        if shown is None or hits.matching is None:
            return shown
        matching = hits.matching.get(found.id, frozenset())
        return shown if any(asset.id in matching for asset in shown.assets) else None

    def _seen_asset(self, found: Asset, hits: Hits, actor: Actor) -> Asset | None:
        return visible_asset(found, self._catalog.get(found.repository), actor)

    def _wanted(self, actor: Actor, parameters: Parameters) -> search.Search | None:
        """What is sought; `None` where nothing can be found."""
        common = tuple(_common(parameters))
        scopes = self._scopes(actor, self._repositories(actor, parameters), parameters)
        if not scopes:
            return None
        sort, descending = _order(parameters)
        return search.Search(
            scopes,
            common,
            prerelease=_truth(parameters.get("prerelease", "")),
            tags=tuple(parameters.get("tag", "").lower().split()),
            changed_since=_moment(parameters.get("lastBlobUpdated") or parameters.get("last_updated") or ""),
            sort=sort,
            descending=descending,
            after=_after(parameters),
        )

    def _repositories(self, actor: Actor, parameters: Parameters) -> list[Repository]:
        """Those that the caller may browse, of the wanted name and format; groups stand for their members."""
        named, format = parameters.get("repository", ""), parameters.get("format", "")
        if named:
            chosen = self._catalog.find(named)
            starts = [] if chosen is None else [chosen]
        else:
            starts = [each for each in self._catalog.everything() if not each.members]
        found = {each.id: each for start in starts for each in members(self._catalog, start, actor)}
        return [each for each in found.values() if not format or each.format == format.lower()]

    def _scopes(self, actor: Actor, repositories: Sequence[Repository], parameters: Parameters) -> tuple[Scope, ...]:
        """One scope for each way to narrow, and for each format whose parameters are asked for.

        No other format can meet those.
        """
        own = {name: self._of_format(name) for name in parameters}
        wanted = {name: places for name, places in own.items() if places}
        kinds: dict[tuple[str, Reach], list[int]] = {}
        for each in repositories:
            kind = (each.format if wanted else "", reach(actor, Permission.BROWSE, each))
            kinds.setdefault(kind, []).append(each.id)
        coarse = len(kinds) > MOST_SCOPES
        scopes = []
        for (format, paths), ids in (_merged(kinds) if coarse else kinds).items():
            if all(format in places for places in wanted.values()):
                conditions = (_condition(places[format], parameters[name]) for name, places in wanted.items())
                scopes.append(Scope(tuple(ids), tuple(conditions), paths, coarse))
        return tuple(scopes)

    def _of_format(self, parameter: str) -> dict[str, str]:
        """Format → place of a parameter that only some formats have."""
        if parameter in COMMON:
            return {}
        return {
            name: format.search[known]
            for name, format in self._catalog.formats.items()
            if (known := _spelling(parameter, name, format.segment or name, format.search)) is not None
        }


def _merged(kinds: Mapping[tuple[str, Reach], Sequence[int]]) -> dict[tuple[str, Reach], list[int]]:
    """So many ways to narrow are left to `visible`: one scope for each format."""
    found: dict[tuple[str, Reach], list[int]] = {}
    for (format, _), ids in kinds.items():
        found.setdefault((format, True), []).extend(ids)
    return found


def _spelling(parameter: str, format: str, segment: str, known: Mapping[str, str]) -> str | None:
    """A format's parameter, also where it is written as the full name of an attribute."""
    if parameter in known:
        return parameter
    for prefix in ATTRIBUTES:
        owner, _, name = parameter.removeprefix(prefix).partition(".")
        if parameter.startswith(prefix) and owner == format and name:
            return next((each for each in (f"{format}.{name}", f"{segment}.{name}") if each in known), None)
    return None


def _common(parameters: Parameters) -> list[Condition]:
    found = [_condition(COMMON[name], value) for name, value in parameters.items() if name in COMMON]
    terms = keywords(parameters.get("q") or parameters.get("keyword") or "")
    if terms:
        found.append(Condition("any", tuple(_pattern(term) for term in terms)))
    return found


def _condition(place: str, value: str) -> Condition:
    return Condition(place, tuple(_pattern(term) for term in parsed(value).terms))


def _pattern(term: Term) -> Pattern:
    if (plain := term.plain) is not None:
        return Pattern(plain)
    pieces = (("%" if text == MANY else "_") if wild else escape_like(text) for wild, text in term.pieces)
    return Pattern("".join(pieces), like=True)


def _truth(value: str) -> bool | None:
    return {"true": True, "false": False}.get(value.strip().lower())


def _moment(value: str) -> datetime | None:
    """A day or a time: what was changed since. Raises `Invalid`."""
    if not value.strip():
        return None
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise Invalid("is not a date", field="lastBlobUpdated") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _order(parameters: Parameters) -> tuple[str, bool]:
    """Sort key and direction: ascending unless said otherwise, but for versions. Unknown words are ignored."""
    sort = parameters.get("sort", "").lower()
    if sort not in search.SORTS:
        sort = ""
    direction = parameters.get("direction", "").lower()
    return sort, direction == "desc" if direction in ("asc", "desc") else sort == "version"


# -- continuation tokens -------------------------------------------------------------------------------------------


def _token(last: tuple[Any, ...], parameters: Parameters) -> str:
    text = json.dumps([_mark(parameters), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _after(parameters: Parameters) -> tuple[Any, ...]:
    """The key to go on after. Raises `BadToken` for a token of another search."""
    token = parameters.get("continuationToken", "")
    if not token:
        return ()
    try:
        mark, *last = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadToken("the continuation token is not one of this search") from error
    keys, (sort, _) = last[:-1], _order(parameters)
    fits = len(keys) == len(search.SORTS[sort]) and all(isinstance(key, str) for key in keys)
    if mark != _mark(parameters) or not fits or not last or not isinstance(last[-1], int):
        raise BadToken("the continuation token is not one of this search")
    return tuple(last)


def _mark(parameters: Parameters) -> str:
    """What tells one search from another."""
    asked = sorted((name, value) for name, value in parameters.items() if name != "continuationToken")
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
