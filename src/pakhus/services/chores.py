"""The kinds of tasks: Nexus's words for them, and what each does here. All of them are harmless when repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from pakhus.database import assets, components, revisions, tags, values
from pakhus.database.tasks import TaskRow
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import AssetNotFound, Invalid, NotFound
from pakhus.domain.repository import Repository
from pakhus.engine import outdating
from pakhus.engine.moving import Moving
from pakhus.engine.restore import Restore, Restored
from pakhus.engine.sweep import Swept
from pakhus.kit.context import Removal
from pakhus.services.cleanup import SYSTEM
from pakhus.services.services import Services
from pakhus.services.snapshots import Retention, superseded
from pakhus.services.tasks import Kind, Run, Setting, frequency_of
from pakhus.storage.store import BlobStore

PAGE = 500
NIGHTLY = "0 0 1 * * ?"
ALL = ("", "*")
REPOSITORY = Setting("repositoryName", "Repository", required=True, help="A repository's name, or * for all")
STORE = Setting("blobstoreName", "Blob store", required=True)
UNUSED = Setting("lastUsed", "Last used", required=True, help="Days since the last download")
REBUILT = {
    "repository.maven.rebuild-metadata": ("Maven - Rebuild metadata", "maven2"),
    "repository.apt.rebuild.metadata": ("Apt - Rebuild metadata", "apt"),
    "repository.yum.rebuild.metadata": ("Yum - Rebuild metadata", "yum"),
    "repository.npm.reindex": ("npm - Reindex", "npm"),
}


def kinds(services: Services) -> list[Kind]:
    """All kinds, over what the server has."""
    chores = Chores(services)
    days = Setting("snapshotRetentionDays", "Days a snapshot is kept in any case")
    return [
        Kind("blobstore.compact", "Admin - Compact blob store", chores.compact, (STORE,)),
        Kind("blobstore.delete-temp-files", "Admin - Delete temporary files", chores.drafts, (STORE,)),
        Kind("assetBlob.cleanup", "Admin - Delete unused blobs", chores.compact_all),
        Kind(
            "blobstore.rebuildComponentDB",
            "Repair - Reconcile component database from blob store",
            chores.reconcile,
            (STORE, Setting("dryRun", "Only count")),
        ),
        Kind("repository.cleanup", "Admin - Cleanup repositories using their associated policies", chores.cleanup),
        Kind("repository.purge-unused", "Repository - Delete unused components", chores.purge, (REPOSITORY, UNUSED)),
        Kind("repository.rebuild-index", "Repair - Rebuild repository search", chores.reindex, (REPOSITORY,)),
        Kind(
            "repository.move",
            "Admin - Change repository blob store",
            chores.move,
            (Setting("repositoryName", "Repository", required=True), STORE),
        ),
        Kind(
            "repository.maven.purge-unused-snapshots",
            "Maven - Delete unused SNAPSHOT",
            partial(chores.purge, snapshots=True),
            (REPOSITORY, UNUSED),
        ),
        Kind(
            "repository.maven.remove-snapshots",
            "Maven - Delete SNAPSHOT",
            chores.snapshots,
            (
                REPOSITORY,
                Setting("minimumRetained", "Snapshots that stay in any case", required=True),
                days,
                Setting("removeIfReleased", "Delete when released"),
                Setting("gracePeriodInDays", "Days after the release"),
            ),
        ),
        *(
            Kind(id, name, partial(chores.rebuild, format=format), (REPOSITORY,))
            for id, (name, format) in REBUILT.items()
        ),
        Kind(
            "tags.cleanup",
            "Admin - Cleanup tags",
            chores.tags,
            (Setting("firstCreatedDays", "Days since the making"), Setting("lastUpdatedDays", "Days since the change")),
        ),
    ]


async def first(services: Services) -> None:
    """A new server cleans up every night, as Nexus does."""
    if await services.database.read(values.get, "tasks"):
        return
    await services.database.write(values.put, "tasks", True)
    frequency = {"schedule": "cron", "cronExpression": NIGHTLY}
    row = TaskRow("", "repository.cleanup", "Cleanup service", True, {"frequency": frequency, "properties": {}})
    await services.tasks.create(row, frequency_of(row.definition))


@dataclass(frozen=True, slots=True)
class Chores:
    services: Services

    # -- blob stores -----------------------------------------------------------------------------------------------

    async def compact(self, run: Run) -> str:
        return _freed([await self._compacted(each) for each in self._stores(run)])

    async def compact_all(self, run: Run) -> str:
        return _freed([await self._compacted(each) for each in self.services.stores.everything()])

    async def _compacted(self, store: BlobStore) -> Swept:
        return await self.services.sweep.compact(store, now=self.services.now())

    async def drafts(self, run: Run) -> str:
        removed = [await store.sweep_drafts(timedelta(hours=1).total_seconds()) for store in self._stores(run)]
        return f"{sum(removed)} temporary files removed"

    async def reconcile(self, run: Run) -> str:
        restore = Restore(self.services.database, self.services.catalog)
        total = Restored()
        for store in self._stores(run):
            total += await restore.run(store, dry=run.truth("dryRun"), stopped=run.stopped)
        return (
            f"{total.assets} assets of {total.blobs} blobs restored, {total.taken} paths taken by others, "
            f"{total.foreign} assets of unknown repositories"
        )

    def _stores(self, run: Run) -> list[BlobStore]:
        name = run.text("blobstoreName")
        if name not in self.services.catalog.stores:
            raise Invalid(f"there is no blob store '{name}'", field="properties.blobstoreName")
        return [self.services.stores.get(each) for each in sorted(self.services.stores.homes(name))]

    async def move(self, run: Run) -> str:
        found = self._repositories(run)[0]
        target = run.text("blobstoreName")
        await self.services.repositories.change_store(found.name, target)
        moving = Moving(self.services.database, self.services.stores)
        return f"{await moving.run(found, target, stopped=run.stopped)} assets moved to {target}"

    # -- components ------------------------------------------------------------------------------------------------

    async def cleanup(self, run: Run) -> str:
        found = await self.services.cleanup.run(stopped=run.stopped)
        return f"{found.components} components removed, {found.bytes} bytes"

    async def purge(self, run: Run, *, snapshots: bool = False) -> str:
        """What was not downloaded for so many days; what was never downloaded counts from its coming."""
        limit = self.services.now() - timedelta(days=run.number("lastUsed", 0))
        await self.services.downloads.flush()

        def unused(asset: Asset) -> bool:
            return (asset.last_downloaded or asset.updated) <= limit and (not snapshots or _base(asset) is not None)

        return f"{await self._remove(run, unused)} assets removed"

    async def snapshots(self, run: Run) -> str:
        retention = Retention(
            run.number("minimumRetained", 1),
            timedelta(days=run.number("snapshotRetentionDays", 0)),
            run.truth("removeIfReleased"),
            timedelta(days=run.number("gracePeriodInDays", 0)),
        )
        removed = 0
        for repository in self._repositories(run):
            every = [component async for component in self._components(repository)]
            key = self.services.catalog.format(repository).version_key
            gone = superseded(every, retention, key, _base_of, now=self.services.now())
            removed += await self._away(repository, [asset for each in gone for asset in each.assets])
        return f"{removed} assets removed"

    async def reindex(self, run: Run) -> str:
        """Write anew what search and lists sort and filter by, as the formats now understand it."""
        number = 0
        for repository in self._repositories(run):
            format = self.services.catalog.format(repository)
            async for page in self._pages(repository):
                facts = [(each.id, each.version, format.prerelease(each.version)) for each in page]
                await self.services.database.write(components.reorder, facts)
                number += len(facts)
                if run.stopped():
                    break
        return f"{number} components indexed"

    async def rebuild(self, run: Run, *, format: str) -> str:
        """Whatever is derived from the components of these repositories is made anew."""
        found = [each for each in self._repositories(run) if each.format == format]
        for repository in found:
            async for page in self._pages(repository):
                await self.services.database.write(self._outdate, repository, page)
        return f"metadata of {len(found)} repositories rebuilt"

    def _outdate(self, tx: Transaction, repository: Repository, page: Sequence[Component]) -> None:
        touched = {each.coordinates for each in page}
        revisions.bump(tx, repository.id, touched)
        sets = outdating.sets_of(self.services.catalog.format(repository))
        outdating.record(tx, repository, outdating.affected(tx, repository, sets, touched))

    async def tags(self, run: Run) -> str:
        ages = [run.number(name, -1) for name in ("firstCreatedDays", "lastUpdatedDays")]
        if ages == [-1, -1]:
            raise Invalid("one of the ages is needed", field="properties.firstCreatedDays")
        limits = [None if age < 0 else self.services.now() - timedelta(days=age) for age in ages]
        return f"{await self.services.database.write(tags.purge, *limits)} tags removed"

    # -- walking ---------------------------------------------------------------------------------------------------

    def _repositories(self, run: Run) -> list[Repository]:
        """The named one, or all that hold something."""
        name = run.text("repositoryName")
        if name in ALL:
            return [each for each in self.services.catalog.everything() if not each.members]
        found = self.services.catalog.find(name)
        if found is None:
            raise NotFound(f"there is no repository '{name}'")
        return [found]

    async def _pages(self, repository: Repository) -> AsyncIterator[list[Component]]:
        after = 0
        while True:
            page = await self.services.database.read(
                components.page, repository.id, repository.name, after=after, limit=PAGE
            )
            if page:
                yield page
                after = page[-1].id
            if len(page) < PAGE:
                return

    async def _components(self, repository: Repository) -> AsyncIterator[Component]:
        async for page in self._pages(repository):
            for component in page:
                yield component

    async def _remove(self, run: Run, chosen: Callable[[Asset], bool]) -> int:
        removed = 0
        for repository in self._repositories(run):
            after = 0
            while not run.stopped():
                page = await self.services.database.read(
                    assets.page, repository.id, repository.name, after=after, limit=PAGE
                )
                removed += await self._away(repository, [each for each in page if chosen(each)])
                if len(page) < PAGE:
                    break
                after = page[-1].id
        return removed

    async def _away(self, repository: Repository, gone: Sequence[Asset]) -> int:
        place = self.services.engine.place(repository, SYSTEM)
        removed = 0
        for asset in gone:
            try:
                await self.services.engine.depositor.apply(place, [Removal(path=asset.path)])
            except AssetNotFound:
                continue
            removed += 1
        return removed


def _freed(swept: Sequence[Swept]) -> str:
    blobs = sum(each.blobs + each.strays for each in swept)
    return f"{blobs} blobs removed, {sum(each.bytes for each in swept)} bytes freed"


def _base(asset: Asset) -> str | None:
    """The version that a snapshot is of, where the format knows such."""
    base = asset.attributes.get("baseVersion")
    return base if isinstance(base, str) and base.endswith("-SNAPSHOT") else None


def _base_of(component: Component) -> str | None:
    return next((base for asset in component.assets if (base := _base(asset)) is not None), None)
