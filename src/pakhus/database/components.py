"""Components: versions of packages, and packages themselves, with what their format knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, String, bindparam, cast, delete, exists, func, insert, or_, select, update

from pakhus.database import assets
from pakhus.database.narrowing import within
from pakhus.database.tables import asset, component
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Attributes, Component, Coordinates, Query
from pakhus.domain.security import Reach

PAGE = 500
_TOKEN = re.compile(r"(\d+)|([^\d.\-_+~]+)")

_INSERT = insert(component).returning(component.c.id)
_KNOWN = select(component.c.id, component.c.attributes).where(
    component.c.repository_id == bindparam("repository"),
    component.c.namespace == bindparam("namespace"),
    component.c.name == bindparam("name"),
    component.c.version == bindparam("version"),
)


@dataclass(frozen=True, slots=True)
class Version:
    """What a format says of a version: is it a pre-release."""

    prerelease: bool = False
    published: datetime | None = None


def order_of(version: str) -> str:
    """A text that sorts versions of any format nearly as their own rules do: for lists that mix formats.

    Numbers sort by value and after the end, words before it, so that 1.0-rc1 < 1.0 < 1.0.1.
    """
    if not version:
        return ""
    words = ["n" + number.zfill(12) if number else "a" + word.lower() for number, word in _TOKEN.findall(version)]
    return " ".join([*words, "m"])


def put(tx: Transaction, repository_id: int, coordinates: Coordinates, facts: Attributes, version: Version) -> int:
    """Insert the component, or merge `facts` over what is known of it. Its identity."""
    sought = {
        "repository": repository_id,
        "namespace": coordinates.namespace,
        "name": coordinates.name,
        "version": coordinates.version,
    }
    known = tx.execute(_KNOWN, sought).first()
    if known is None:
        return _insert(tx, repository_id, coordinates, facts, version)
    values: dict[str, Any] = {"updated": tx.now}
    if facts:
        values["attributes"] = {**known.attributes, **facts}
    if version.published is not None:
        values["published"] = version.published
    tx.execute(update(component).where(component.c.id == known.id).values(**values))
    return int(known.id)


def annotate(
    tx: Transaction, repository_id: int, coordinates: Coordinates, attributes: Attributes | None, version: Version
) -> None:
    """Replace the attributes; `None` removes a component that has no assets."""
    known = tx.one(_where(select(component.c.id), repository_id, coordinates))
    if attributes is None:
        if known is not None:
            prune(tx, known.id)
    elif known is None:
        _insert(tx, repository_id, coordinates, attributes, version)
    else:
        tx.execute(
            update(component).where(component.c.id == known.id).values(attributes=dict(attributes), updated=tx.now)
        )


def attributes_of(tx: Transaction, repository_id: int, coordinates: Coordinates) -> Attributes:
    row = tx.one(_where(select(component.c.attributes), repository_id, coordinates))
    return {} if row is None else dict(row.attributes)


def reorder(tx: Transaction, facts: Sequence[tuple[int, str, bool]]) -> None:
    """Write anew what lists sort and filter by: (identity, version, is it a pre-release)."""
    statement = (
        update(component)
        .where(component.c.id == bindparam("component"))
        .values(version_order=bindparam("order"), prerelease=bindparam("pre"))
    )
    if facts:
        tx.execute(statement, [{"component": id, "order": order_of(version), "pre": pre} for id, version, pre in facts])


def prune(tx: Transaction, component_id: int) -> bool:
    """Remove the component unless it still has assets."""
    statement = delete(component).where(
        component.c.id == component_id, ~exists().where(asset.c.component_id == component_id)
    )
    return tx.execute(statement).rowcount > 0


def find(tx: Transaction, repository_id: int, repository: str, query: Query) -> list[Component]:
    """The components that a query selects, with their assets, in the order of their making."""
    if query.packages:
        return _packages(tx, repository_id, repository, query)
    statement = _filtered(select(component), repository_id, query).order_by(component.c.id)
    if query.limit is not None:
        statement = statement.limit(query.limit)
    rows = tx.rows(statement)
    found = assets.of_components(tx, repository, [row.id for row in rows]) if query.assets else {}
    return [from_row(row, repository, found) for row in rows]


def each(tx: Transaction, repository_id: int, repository: str, query: Query) -> Iterator[Component]:
    """What `find` gives, without a limit, a page at a time: for repositories that are read as a whole."""
    after = 0
    while True:
        statement = _filtered(select(component), repository_id, query).where(component.c.id > after)
        rows = tx.rows(statement.order_by(component.c.id).limit(PAGE))
        found = assets.of_components(tx, repository, [row.id for row in rows]) if query.assets else {}
        yield from (from_row(row, repository, found) for row in rows)
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def by_id(tx: Transaction, repository_id: int, repository: str, component_id: int) -> Component | None:
    row = tx.one(select(component).where(component.c.repository_id == repository_id, component.c.id == component_id))
    if row is None:
        return None
    return from_row(row, repository, assets.of_components(tx, repository, [row.id]))


def exactly(tx: Transaction, repository_id: int, repository: str, coordinates: Coordinates) -> Component | None:
    row = tx.one(_where(select(component), repository_id, coordinates))
    return None if row is None else from_row(row, repository, assets.of_components(tx, repository, [row.id]))


def page(
    tx: Transaction, repository_id: int, repository: str, *, after: int, limit: int, reach: Reach = True
) -> list[Component]:
    """Components with assets within reach, and maybe more, by identity, from the one after `after`."""
    seen = has_assets() if reach is True else has_assets().where(within(asset.c.path, reach, tx.dialect))
    statement = (
        select(component)
        .where(component.c.repository_id == repository_id, component.c.id > after, seen)
        .order_by(component.c.id)
        .limit(limit)
    )
    rows = tx.rows(statement)
    found = assets.of_components(tx, repository, [row.id for row in rows])
    return [from_row(row, repository, found) for row in rows]


def has_assets() -> Any:
    """Components without assets are packages, not versions: lists leave them out."""
    return exists().where(asset.c.component_id == component.c.id)


def _packages(tx: Transaction, repository_id: int, repository: str, query: Query) -> list[Component]:
    columns = (component.c.namespace, component.c.name)
    statement = _filtered(
        select(
            *columns, func.min(component.c.created).label("created"), func.max(component.c.updated).label("updated")
        ),
        repository_id,
        query,
    )
    statement = statement.where(has_assets()).group_by(*columns).order_by(component.c.name, component.c.namespace)
    if query.limit is not None:
        statement = statement.limit(query.limit)
    return [
        Component(0, repository, Coordinates(row.name, "", row.namespace), {}, (), row.created, row.updated)
        for row in tx.rows(statement)
    ]


def _filtered(statement: Select[Any], repository_id: int, query: Query) -> Select[Any]:
    statement = statement.where(component.c.repository_id == repository_id)
    for column, wanted in (
        (component.c.namespace, query.namespace),
        (component.c.name, query.name),
        (component.c.version, query.version),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    for name, value in query.attributes.items():
        statement = statement.where(component.c.attributes[name].as_string() == str(value))
    for word in (query.text or "").lower().split():
        needle = f"%{escape_like(word)}%"
        statement = statement.where(
            or_(
                func.lower(component.c.name).like(needle, escape="\\"),
                func.lower(component.c.namespace).like(needle, escape="\\"),
                func.lower(cast(component.c.attributes, String)).like(needle, escape="\\"),
            )
        )
    return statement


def escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _insert(tx: Transaction, repository_id: int, coordinates: Coordinates, facts: Attributes, version: Version) -> int:
    row = {
        "repository_id": repository_id,
        "namespace": coordinates.namespace,
        "name": coordinates.name,
        "version": coordinates.version,
        "version_order": order_of(coordinates.version),
        "prerelease": version.prerelease,
        "attributes": dict(facts),
        "published": version.published,
        "created": tx.now,
        "updated": tx.now,
    }
    return int(tx.execute(_INSERT, row).scalar_one())


def _where(statement: Select[Any], repository_id: int, coordinates: Coordinates) -> Select[Any]:
    return statement.where(
        component.c.repository_id == repository_id,
        component.c.namespace == coordinates.namespace,
        component.c.name == coordinates.name,
        component.c.version == coordinates.version,
    )


def from_row(row: Row[Any], repository: str, found: Mapping[int, list[Any]]) -> Component:
    return Component(
        id=row.id,
        repository=repository,
        coordinates=Coordinates(row.name, row.version, row.namespace),
        attributes=row.attributes,
        assets=tuple(found.get(row.id, ())),
        created=row.created,
        updated=row.updated,
        published=row.published,
        prerelease=row.prerelease,
    )
