"""Searching components and assets of many repositories, page by page, by keys: no page costs more than the one before.

A `Place` names what is compared: `namespace`, `name`, `version`, `component.<attribute>`, `asset.<attribute>`, a digest
(`md5`, `sha1`, `sha256`, `sha512`), `prerelease`, `package.<attribute>` or `any` (the texts of a component).
Comparison ignores case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, tuple_

from pakhus.database import assets, components
from pakhus.database.keeping import tagged
from pakhus.database.narrowing import is_exact, within
from pakhus.database.tables import asset, blob, component, repository
from pakhus.database.transaction import Transaction
from pakhus.domain.content import ALGORITHMS, Asset, Component
from pakhus.domain.security import Reach

SORTS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "": (),
    "group": (component.c.namespace, component.c.name, component.c.version_order),
    "name": (component.c.name, component.c.namespace, component.c.version_order),
    "version": (component.c.version_order, component.c.namespace, component.c.name),
    "repository": (repository.c.name, component.c.namespace, component.c.name, component.c.version_order),
}
ESCAPE = "\\"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text in lower case to be equal to; or, with `like`, an SQL pattern escaped by backslashes."""

    text: str
    like: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the patterns matches at the place; without any, nothing is there."""

    place: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """Some repositories (identities), the conditions that hold in them, and the paths that may be seen there."""

    repositories: tuple[int, ...]
    conditions: tuple[Condition, ...] = ()
    reach: Reach = True
    coarse: bool = False
    """Not all of the reach may be seen: whoever reads tells."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is sought. Components that lie in one of the scopes and meet all conditions, in an order.

    `after` holds the sort keys and the identity of the last item of the page before.
    """

    scopes: tuple[Scope, ...]
    conditions: tuple[Condition, ...] = ()
    prerelease: bool | None = None
    tags: tuple[str, ...] = ()
    changed_since: datetime | None = None
    sort: str = ""
    descending: bool = False
    after: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of what was found, with the key of its last row; `more` when there are others.

    `matching` has, where the database could not tell alone what may be seen, the assets (identities) of each component
    that meet all conditions.
    """

    items: Sequence[Any]
    last: tuple[Any, ...]
    more: bool
    matching: Mapping[int, frozenset[int]] | None = None


def find_components(tx: Transaction, wanted: Search, *, limit: int) -> Hits:
    """Components with all their assets; conditions on assets hold for one of them at least."""
    of_assets = _conditions(wanted, tx.dialect, on_assets=True)
    statement = _selected(component, wanted, tx.dialect).add_columns(*component.c)
    if of_assets:
        inner = select(asset.c.id).join(blob, blob.c.id == asset.c.blob_id)
        statement = statement.where(inner.where(asset.c.component_id == component.c.id, *of_assets).exists())
    else:
        statement = statement.where(components.has_assets())
    rows, last, more = _page(tx, statement, wanted, component.c.id, limit)
    found: dict[int, list[Asset]] = {}
    for name in {row.repository for row in rows}:
        found |= assets.of_components(tx, name, [row.id for row in rows if row.repository == name])
    items: list[Component] = [components.from_row(row, row.repository, found) for row in rows]
    if all(is_exact(scope.reach, tx.dialect) and not scope.coarse for scope in wanted.scopes):
        return Hits(items, last, more)
    return Hits(items, last, more, _matching(tx, [row.id for row in rows], of_assets))


def _matching(
    tx: Transaction, components: Sequence[int], of_assets: Sequence[ColumnElement[bool]]
) -> dict[int, frozenset[int]]:
    statement = select(asset.c.id, asset.c.component_id).select_from(asset)
    statement = statement.join(blob, blob.c.id == asset.c.blob_id)
    statement = statement.join(component, component.c.id == asset.c.component_id)
    found: dict[int, set[int]] = {}
    for row in tx.rows(statement.where(asset.c.component_id.in_(components), *of_assets)):
        found.setdefault(row.component_id, set()).add(row.id)
    return {id: frozenset(assets) for id, assets in found.items()}


def find_assets(tx: Transaction, wanted: Search, *, limit: int) -> Hits:
    """Assets of such components which meet the conditions on assets themselves."""
    statement = _selected(asset, wanted, tx.dialect).add_columns(
        *assets.ASSET_COLUMNS, component.c.namespace, component.c.name, component.c.version
    )
    statement = statement.join(blob, blob.c.id == asset.c.blob_id).where(
        *_conditions(wanted, tx.dialect, on_assets=True)
    )
    rows, last, more = _page(tx, statement, wanted, asset.c.id, limit)
    return Hits([assets.from_row(row, row.repository) for row in rows], last, more)


def _selected(table: Any, wanted: Search, dialect: str) -> Select[Any]:
    """The repository's name and the sort keys of the rows that the conditions on components leave."""
    keys = [column.label(f"key{position}") for position, column in enumerate(SORTS[wanted.sort])]
    statement = select(repository.c.name.label("repository"), *keys).select_from(table)
    if table is asset:
        statement = statement.join(component, component.c.id == asset.c.component_id)
    statement = statement.join(repository, repository.c.id == component.c.repository_id)
    statement = statement.where(_in_scope(wanted.scopes, dialect), *_conditions(wanted, dialect, on_assets=False))
    if wanted.tags:
        inside = select(tagged.c.component_id).where(func.lower(tagged.c.tag).in_(wanted.tags))
        statement = statement.where(component.c.id.in_(inside))
    if wanted.changed_since is not None:
        statement = statement.where(component.c.updated >= wanted.changed_since)
    if wanted.prerelease is not None:
        statement = statement.where(component.c.prerelease.is_(wanted.prerelease))
    return statement


def _page(
    tx: Transaction, statement: Select[Any], wanted: Search, identity: ColumnElement[int], limit: int
) -> tuple[list[Any], tuple[Any, ...], bool]:
    keys = (*SORTS[wanted.sort], identity)
    if wanted.after:
        last = tuple_(*wanted.after)
        statement = statement.where(tuple_(*keys) < last if wanted.descending else tuple_(*keys) > last)
    order = [key.desc() if wanted.descending else key.asc() for key in keys]
    rows = tx.rows(statement.order_by(*order).limit(limit + 1))
    shown = rows[:limit]
    if not shown:
        return [], (), False
    end = shown[-1]
    key = tuple(end._mapping[f"key{position}"] for position in range(len(keys) - 1))
    return shown, (*key, end.id), len(rows) > limit


def _in_scope(scopes: Sequence[Scope], dialect: str, *, on_assets: bool = False) -> ColumnElement[bool]:
    """In one of the scopes, with its conditions on components or on assets."""
    alternatives = [
        and_(
            component.c.repository_id.in_(scope.repositories),
            *_compared(scope.conditions, on_assets=on_assets),
            *([within(asset.c.path, scope.reach, dialect)] if on_assets else []),
        )
        for scope in scopes
    ]
    return or_(false(), *alternatives)


def _conditions(wanted: Search, dialect: str, *, on_assets: bool) -> list[ColumnElement[bool]]:
    """The conditions for all scopes, and where some scope has one on assets, also those."""
    found = _compared(wanted.conditions, on_assets=on_assets)
    if on_assets and any(map(_looks_at_assets, wanted.scopes)):
        found.append(_in_scope(wanted.scopes, dialect, on_assets=True))
    return found


def _looks_at_assets(scope: Scope) -> bool:
    return scope.reach is not True or any(_is_of_asset(each.place) for each in scope.conditions)


def _compared(conditions: Sequence[Condition], *, on_assets: bool) -> list[ColumnElement[bool]]:
    return [_compare(each) for each in conditions if _is_of_asset(each.place) is on_assets]


def _is_of_asset(place: str) -> bool:
    return place in ALGORITHMS or place.startswith("asset.")


def _compare(condition: Condition) -> ColumnElement[bool]:
    if condition.place == "prerelease":
        wanted = [each.text in ("true", "1", "yes") for each in condition.patterns]
        return component.c.prerelease.in_(wanted or [False])
    if "package." in condition.place:
        named = or_(false(), *(_in_package(condition.place, each) for each in condition.patterns))
        return not_(named) if condition.place.startswith("not ") else named
    if condition.place == "any":
        return and_(*(_anywhere(pattern) for pattern in condition.patterns))
    column = _column(condition.place)
    if not condition.patterns:
        return func.coalesce(column, "") == ""
    listed = "." in condition.place
    return or_(*(_matches(column, pattern, listed=listed) for pattern in condition.patterns))


def _in_package(place: str, pattern: Pattern) -> ColumnElement[bool]:
    """Does the package itself name this version, under the pattern's text, in the object that the place means?"""
    package = component.alias()
    path = (place.partition("package.")[2], pattern.text)
    same = (package.c[name] == component.c[name] for name in ("repository_id", "namespace", "name"))
    named = package.c.attributes[path].as_string() == component.c.version
    return select(package.c.id).where(*same, package.c.version == "", named).exists()


def _anywhere(pattern: Pattern) -> ColumnElement[bool]:
    needle = pattern.text if pattern.like else components.escape_like(pattern.text)
    texts = (component.c.name, component.c.namespace, component.c.version, _attribute(component, "description"))
    return or_(*(func.lower(text).like(f"%{needle}%", escape=ESCAPE) for text in texts))


def _matches(column: ColumnElement[str], pattern: Pattern, *, listed: bool) -> ColumnElement[bool]:
    """Equality, or the pattern; in an attribute that is a list, one of its texts."""
    lowered = func.lower(column)
    if not pattern.like and not listed:
        return lowered == pattern.text
    needle = pattern.text if pattern.like else components.escape_like(pattern.text)
    whole = lowered.like(needle, escape=ESCAPE) if pattern.like else lowered == pattern.text
    if not listed:
        return whole
    alternatives = [whole, lowered.like(f'[%"{needle}"%]', escape=ESCAPE)]
    # SQLite shows a JSON truth value as a number.
    if pattern.text in ("true", "false"):
        alternatives.append(lowered == ("1" if pattern.text == "true" else "0"))
    return or_(*alternatives)


def _column(place: str) -> ColumnElement[str]:
    if place in ALGORITHMS:
        found: ColumnElement[str] = blob.c[place]
        return found
    owner, dot, name = place.partition(".")
    if dot:
        return _attribute(asset if owner == "asset" else component, name)
    column: ColumnElement[str] = component.c[place]
    return column


def _attribute(table: Any, name: str) -> ColumnElement[str]:
    """A member of the attributes, or of an object in them (`a.b`)."""
    path = tuple(name.split("."))
    found: ColumnElement[str] = table.c.attributes[path if len(path) > 1 else name].as_string()
    return found
