"""All repositories and formats of this server, in memory; read again when the configuration's generation moves.

So are the server-wide settings (`values`) and the certificates that an administrator trusts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pakhus.database import certificates, repositories, values
from pakhus.database.repositories import StoreRow, described
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.domain.errors import Invalid, RepositoryNotFound
from pakhus.domain.outbound import outbound_of
from pakhus.domain.repository import Repository, RoutingRule
from pakhus.kit.context import Settings
from pakhus.kit.format import Format


@dataclass(frozen=True, slots=True)
class Port:
    """A port that leads to one repository."""

    repository: str
    tls: bool = False


class Catalog:
    """Repositories by name (as written, and ignoring case), formats by name, blob stores and routing rules."""

    def __init__(self, database: Database, vault: Vault, formats: Iterable[Format]) -> None:
        self._database = database
        self._vault = vault
        self.formats: Mapping[str, Format] = {format.name: format for format in formats}
        self._generation = -1
        self._repositories: dict[str, Repository] = {}
        self._options: dict[int, Settings] = {}
        self._rules: dict[str, RoutingRule] = {}
        self._stores: dict[str, StoreRow] = {}
        self.values: Mapping[str, Any] = {}
        """The server-wide settings by their keys, secrets sealed."""
        self.changed = asyncio.Event()
        """Is set once, when the next change has been read."""
        self.ports: Mapping[int, Port] = {}
        """The repositories that have a port to themselves."""
        self.labels: Mapping[str, str] = {}
        """The repositories, by name, that the first label of a Host leads to."""

    async def refresh(self) -> None:
        """Follow the configuration. Costs a look at a counter while nothing has changed."""
        generation = self._database.generation.configuration
        if generation == self._generation:
            return
        loaded, rules, stores, self.values, trusted = await self._database.read(_load)
        outbound = outbound_of(self._vault.open(self.values.get("http") or {}), trusted)
        opened = [outbound.applied(self._opened(each)) for each in loaded if each.format in self.formats]
        self._repositories = {each.name: each for each in opened}
        self._options = {each.id: self._validated(each) for each in self._repositories.values()}
        self._rules = {rule.name: rule for rule in rules}
        opened_stores = (replace(store, settings=self._vault.open(store.settings)) for store in stores)
        self._stores = {store.name: store for store in opened_stores}
        self._find_doors()
        self._generation = generation
        self.changed.set()
        self.changed = asyncio.Event()

    def _find_doors(self) -> None:
        ports: dict[int, Port] = {}
        labels: dict[str, str] = {}
        for each in self._repositories.values():
            if not each.online:
                continue
            doors = self.formats[each.format].doors(self._options[each.id])
            ports |= {port: Port(each.name) for port in doors.ports}
            ports |= {port: Port(each.name, tls=True) for port in doors.tls_ports}
            if doors.label:
                labels[doors.label.lower()] = each.name
        self.ports, self.labels = ports, labels

    def find(self, name: str) -> Repository | None:
        return self._repositories.get(name)

    def get(self, name: str) -> Repository:
        found = self._repositories.get(name)
        if found is None:
            raise RepositoryNotFound("Repository not found")
        return found

    def named(self, name: str) -> Repository | None:
        """The repository with this name in any case."""
        wanted = name.lower()
        return next((each for each in self._repositories.values() if each.name.lower() == wanted), None)

    def everything(self) -> list[Repository]:
        return list(self._repositories.values())

    def format(self, repository: Repository) -> Format:
        return self.formats[repository.format]

    def options(self, repository: Repository) -> Settings:
        """The format's own settings of a repository."""
        return self._options[repository.id]

    @property
    def rules(self) -> Mapping[str, RoutingRule]:
        return self._rules

    @property
    def stores(self) -> Mapping[str, StoreRow]:
        return self._stores

    def groups_of(self, name: str) -> list[Repository]:
        """The groups that name this repository as a member."""
        return [each for each in self._repositories.values() if name in each.members]

    def _opened(self, sealed: Repository) -> Repository:
        return described(
            sealed.name,
            sealed.format,
            sealed.type,
            self._vault.open(sealed.settings),
            id=sealed.id,
            rule=sealed.routing_rule,
            invalidated=sealed.invalidated,
        )

    def _validated(self, repository: Repository) -> Settings:
        model = self.formats[repository.format].options(repository.type)
        try:
            return model.model_validate(repository.settings)
        except ValueError as error:
            raise Invalid(f"settings of repository {repository.name} are not valid: {error}") from error


Loaded = tuple[list[Repository], list[RoutingRule], list[StoreRow], dict[str, Any], list[str]]


def _load(tx: Transaction) -> Loaded:
    return (
        repositories.everything(tx),
        repositories.routing_rules(tx),
        repositories.blob_stores(tx),
        values.everything(tx),
        [pem for _, pem in certificates.everything(tx)],
    )
