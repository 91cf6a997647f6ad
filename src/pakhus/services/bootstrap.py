"""What a new server starts with: a blob store, an administrator, anonymous, and repositories of every format."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pakhus.database import accounts, repositories, values
from pakhus.database.accounts import Role, User
from pakhus.database.repositories import StoreRow
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.repository import RepositoryType
from pakhus.engine.catalog import Catalog
from pakhus.services import upstreams
from pakhus.services.passwords import Passwords
from pakhus.services.repositories import Repositories
from pakhus.settings import Settings

log = structlog.get_logger()

ADMIN_ROLE = Role("nx-admin", "nx-admin", "Administrator Role", True, ("nx-all",))
ANONYMOUS_ROLE = Role(
    "nx-anonymous",
    "nx-anonymous",
    "Anonymous Role",
    True,
    (
        "nx-healthcheck-read",
        "nx-search-read",
        "nx-repository-view-*-*-browse",
        "nx-repository-view-*-*-read",
    ),
)
PASSWORD_FILE = "admin.password"  # noqa: S105 -- a file's name


@dataclass(frozen=True, slots=True)
class Start:
    """What the configuration says about a first start."""

    username: str
    password: str
    email: str
    anonymous: bool
    repositories: bool
    upstreams: Mapping[str, str]
    blobs: Path


def start_of(settings: Settings) -> Start:
    """From the configuration."""
    return Start(
        username=settings.bootstrap.admin_username,
        password=settings.bootstrap.admin_password.get_secret_value(),
        email=settings.bootstrap.admin_email,
        anonymous=settings.auth.anonymous_enabled,
        repositories=settings.bootstrap.default_repositories,
        upstreams=settings.bootstrap.upstreams,
        blobs=settings.blob_path.absolute(),
    )


class Bootstrap:
    def __init__(
        self, database: Database, catalog: Catalog, repositories: Repositories, passwords: Passwords, data: Path
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._repositories = repositories
        self._passwords = passwords
        self._data = data

    async def run(self, start: Start, *, show: Callable[[str], None]) -> None:
        """Make what is missing; a server that has an administrator is left alone. `show` tells a new password."""
        if await self._database.read(values.get, "bootstrapped"):
            return
        password = start.password or secrets.token_urlsafe(15)
        hashed = await self._passwords.hash(password)
        first = await self._database.write(_first_rows, start, hashed)
        if not first:
            return
        if not start.password:
            keep_password(self._data, password)
            show(password)
        if start.repositories:
            await self._default_repositories(start)
        await self._database.write(values.put, "bootstrapped", True)

    async def _default_repositories(self, start: Start) -> None:
        await self._catalog.refresh()
        known = await upstreams.found(self._catalog.formats.values(), start.upstreams)
        for format in self._catalog.formats.values():
            for type, body in format.starters(known.get(format.name)):
                if self._catalog.find(body["name"]) is None:
                    await self._repositories.create(format.name, RepositoryType(type), body, prepared=False)


def _first_rows(tx: Transaction, start: Start, hashed: str) -> bool:
    """Blob store, roles and users, unless another process was faster."""
    if accounts.user(tx, start.username) is not None:
        return True
    if not repositories.blob_stores(tx):
        repositories.put_blob_store(tx, StoreRow("default", "File", {"path": str(start.blobs / "default")}))
    for role in (ADMIN_ROLE, ANONYMOUS_ROLE):
        accounts.put_role(tx, role)
    accounts.put_user(tx, _user(start.username, "Administrator", "User", start.email, hashed, "nx-admin"))
    accounts.put_user(tx, _user("anonymous", "Anonymous", "User", "anonymous@example.org", "", "nx-anonymous"))
    settings: dict[str, Any] = {
        "enabled": start.anonymous,
        "userId": "anonymous",
        "realmName": "NexusAuthorizingRealm",
    }
    values.put(tx, "anonymous", settings)
    return True


def _user(user_id: str, first: str, last: str, email: str, hashed: str, role: str) -> User:
    return User(user_id, "default", first, last, email, "active", hashed, (role,))


def keep_password(data: Path, password: str) -> None:
    """Write the generated password where only the server's owner can read it."""
    path = data / PASSWORD_FILE
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(password + "\n")


def forget_password(data: Path) -> None:
    """The generated password was changed: its file goes."""
    (data / PASSWORD_FILE).unlink(missing_ok=True)
