"""The group source: members in order; the first one that has a file, the merge of all their documents.

A member that has not is skipped. One that could not be asked is skipped for ordinary documents, is an error for strict
ones, and turns a final "not found" of a file into an error: "I could not look" is not "it does not exist".
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from pakhus.domain.errors import Blocked, Unavailable
from pakhus.domain.repository import Repository
from pakhus.engine.found import Edition, Found, Visit
from pakhus.kit.context import Context
from pakhus.kit.format import Derived, DocumentSet, File


class Walk(Protocol):
    """How a group asks its members: through the engine, where permission, state and rules are checked."""

    def members(self, repository: Repository, ctx: Context, visit: Visit) -> Sequence[Repository]:
        """The members that the actor may read and that do not lie behind."""
        ...

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None: ...
    async def edition(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None: ...


class GroupSource:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        inside = visit.entering(repository.id)
        down: Exception | None = None
        for member in self._walk.members(repository, ctx, inside):
            try:
                found = await self._walk.file(member, route, ctx, inside)
            except Blocked:
                continue
            except Unavailable as error:
                down = down or error
                continue
            if found is not None:
                return found
        if down is not None:
            raise down
        return None

    async def document(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        editions, down = await self._editions(repository, document, ctx, visit.entering(repository.id))
        if not editions:
            return None

        async def model() -> Any:
            models = [model for edition in editions if (model := await edition.model()) is not None]
            if not models and down is not None:
                raise down
            if not models:
                return None
            if isinstance(document, DocumentSet):  # of all that the members have
                return await asyncio.to_thread(document.merge, ctx, models)
            return document.merge(ctx, models)

        version = hashlib.sha256("\n".join(edition.version for edition in editions).encode()).hexdigest()
        moments = [edition.modified for edition in editions if edition.modified is not None]
        fresh_for = min(edition.fresh_for for edition in editions)
        return Edition(f"{repository.id}.{version}", model, max(moments, default=None), fresh_for)

    async def _editions(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> tuple[list[Edition[Any]], Unavailable | None]:
        """What the members have, and why one of them could not be asked."""
        members = self._walk.members(repository, ctx, visit)
        answers = await asyncio.gather(
            *(self._walk.edition(member, document, ctx, visit) for member in members), return_exceptions=True
        )
        editions = []
        down: Unavailable | None = None
        for answer in answers:
            if isinstance(answer, Edition):
                editions.append(answer)
            elif isinstance(answer, Unavailable):
                down = down or answer
            elif answer is not None and not isinstance(answer, Blocked):
                raise answer
        if down is not None and (document.strict or not editions):
            raise down
        return editions, down
