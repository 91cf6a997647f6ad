"""The keys with which repositories sign: generated when first needed, or imported; sealed at rest; rotated.

Generating takes seconds: it is one task for each repository, which outlives whoever waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from pakhus.database import signing_keys
from pakhus.database.signing_keys import KeyRow
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.domain.errors import Busy
from pakhus.domain.repository import Repository
from pakhus.engine import openpgp
from pakhus.engine.openpgp import Ring, Secret

log = structlog.get_logger()

PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a repository that sign now, newest first. `edition` changes whenever they do."""

    rows: Sequence[KeyRow]

    @property
    def edition(self) -> str:
        return ".".join(row.fingerprint for row in self.rows)

    def public(self, *, armored: bool) -> bytes:
        return openpgp.published([row.public for row in self.rows], armored=armored)


class Keyring:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        algorithm: str,
        overlap: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """`algorithm` is one of `openpgp.ALGORITHMS`; `overlap` is how long a replaced key goes on signing."""
        self._database = database
        self._vault = vault
        self._algorithm = algorithm
        self._overlap = overlap
        self._now = now
        self._generating: dict[int, asyncio.Task[None]] = {}

    async def keys(self, repository: Repository) -> Keys:
        """Those that sign now; a first one is generated where there is none. Raises `Busy` when that takes long."""
        rows = await self.known(repository)
        if not rows:
            await self._wait(self.generate(repository, first=True))
            rows = await self.known(repository)
        return Keys(rows)

    async def known(self, repository: Repository) -> Sequence[KeyRow]:
        """Those that sign now; none before the first publication."""
        return await self._database.glance(signing_keys.active, repository.id)

    def is_generating(self, repository: Repository) -> bool:
        return repository.id in self._generating

    def ring(self, keys: Keys) -> Ring:
        """What signs with these keys, as of now."""
        return Ring([self._opened(row) for row in keys.rows], self._now())

    def generate(
        self, repository: Repository, *, first: bool = False, overlap: timedelta | None = None
    ) -> asyncio.Task[None]:
        """Begin to generate a key, unless that goes on already; `first` gives way to one that another process made."""
        task = self._generating.get(repository.id)
        if task is None:
            task = asyncio.create_task(self._generate(repository, first, overlap), name=f"key of {repository.name}")
            self._generating[repository.id] = task
            task.add_done_callback(lambda done: self._generating.pop(repository.id, None))
        return task

    async def read(self, keypair: str, passphrase: str) -> KeyRow:
        """A key that somebody brings, checked and sealed. Raises `Invalid`."""
        return self._sealed(await asyncio.to_thread(openpgp.read, keypair, passphrase))

    async def rotate(self, repository: Repository, key: KeyRow, *, overlap: timedelta | None = None) -> None:
        """Sign with this key from now on."""
        overlap = self._overlap if overlap is None else overlap
        await self._database.write(signing_keys.rotate, repository.id, repository.name, key, overlap=overlap)

    async def close(self) -> None:
        """Wait for what is being generated: it does not take long, and somebody asked for it."""
        await asyncio.gather(*self._generating.values(), return_exceptions=True)

    async def _generate(self, repository: Repository, first: bool, overlap: timedelta | None) -> None:
        user_id = f"{repository.name} ({repository.format} repository)"
        key = self._sealed(await openpgp.generate(user_id, self._algorithm))
        if first:
            await self._database.write(signing_keys.first, repository.id, repository.name, key)
        else:
            await self.rotate(repository, key, overlap=overlap)
        log.info("signing_key_generated", repository=repository.name, fingerprint=key.fingerprint)

    async def _wait(self, task: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(task)
        except TimeoutError as error:
            raise Busy("the repository's signing key is being generated: try again in a moment") from error

    def _sealed(self, secret: Secret) -> KeyRow:
        sealed: Mapping[str, Any] = self._vault.seal({"keypair": secret.keypair, "passphrase": secret.passphrase})
        return KeyRow(secret.fingerprint, secret.user_ids, secret.public, sealed)

    def _opened(self, row: KeyRow) -> Secret:
        opened = self._vault.open(row.secret)
        return Secret(opened["keypair"], opened["passphrase"], row.public, row.fingerprint, row.user_ids)
