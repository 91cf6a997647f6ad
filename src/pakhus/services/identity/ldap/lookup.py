"""Finding people in one LDAP server, with their groups, and checking their passwords there."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext

from pakhus.remote.ldap import filters
from pakhus.remote.ldap.client import (
    NO_SUCH_OBJECT,
    ONE_LEVEL,
    SUBTREE,
    WRONG_CREDENTIALS,
    Address,
    Connection,
    DirectoryDown,
    Entry,
    Refused,
    connected,
)
from pakhus.services.identity.ldap.hashes import matches
from pakhus.services.identity.ldap.settings import NONE, SIMPLE, LdapSettings
from pakhus.services.identity.realm import Identity, Listed

SOURCE = "LDAP"
STATES = ("userAccountControl", "pwdAccountLockedTime", "nsAccountLock", "loginDisabled")
"""Where Active Directory, OpenLDAP, 389 Directory Server and eDirectory say that an account is switched off."""
AD_DISABLED = 0x2
REFUSES_USER = frozenset({19, NO_SUCH_OBJECT, 48, WRONG_CREDENTIALS, 50, 53})
"""Results of a bind that are about the user: wrong password, expired, locked, no such entry."""


class Lookup:
    def __init__(self, settings: LdapSettings, context: Callable[[], SSLContext]) -> None:
        """`context` is asked for what TLS trusts."""
        self.settings = settings
        self._context = context

    async def check(self) -> None:
        """Connect and bind as the search account. Raises `DirectoryDown`."""
        async with self._opened():
            pass

    async def authenticate(self, username: str, password: str) -> Identity | None:
        """The user whose password this is. Takes as many steps for a user who does not exist."""
        async with self._opened() as connection:
            entry = await self._entry(connection, username)
            if not await self._proves(connection, entry, password) or entry is None:
                return None
            if self.settings.ldap_groups_as_roles and not self.settings.dynamic:
                # The user itself may not be allowed to read the groups.
                await self._bind(connection)
            return self._identity(entry, await self._groups(connection, entry))

    async def find(self, username: str) -> Identity | None:
        """The user, unless it is switched off."""
        async with self._opened() as connection:
            entry = await self._entry(connection, username)
            if entry is None or is_off(entry):
                return None
            return self._identity(entry, await self._groups(connection, entry))

    async def listed(self, prefix: str, *, limit: int, groups: bool = False) -> list[Listed]:
        """Users whose id starts with `prefix`; `groups`: with theirs, which may cost a search for each."""
        async with self._opened() as connection:
            found = await self._search(connection, filters.starts_with(self.settings.user_id_attribute, prefix), limit)
            return [
                self._listed(entry, await self._groups(connection, entry) if groups else ())
                for entry in found[:limit]
                if entry.first(self.settings.user_id_attribute)
            ]

    # -- the search account ----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Connection]:
        settings = self.settings
        tls = "ldaps" if settings.protocol == "LDAPS" else "starttls" if settings.use_start_tls else ""
        timeout = float(settings.connection_timeout_seconds)
        context = self._context() if tls else None
        address = Address(settings.name, settings.host, settings.port, tls, timeout, context)
        async with connected(address) as connection:
            try:
                await self._bind(connection)
                yield connection
            except Refused as refusal:
                raise DirectoryDown(f"the LDAP server '{settings.name}' refuses: {refusal}") from refusal

    async def _bind(self, connection: Connection) -> None:
        """As the search account. Raises `Refused`."""
        settings = self.settings
        user, password = settings.auth_username or "", settings.auth_password or ""
        if settings.scheme == NONE:
            await connection.bind_anonymously()
        elif settings.scheme == SIMPLE:
            await connection.bind(user, password)
        else:
            await connection.bind_by(settings.scheme, user, password, realm=settings.auth_realm or "")

    # -- people ----------------------------------------------------------------------------------------------------

    async def _entry(self, connection: Connection, username: str) -> Entry | None:
        """The one entry of that name; two are none, since nobody could say which is meant."""
        found = await self._search(connection, filters.equal(self.settings.user_id_attribute, username), 2)
        return found[0] if len(found) == 1 else None

    async def _search(self, connection: Connection, condition: bytes, limit: int) -> list[Entry]:
        settings = self.settings
        conditions = [filters.equal("objectClass", settings.user_object_class), condition]
        if settings.user_ldap_filter:
            conditions.append(filters.parse(settings.user_ldap_filter))
        wanted = [
            settings.user_id_attribute,
            settings.user_real_name_attribute,
            settings.user_email_address_attribute,
            *STATES,
            *filter(None, (settings.user_password_attribute, settings.user_member_of_attribute)),
        ]
        scope = SUBTREE if settings.user_subtree else ONE_LEVEL
        try:
            return await connection.search(
                settings.user_base, filters.all_of(*conditions), wanted, scope=scope, limit=limit
            )
        except Refused as refusal:
            if refusal.code != NO_SUCH_OBJECT:
                raise
            raise DirectoryDown(f"the LDAP server '{settings.name}' has no entry {settings.user_base}") from refusal

    async def _proves(self, connection: Connection, entry: Entry | None, password: str) -> bool:
        attribute = self.settings.user_password_attribute
        if entry is not None and attribute:
            answers = [matches(kept, password) for kept in entry.attributes.get(attribute.lower(), ())]
            if any(answers):
                return not is_off(entry)
            if answers and None not in answers:
                return False
        # A bind is made for nobody too, so that an answer takes as long.
        dn = entry.dn if entry is not None else f"cn={secrets.token_hex(8)},{self.settings.user_base}"
        try:
            await connection.bind(dn, password)
        except Refused as refusal:
            if refusal.code not in REFUSES_USER:
                raise
            return False
        return entry is not None

    # -- groups ----------------------------------------------------------------------------------------------------

    async def _groups(self, connection: Connection, entry: Entry) -> tuple[str, ...]:
        """By name: servers give them in any order."""
        settings = self.settings
        if not settings.ldap_groups_as_roles:
            return ()
        if settings.dynamic:
            names = entry.values(settings.user_member_of_attribute or "")
            return tuple(sorted({first_value(dn) for dn in names} - {""}))
        member = filled(settings.group_member_format or "${dn}", entry.dn, entry.first(settings.user_id_attribute))
        condition = filters.all_of(
            filters.equal("objectClass", settings.group_object_class or "*"),
            filters.equal(settings.group_member_attribute or "", member),
        )
        name = settings.group_id_attribute or "cn"
        scope = SUBTREE if settings.group_subtree else ONE_LEVEL
        found = await connection.search(settings.group_base, condition, [name], scope=scope)
        return tuple(sorted({group.first(name) for group in found} - {""}))

    def _identity(self, entry: Entry, groups: Sequence[str]) -> Identity:
        shown = self._listed(entry, groups)
        return Identity(shown.user_id, SOURCE, shown.groups, (), shown.first_name, shown.last_name, shown.email)

    def _listed(self, entry: Entry, groups: Sequence[str]) -> Listed:
        settings = self.settings
        first, _, last = entry.first(settings.user_real_name_attribute).rpartition(" ")
        email = entry.first(settings.user_email_address_attribute)
        return Listed(entry.first(settings.user_id_attribute), first, last, email, tuple(groups))


def is_off(entry: Entry) -> bool:
    """Has the directory's administrator switched the account off?"""
    control = entry.first("userAccountControl")
    if control.lstrip("-").isdigit() and int(control) & AD_DISABLED:
        return True
    if entry.first("pwdAccountLockedTime").startswith("000001010000"):
        return True
    return any(entry.first(name).upper() == "TRUE" for name in ("nsAccountLock", "loginDisabled"))


def filled(form: str, dn: str, username: str) -> str:
    """A member as its group lists it. Inside a name the user's id is escaped (RFC 4514, section 2.4)."""
    whole = form.strip() in ("${username}", "${dn}")
    inside = username if whole else re.sub(r'([\\,+"<>;=#])', r"\\\1", username)
    return form.strip().replace("${dn}", dn).replace("${username}", inside)


def first_value(dn: str) -> str:
    r"""The value of the first part of a name: `Dev, all` of `cn=Dev\, all,ou=groups`."""
    part = re.match(r"(?:[^,\\]|\\.)*", dn, re.S)
    _, _, value = (part[0] if part else dn).partition("=")
    raw = re.sub(rb"\\([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), value.strip().encode())
    return re.sub(r"\\(.)", r"\1", raw.decode("utf-8", "replace"))
