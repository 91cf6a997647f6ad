"""The blob stores of this server, opened once each."""

from __future__ import annotations

from collections.abc import Callable

from pakhus.database.repositories import StoreRow
from pakhus.domain.errors import Unavailable
from pakhus.engine.catalog import Catalog
from pakhus.storage.store import BlobStore


class Stores:
    """Opens a store when it is first needed, and again when its settings have changed."""

    def __init__(self, catalog: Catalog, make: Callable[[StoreRow], BlobStore]) -> None:
        self._catalog = catalog
        self._make = make
        self._open: dict[str, tuple[StoreRow, BlobStore]] = {}

    def get(self, name: str) -> BlobStore:
        row = self._catalog.stores.get(name)
        if row is None:
            raise Unavailable(f"Blob store {name} does not exist")
        held = self._open.get(name)
        if held is None or held[0] != row:
            held = (row, self._make(row))
            self._open[name] = held
        return held[1]

    def everything(self) -> list[BlobStore]:
        return [self.get(name) for name in self._catalog.stores]
