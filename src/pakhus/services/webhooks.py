"""Webhooks as an administrator sees them, and the subscriber that makes messages of what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from pakhus.database import webhooks
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.database.webhooks import Delivery, Message
from pakhus.domain.errors import AlreadyExists, Invalid, NotFound
from pakhus.domain.events import Event
from pakhus.domain.repository import NAME, NAME_RULE
from pakhus.domain.webhooks import (
    Webhook,
    message_id,
    new_secret,
    pattern_flaw,
    payload,
    secret_flaw,
    trial_payload,
)
from pakhus.engine.catalog import Catalog

log = structlog.get_logger()
MOST_WEBHOOKS = 100
MOST_WAITING = 100_000
"""Messages that wait for one receiver. One that is so far behind is switched off: the disk is for packages."""
OVERLAP = timedelta(hours=24)
"""How long the secret before signs too, after it was exchanged."""
LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, the newest first; `token` asks for the next, `None` at the end."""

    items: list[Delivery]
    token: str | None


class Webhooks:
    def __init__(self, database: Database, vault: Vault, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    async def everything(self) -> list[Webhook]:
        return await self._database.read(webhooks.everything)

    async def get(self, name: str) -> Webhook:
        found = await self._database.read(webhooks.find, name)
        if found is None:
            raise NotFound(f"there is no webhook '{name}'")
        return found

    async def create(self, new: Webhook, secret: str = "") -> str:
        """A new webhook; its secret, which is shown this once."""
        _check(new)
        chosen = _checked(secret) if secret else new_secret()
        await self._database.write(_create, new, self._vault.seal({"current": {"secret": chosen}}))
        return chosen

    async def update(self, name: str, changed: Webhook) -> None:
        """Replace all but name and secret. To enable it again forgets why the server had switched it off."""
        before = await self.get(name)
        _check(changed)
        after = replace(changed, name=name, id=before.id, disabled="" if changed.enabled else before.disabled)
        await self._database.write(webhooks.change, before, after)

    async def exchange_secret(self, name: str, secret: str = "") -> str:
        """A new secret; the one before signs too for a day, so that the receiver can change in between."""
        found = await self.get(name)
        chosen = _checked(secret) if secret else new_secret()
        kept = self._vault.open(await self._database.read(webhooks.secrets_of, found.id))
        previous = {"secret": kept["current"]["secret"], "until": (self._now() + OVERLAP).isoformat()}
        sealed = self._vault.seal({"current": {"secret": chosen}, "previous": previous})
        await self._database.write(webhooks.change, found, found, sealed)
        return chosen

    async def delete(self, name: str) -> None:
        await self._database.write(webhooks.remove, await self.get(name))

    async def secrets(self, webhook_id: int) -> list[str]:
        """What signs now, the newest first."""
        kept: Mapping[str, Any] = self._vault.open(await self._database.read(webhooks.secrets_of, webhook_id))
        found = [kept["current"]["secret"]] if "current" in kept else []
        previous = kept.get("previous")
        if previous and datetime.fromisoformat(previous["until"]) > self._now():
            found.append(previous["secret"])
        return found

    # -- deliveries ------------------------------------------------------------------------------------------------

    async def deliveries(
        self, name: str, *, state: str = "", action: str = "", token: str | None = None, limit: int = 100
    ) -> DeliveryPage:
        found = await self.get(name)
        if not 1 <= limit <= 1000:
            raise Invalid("must be between 1 and 1000", field="limit")
        if token is not None and not (token.isascii() and token.isdigit() and len(token) <= 18):
            raise Invalid("is not one of this list", field="continuation_token")
        before = None if token is None else int(token)
        rows = await self._database.read(
            webhooks.deliveries, found.id, state=state, action=action, before=before, limit=limit + 1
        )
        return DeliveryPage(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)

    async def delivery(self, name: str, id: int) -> Delivery:
        found = await self._database.read(webhooks.delivery, (await self.get(name)).id, id)
        if found is None:
            raise NotFound(f"webhook '{name}' has no delivery {id}")
        return found

    async def redeliver(self, name: str, id: int) -> None:
        """Deliver once more, whatever became of it."""
        found = await self.get(name)
        if not await self._database.write(webhooks.again, found.id, delivery_id=id):
            raise NotFound(f"webhook '{name}' has no delivery {id}")

    async def redeliver_dead(self, name: str) -> int:
        """Deliver all that was given up; how many."""
        return await self._database.write(webhooks.again, (await self.get(name)).id)

    async def test(self, name: str) -> Delivery:
        """A message that says no more than that it is one, ready to be delivered."""
        found = await self.get(name)
        if not found.enabled:
            raise Invalid(f"webhook '{name}' is switched off", field="enabled")
        return await self._database.write(_trial, found)

    async def prune(self) -> int:
        """Forget deliveries that ended long ago; how many."""
        removed = 0
        for each in await self.everything():
            before = self._now() - timedelta(days=each.retention_days)
            while gone := await self._database.write(webhooks.forget, each.id, before, limit=5000):
                removed += gone
        return removed


class Announcer:
    """A subscriber: makes deliveries of events, for every webhook that wants them. `wake` starts to deliver them."""

    def __init__(self, database: Database, catalog: Catalog, *, wake: Callable[[], None]) -> None:
        self._database = database
        self._catalog = catalog
        self._wake = wake

    async def __call__(self, batch: Sequence[Event]) -> None:
        receivers = [each for each in await self._database.read(webhooks.everything) if each.enabled]
        if not receivers:
            return
        await self._catalog.refresh()
        messages = [
            self._message(receiver, event) for event in batch for receiver in receivers if receiver.wants(event)
        ]
        if messages:
            await self._database.write(_enqueue, receivers, messages)
            self._wake()

    def _message(self, receiver: Webhook, event: Event) -> Message:
        repository = self._catalog.find(event.repository) if event.repository else None
        format = repository.format if repository is not None else str(event.details.get("format", ""))
        return Message(receiver.id, message_id(receiver, event), event.action, payload(event, format))


def _create(tx: Transaction, new: Webhook, sealed: Mapping[str, Any]) -> None:
    known = webhooks.everything(tx)
    if any(each.name.lower() == new.name.lower() for each in known):
        raise AlreadyExists(f"there is a webhook '{new.name}' already")
    if len(known) >= MOST_WEBHOOKS:
        raise Invalid(f"there are {MOST_WEBHOOKS} webhooks already")
    webhooks.add(tx, new, sealed)


def _enqueue(tx: Transaction, receivers: Sequence[Webhook], messages: Sequence[Message]) -> None:
    waiting = webhooks.waiting(tx)
    behind = {each.id for each in receivers if waiting.get(each.id, 0) >= MOST_WAITING}
    for each in receivers:
        if each.id in behind:
            log.error("webhook_switched_off", webhook=each.name, waiting=waiting[each.id])
            reason = f"{waiting[each.id]} messages wait: the receiver does not keep up"
            webhooks.change(tx, each, replace(each, enabled=False, disabled=reason))
    webhooks.enqueue(tx, [each for each in messages if each.webhook_id not in behind])


def _trial(tx: Transaction, receiver: Webhook) -> Delivery:
    event = Event(0, "webhook.tested", "", tx.now)
    message = Message(receiver.id, message_id(receiver, event), event.kind, trial_payload(tx.now, receiver))
    webhooks.enqueue(tx, [message])
    return next(each for each in webhooks.deliveries(tx, receiver.id, limit=1) if each.message == message.id)


def _check(wanted: Webhook) -> None:
    if not NAME.match(wanted.name) or len(wanted.name) > 200:
        raise Invalid(NAME_RULE, field="name")
    _check_url(wanted.url)
    if not wanted.events:
        raise Invalid("must not be empty", field="events")
    for position, pattern in enumerate(wanted.events):
        if flaw := pattern_flaw(pattern):
            raise Invalid(flaw, field=f"events[{position}]")
    if not 1 <= wanted.retention_days <= 3650:
        raise Invalid("must be between 1 and 3650", field="retention_days")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine or len(url) > LONGEST_URL:
        raise Invalid("must be a valid http or https URL", field="url")
    if "@" in parts.netloc:
        raise Invalid("must not have a name or a password", field="url")


def _checked(secret: str) -> str:
    if flaw := secret_flaw(secret):
        raise Invalid(flaw, field="secret")
    return secret
