"""LDAP servers as an administrator sees them: made, changed, ordered, tried out."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pakhus.database import directories, values
from pakhus.database.directories import ServerRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.domain.errors import Invalid, NotFound
from pakhus.remote.ldap.client import DirectoryDown
from pakhus.services.identity.ldap.lookup import Lookup
from pakhus.services.identity.ldap.realm import CACHE, LdapRealm
from pakhus.services.identity.ldap.settings import LdapSettings, check
from pakhus.services.identity.realm import Listed

TRIED = 20
"""Users that are shown when a mapping is tried out."""


@dataclass(frozen=True, slots=True)
class Server:
    """`order` counts from one."""

    id: str
    order: int
    settings: LdapSettings


class LdapServers:
    def __init__(self, database: Database, vault: Vault, realm: LdapRealm) -> None:
        self._database = database
        self._vault = vault
        self._realm = realm

    async def everything(self) -> list[Server]:
        """In the order in which they are asked."""
        return [self._server(row) for row in await self._database.read(directories.servers)]

    async def get(self, name: str) -> Server:
        found = next((each for each in await self.everything() if each.settings.name == name), None)
        if found is None:
            raise NotFound(f"LDAP server '{name}' not found.")
        return found

    async def create(self, settings: LdapSettings) -> None:
        check(settings)
        await self._database.write(_create, str(uuid.uuid4()), settings.name, self._sealed(settings))

    async def update(self, name: str, settings: LdapSettings) -> None:
        """A password that is left out is the kept one, but never for another server."""
        before = await self.get(name)
        changed = _with_kept_password(settings, before.settings)
        check(changed)
        row = ServerRow(before.id, changed.name, before.order, self._sealed(changed))
        await self._database.write(_update, row)

    async def delete(self, name: str) -> None:
        await self._database.write(directories.remove_server, (await self.get(name)).id)

    async def order(self, names: Sequence[str]) -> None:
        """All servers, by name, in a new order."""
        known = {each.settings.name: each.id for each in await self.everything()}
        if sorted(names) != sorted(known):
            raise Invalid("must name every LDAP server once")
        await self._database.write(directories.order_servers, [known[each] for each in names])

    async def clear_cache(self) -> None:
        """Everybody is looked up anew, on every node."""
        await self._database.write(values.put, CACHE, uuid.uuid4().hex)

    # -- trying out ------------------------------------------------------------------------------------------------

    async def try_connection(self, settings: LdapSettings) -> None:
        """Raises `Invalid` with what the server, or the way to it, had against it."""
        lookup = await self._lookup(settings)
        try:
            await lookup.check()
        except DirectoryDown as error:
            raise Invalid(error.message) from error

    async def try_mapping(self, settings: LdapSettings) -> list[Listed]:
        """Some users with their groups."""
        lookup = await self._lookup(settings)
        try:
            return await lookup.listed("", limit=TRIED, groups=True)
        except DirectoryDown as error:
            raise Invalid(error.message) from error

    async def try_login(self, settings: LdapSettings, username: str, password: str) -> Listed:
        """The user, as it would come in. Raises `Invalid`."""
        lookup = await self._lookup(settings)
        try:
            found = await lookup.authenticate(username, password) if password else None
        except DirectoryDown as error:
            raise Invalid(error.message) from error
        if found is None:
            raise Invalid(f"'{username}' is not found, or this is not the password")
        return Listed(found.user_id, found.first_name, found.last_name, found.email, found.groups or ())

    async def _lookup(self, settings: LdapSettings) -> Lookup:
        kept = next((each for each in await self.everything() if each.settings.name == settings.name), None)
        if kept is not None:
            settings = _with_kept_password(settings, kept.settings)
        check(settings)
        more = await self._realm.trusted() if settings.use_trust_store else ()
        return self._realm.lookup(settings, more)

    def _sealed(self, settings: LdapSettings) -> dict[str, Any]:
        kept = settings.kept()
        kept["auth_password"] = self._vault.seal({"password": settings.auth_password})["password"]
        return kept

    def _server(self, row: ServerRow) -> Server:
        return Server(row.id, row.position, LdapSettings.of(self._vault.open(dict(row.settings))))


def _with_kept_password(settings: LdapSettings, before: LdapSettings) -> LdapSettings:
    if settings.auth_password or settings.place != before.place or settings.auth_username != before.auth_username:
        return settings
    return replace(settings, auth_password=before.auth_password)


def _create(tx: Transaction, id: str, name: str, sealed: dict[str, Any]) -> None:
    known = directories.servers(tx)
    _refuse_twins(known, name, id)
    last = max((each.position for each in known), default=0)
    directories.put_server(tx, ServerRow(id, name, last + 1, sealed))


def _update(tx: Transaction, changed: ServerRow) -> None:
    _refuse_twins(directories.servers(tx), changed.name, changed.id)
    directories.put_server(tx, changed)


def _refuse_twins(known: Sequence[ServerRow], name: str, id: str) -> None:
    if any(each.name == name and each.id != id for each in known):
        raise Invalid(f"LDAP server '{name}' already exists, use a unique name.", field="name")
