"""Which document sets a change makes outdated: told to the publisher by events of the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pakhus.database import assets, components
from pakhus.database.transaction import Transaction
from pakhus.domain import events
from pakhus.domain.content import Coordinates
from pakhus.domain.repository import Repository
from pakhus.kit.context import Change, Removal
from pakhus.kit.format import DocumentSet, Format

Outdated = set[tuple[str, tuple[tuple[str, str], ...]]]


def sets_of(format: Format) -> list[DocumentSet[Any]]:
    return [route for route in format.routes if isinstance(route, DocumentSet)]


def affected(
    tx: Transaction, repository: Repository, sets: Sequence[DocumentSet[Any]], touched: Iterable[Coordinates]
) -> Outdated:
    """The sets that these components feed, as they are now."""
    found: Outdated = set()
    for coordinates in touched:
        component = components.exactly(tx, repository.id, repository.name, coordinates)
        if component is None:
            continue
        for each in sets:
            found |= {(each.path, tuple(sorted(params.items()))) for params in each.affected(component)}
    return found


def touched_by(tx: Transaction, repository: Repository, changes: Iterable[Change]) -> set[Coordinates]:
    """The components that changes are about to touch."""
    found = set()
    for change in changes:
        coordinates = change.coordinates
        if isinstance(change, Removal) and change.path is not None:
            asset = assets.by_path(tx, repository.id, repository.name, change.path)
            coordinates = None if asset is None else asset.coordinates
        if coordinates is not None:
            found.add(coordinates)
    return found


def folders(sets: Sequence[DocumentSet[Any]], outdated: Outdated) -> set[str]:
    """Where the files of these sets lie."""
    by_path = {each.path: each for each in sets}
    return {by_path[path].folder(dict(params)) for path, params in outdated}


def record(tx: Transaction, repository: Repository, outdated: Outdated) -> None:
    for path, params in sorted(outdated):
        tx.record(events.SET_OUTDATED, repository.name, route=path, params=dict(params))
