"""Promotion: components move from one hosted repository to another as they are, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from pakhus.database import assets, components, revisions
from pakhus.database.components import Version
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import Frozen, Offline, PolicyViolation
from pakhus.domain.freeze import is_frozen
from pakhus.domain.policies import delete_refusal, write_refusal
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission
from pakhus.engine import outdating
from pakhus.engine.content import Engine
from pakhus.engine.deposit import READ_ONLY, Place, require
from pakhus.kit.context import Removal


class Promotion:
    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def move(self, source: Repository, target: Repository, actor: Actor, moved: Sequence[Component]) -> None:
        """Blobs stay where they are: only rows move. Raises what a deposit there and a removal here would raise."""
        if is_frozen(self._engine.catalog.values):
            raise Frozen(READ_ONLY)
        for each in (source, target):
            if not each.online:
                raise Offline("Repository offline")
        here, there = self._engine.place(source, actor), self._engine.place(target, actor)
        await self._database.write(_move, here, there, moved)


def _move(tx: Transaction, here: Place, there: Place, moved: Sequence[Component]) -> None:
    sets = outdating.sets_of(here.format)
    coordinates = {each.coordinates for each in moved}
    removals = [Removal(coordinates=each) for each in coordinates]
    outdated = outdating.affected(tx, here.repository, sets, outdating.touched_by(tx, here.repository, removals))
    for component in moved:
        for asset in component.assets:
            _check(tx, here, there, asset)
            version = Version(component.prerelease, component.published)
            target = components.put(tx, there.repository.id, component.coordinates, component.attributes, version)
            assets.transfer(tx, asset, here.repository.name, there.repository, target)
        components.prune(tx, component.id)
    for place in (here, there):
        revisions.bump(tx, place.repository.id, coordinates)
    if sets:
        outdating.record(tx, here.repository, outdated)
        arrived = outdating.affected(tx, there.repository, sets, coordinates)
        outdating.record(tx, there.repository, arrived)


def _check(tx: Transaction, here: Place, there: Place, asset: Asset) -> None:
    known = assets.by_path(tx, there.repository.id, there.repository.name, asset.path)
    require(here, Permission.DELETE, asset.path)
    require(there, Permission.ADD if known is None else Permission.EDIT, asset.path)
    refusal = delete_refusal(here.repository, asset.path) or write_refusal(
        there.repository, asset.path, exists=known is not None, rewritable=False
    )
    if refusal is None and known is not None:
        refusal = f"{there.repository.name} has {asset.path} already"
    if refusal is not None:
        raise PolicyViolation(refusal)
