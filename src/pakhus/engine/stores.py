"""The blob stores of this server, opened once each; a group of them is where new blobs are shared out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from pakhus.database.repositories import StoreRow
from pakhus.domain.errors import PakhusError, QuotaExceeded, Unavailable
from pakhus.engine.catalog import Catalog
from pakhus.storage.store import BlobStore

GROUP = "Group"
ROUND_ROBIN, WRITE_TO_FIRST = "roundRobin", "writeToFirst"


class Stores:
    """Opens a store when it is first needed, and again when its settings have changed."""

    def __init__(self, catalog: Catalog, make: Callable[[StoreRow], BlobStore]) -> None:
        self._catalog = catalog
        self._make = make
        self._open: dict[str, tuple[StoreRow, BlobStore]] = {}
        self._turns = count()
        self.full: frozenset[str] = frozenset()
        """Stores beyond their quota, where that is to stop writers; set from outside."""

    def get(self, name: str) -> BlobStore:
        row = self._row(name)
        if row.type == GROUP:
            raise Unavailable(f"Blob store {name} is a group: it holds nothing itself")
        held = self._open.get(name)
        if held is None or held[0] != row:
            held = (row, self._make(row))
            self._open[name] = held
        return held[1]

    def writable(self, name: str) -> BlobStore:
        """The store that a new blob goes to: the named one, or a member of the group by its fill policy.

        Raises `QuotaExceeded` where quotas stop writers and no store is left.
        """
        row = self._row(name)
        if row.type != GROUP:
            if name in self.full:
                raise QuotaExceeded(f"Blob store {name} is beyond its quota")
            return self.get(name)
        refusal: PakhusError = Unavailable(f"Blob store {name} has no member that takes blobs")
        for member in self._in_turn(row.settings):
            try:
                return self.writable(member)
            except QuotaExceeded as error:
                refusal = error
            except (PakhusError, OSError):
                continue
        raise refusal

    def homes(self, name: str) -> frozenset[str]:
        """The stores in which blobs of this one may lie: itself, or all members of the group."""
        row = self._row(name)
        if row.type != GROUP:
            return frozenset({name})
        return frozenset(row.settings.get("members") or ())

    def _in_turn(self, settings: Mapping[str, Any]) -> Iterator[str]:
        members = list(settings.get("members") or ())
        if settings.get("fillPolicy") == ROUND_ROBIN and members:
            first = next(self._turns) % len(members)
            members = members[first:] + members[:first]
        yield from members

    def _row(self, name: str) -> StoreRow:
        row = self._catalog.stores.get(name)
        if row is None:
            raise Unavailable(f"Blob store {name} does not exist")
        return row

    def everything(self) -> list[BlobStore]:
        """Those that hold blobs."""
        return [self.get(name) for name, row in self._catalog.stores.items() if row.type != GROUP]
