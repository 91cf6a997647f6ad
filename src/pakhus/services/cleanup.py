"""Cleanup policies: kept, previewed, and carried out on the repositories that name them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import re2
import structlog

from pakhus.database import cleanup, components, repositories
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.cleanup import ALL_FORMATS, CleanupPolicy, Matcher, retained, superfluous
from pakhus.domain.content import Component
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import NAME, NAME_RULE, Repository
from pakhus.domain.security import Actor, Grant
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.kit.context import Removal

log = structlog.get_logger()

SYSTEM = Actor("*TASK", (Grant.parse("*", privilege="nx-all", role="nx-admin"),))
"""Who does what the server does by itself."""

DUPLICATE = "Name is already used, must be unique (ignoring case)"
PAGE = 500
BATCH = 50
"""Components that leave in one transaction."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What left, or would leave; `bytes` counts what the components' assets are long."""

    components: int = 0
    bytes: int = 0

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(self.components + other.components, self.bytes + other.bytes)


class Cleanup:
    def __init__(self, database: Database, catalog: Catalog, engine: Engine, now: Callable[[], datetime]) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine
        self._now = now
        self.before: Callable[[], Awaitable[None]] = _nothing
        """Awaited before what was downloaded is asked for: counts that are still in memory are written."""

    # -- policies --------------------------------------------------------------------------------------------------

    async def everything(self) -> list[CleanupPolicy]:
        return await self._database.read(cleanup.everything)

    async def get(self, name: str) -> CleanupPolicy:
        for each in await self.everything():
            if each.name == name:
                return each
        raise NotFound(f"Cleanup policy '{name}' not found.")

    async def create(self, new: CleanupPolicy) -> None:
        self._check(new)
        await self._database.write(_create, new)

    async def update(self, name: str, changed: CleanupPolicy) -> None:
        await self.get(name)
        self._check(changed)
        if changed.name != name:
            raise Invalid("cannot change", field="name")
        if changed.format != ALL_FORMATS and (bad := self._of_other_formats(changed)):
            raise Invalid(
                f"You cannot change the format of a policy that is in use by {', '.join(bad)}", field="format"
            )
        await self._database.write(cleanup.put, changed)

    async def delete(self, name: str) -> None:
        """The policy goes, and its name from every repository."""
        await self.get(name)
        await self._database.write(_delete, name)
        await self._catalog.refresh()

    def users_of(self, name: str) -> list[Repository]:
        """The repositories that name the policy."""
        return [each for each in self._catalog.everything() if name in names_of(each)]

    def _of_other_formats(self, policy: CleanupPolicy) -> list[str]:
        return [each.name for each in self.users_of(policy.name) if not policy.applies_to(each.format)]

    def _check(self, policy: CleanupPolicy) -> None:
        if not NAME.match(policy.name):
            raise Invalid(NAME_RULE, field="name")
        if policy.format != ALL_FORMATS and policy.format not in self._catalog.formats:
            raise Invalid(f"specified format '{policy.format}' is not valid.", field="format")
        if not policy.has_criteria:
            raise Invalid("At least one criterion must be set.", field="criteria")
        if policy.asset_regex is not None:
            matcher(policy.asset_regex)

    # -- carrying out ----------------------------------------------------------------------------------------------

    async def run(self, *, stopped: Callable[[], bool] = lambda: False) -> Cleaned:
        """Every policy on every repository that names it."""
        total = Cleaned()
        for repository in self._catalog.everything():
            for policy in await self.policies_of(repository):
                if stopped():
                    return total
                total += await self.apply(policy, repository, stopped=stopped)
        return total

    async def policies_of(self, repository: Repository) -> list[CleanupPolicy]:
        """Those that the repository names, that exist, and that are for its format."""
        wanted = names_of(repository)
        if not wanted:
            return []
        return [each for each in await self.everything() if each.name in wanted and each.applies_to(repository.format)]

    async def apply(
        self, policy: CleanupPolicy, repository: Repository, *, stopped: Callable[[], bool] = lambda: False
    ) -> Cleaned:
        """Remove what the policy finds superfluous."""
        total = Cleaned()
        batch: list[Component] = []
        async for component in self.found(policy, repository):
            batch.append(component)
            if len(batch) == BATCH:
                total += await self._remove(repository, batch)
                batch = []
            if stopped():
                break
        total += await self._remove(repository, batch)
        if total.components:
            log.info("cleaned", repository=repository.name, policy=policy.name, components=total.components)
        return total

    async def dry(self, policy: CleanupPolicy, repository: Repository) -> Cleaned:
        """What `apply` would remove."""
        total = Cleaned()
        async for component in self.found(policy, repository):
            total += _size([component])
        return total

    async def found(self, policy: CleanupPolicy, repository: Repository) -> AsyncIterator[Component]:
        """The components that the policy finds superfluous, in the order of their making."""
        await self.before()
        matches = matcher(policy.asset_regex) if policy.asset_regex is not None else _everything
        kept = await self._retained(policy, repository)
        async for component in self._walk(repository):
            if component.id not in kept and superfluous(policy, component, now=self._now(), matches=matches):
                yield component

    async def _walk(self, repository: Repository) -> AsyncIterator[Component]:
        after = 0
        while True:
            page = await self._database.read(components.page, repository.id, repository.name, after=after, limit=PAGE)
            for component in page:
                after = component.id
                yield component
            if len(page) < PAGE:
                return

    async def _retained(self, policy: CleanupPolicy, repository: Repository) -> frozenset[int]:
        if policy.retain is None:
            return frozenset()
        names: dict[tuple[str, str], list[Component]] = {}
        async for component in self._walk(repository):
            names.setdefault((component.namespace, component.name), []).append(component)
        key = self._catalog.format(repository).version_key
        return frozenset[int]().union(*(retained(policy, versions, key) for versions in names.values()))

    async def _remove(self, repository: Repository, gone: Sequence[Component]) -> Cleaned:
        """In one transaction, or, where somebody was faster with one of them, one by one."""
        if not gone:
            return Cleaned()
        place = self._engine.place(repository, SYSTEM)
        try:
            await self._engine.depositor.apply(place, [_removal(path) for each in gone for path in _paths(each)])
        except NotFound:
            if len(gone) == 1:
                return Cleaned()
            total = Cleaned()
            for each in gone:
                total += await self._remove(repository, [each])
            return total
        return _size(gone)


async def _nothing() -> None: ...


def _everything(path: str) -> bool:
    return True


def matcher(expression: str) -> Matcher:
    """An expression in RE2's syntax, for paths with or without leading slash. Raises `Invalid`."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        compiled = re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise Invalid(f"is not a regular expression: {reason}", field="criteriaAssetRegex") from error
    return lambda path: bool(compiled.fullmatch(path) or compiled.fullmatch("/" + path))


def names_of(repository: Repository) -> tuple[str, ...]:
    """The names of the policies that a repository is to be cleaned by."""
    return tuple((repository.settings.get("cleanup") or {}).get("policyNames") or ())


def _paths(component: Component) -> list[str]:
    return [asset.path for asset in component.assets]


def _removal(path: str) -> Removal:
    return Removal(path=path)


def _size(gone: Sequence[Component]) -> Cleaned:
    return Cleaned(len(gone), sum(asset.blob.size for each in gone for asset in each.assets))


def _delete(tx: Transaction, name: str) -> None:
    """Settings are as they are kept, secrets sealed."""
    for each in repositories.everything(tx):
        if name in names_of(each):
            left = {"policyNames": [other for other in names_of(each) if other != name]}
            repositories.change(tx, each, {**each.settings, "cleanup": left})
    cleanup.remove(tx, name)


def _create(tx: Transaction, new: CleanupPolicy) -> None:
    if any(each.name.lower() == new.name.lower() for each in cleanup.everything(tx)):
        raise Invalid(DUPLICATE, field="name")
    cleanup.put(tx, new)
