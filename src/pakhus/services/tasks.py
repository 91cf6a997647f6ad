"""Tasks: what an administrator has done again and again, or once, by a schedule or by hand.

Coordination: a lease for each run. Whoever sees a task that is due takes its lease; one whose runner died is run again
by whoever sees that its lease has expired, so that every kind of work must be harmless when it is repeated.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog

from pakhus.database import tasks
from pakhus.database.tasks import TaskRow
from pakhus.database.transaction import Database
from pakhus.domain.errors import Conflict, Invalid, NotAllowed, NotFound, PakhusError
from pakhus.services.mail import Mail, MailRefused
from pakhus.services.schedule import Frequency

log = structlog.get_logger()

LEASE_SECONDS = 60.0
OK, FAILED, CANCELED = "OK", "FAILED", "CANCELED"
FAILURE, ALWAYS = "FAILURE", "SUCCESS_FAILURE"
NOT_FOUND = "Task with id '{id}' not found."


@dataclass(frozen=True, slots=True)
class Setting:
    """A property that a kind of task takes."""

    id: str
    label: str
    required: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What the work is given: its properties, and whether somebody wants it to stop."""

    properties: Mapping[str, Any]
    stopped: Callable[[], bool] = lambda: False

    def text(self, name: str) -> str:
        return str(self.properties.get(name) or "").strip()

    def number(self, name: str, default: int) -> int:
        """Raises `Invalid` for what is none."""
        value = self.text(name)
        if value and not (value.isascii() and value.isdigit()):
            raise Invalid("must be a number", field=f"properties.{name}")
        return int(value) if value else default

    def truth(self, name: str) -> bool:
        return self.text(name).lower() == "true"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task; its work returns what it has to say at the end."""

    id: str
    name: str
    work: Callable[[Run], Awaitable[str]]
    settings: tuple[Setting, ...] = ()
    check: Callable[[Run], None] = field(default=lambda run: None)


class Tasks:
    def __init__(
        self, database: Database, mail: Mail, now: Callable[[], datetime], *, paused: Callable[[], bool]
    ) -> None:
        """While it is `paused`, nothing is begun by its schedule."""
        self._database = database
        self._mail = mail
        self.kinds: dict[str, Kind] = {}
        self._now = now
        self._paused = paused
        self._owner = secrets.token_hex(8)
        self._running: dict[str, asyncio.Task[None]] = {}

    def offer(self, kinds: Sequence[Kind]) -> None:
        """From now on there are tasks of these kinds."""
        self.kinds.update({each.id: each for each in kinds})

    # -- what there is ---------------------------------------------------------------------------------------------

    async def everything(self) -> list[TaskRow]:
        return await self._database.read(tasks.everything)

    async def get(self, id: str) -> TaskRow:
        found = await self._database.read(tasks.get, id)
        if found is None:
            raise NotFound(NOT_FOUND.format(id=id))
        return found

    async def create(self, new: TaskRow, frequency: Frequency) -> TaskRow:
        """A task with a new identity."""
        self._check(new, frequency)
        made = replace(new, id=str(uuid.uuid4()), next_run=frequency.after(self._now()))
        await self._database.write(tasks.put, made)
        return made

    async def update(self, id: str, changed: TaskRow, frequency: Frequency) -> None:
        before = await self.get(id)
        if changed.type not in ("", before.type):
            raise Invalid("cannot change", field="type")
        changed = replace(changed, type=before.type)
        self._check(changed, frequency)
        await self._database.write(tasks.put, replace(changed, id=id, next_run=frequency.after(self._now())))

    async def delete(self, id: str) -> None:
        if not await self._database.write(tasks.remove, id):
            raise NotFound(NOT_FOUND.format(id=id))

    def _check(self, new: TaskRow, frequency: Frequency) -> None:
        kind = self.kinds.get(new.type)
        if kind is None:
            raise Invalid(f"there are no tasks of type '{new.type}' here", field="type")
        frequency.check()
        run = Run(new.definition.get("properties") or {})
        for each in kind.settings:
            if each.required and not run.text(each.id):
                raise Invalid(f"{each.label} is needed", field=f"properties.{each.id}")
        kind.check(run)

    # -- runs ------------------------------------------------------------------------------------------------------

    async def start(self, id: str) -> None:
        """Run it now, in the background. Raises `NotAllowed` for one that is disabled."""
        found = await self.get(id)
        if not found.enabled:
            raise NotAllowed(f"Task '{id}' is disabled", allow=())
        await self._begin(found)

    async def stop(self, id: str) -> None:
        """Ask a run to stop, wherever it runs. Raises `Conflict` where it does not."""
        await self.get(id)
        if not await self._database.write(tasks.ask_to_stop, id):
            raise Conflict(f"Task '{id}' is not running")
        if id in self._running:
            self._running[id].cancel()

    async def tick(self) -> None:
        """Begin all that is due, and take over what others left."""
        if self._paused():
            return
        for found in await self._database.read(tasks.due):
            await self._begin(found)

    async def settled(self) -> None:
        """Wait for the runs of this process."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Runs of this process end; another takes them over when their leases expire."""
        for each in self._running.values():
            each.cancel("closing")
        await self.settled()

    async def _begin(self, found: TaskRow) -> None:
        if found.id in self._running:
            return
        following = frequency_of(found.definition).after(self._now()) if found.enabled else None
        if not await self._database.write(tasks.claim, found, self._owner, LEASE_SECONDS, following):
            return
        run = asyncio.create_task(self._run(found), name=f"task {found.name}")
        self._running[found.id] = run
        run.add_done_callback(lambda _: self._running.pop(found.id, None))

    async def _run(self, found: TaskRow) -> None:
        stopped = asyncio.Event()
        keeping = asyncio.create_task(self._keep(found, stopped))
        try:
            result, message = await self._outcome(found, stopped)
        except asyncio.CancelledError as error:
            if "closing" in error.args:
                raise
            result, message = CANCELED, "stopped"
        finally:
            keeping.cancel()
        log.info("task_ended", task=found.name, type=found.type, result=result, message=message)
        await self._database.write(tasks.finish, found.id, self._owner, result, message)
        await self._tell(found, result, message)

    async def _outcome(self, found: TaskRow, stopped: asyncio.Event) -> tuple[str, str]:
        kind = self.kinds.get(found.type)
        if kind is None:
            return FAILED, f"there are no tasks of type '{found.type}' here"
        try:
            message = await kind.work(Run(found.definition.get("properties") or {}, stopped.is_set))
        except PakhusError as error:
            return FAILED, error.message
        except Exception as error:
            log.exception("task_failed", task=found.name, type=found.type)
            return FAILED, type(error).__name__
        return (CANCELED if stopped.is_set() else OK), message

    async def _keep(self, found: TaskRow, stopped: asyncio.Event) -> None:
        """Renew the lease while the work goes on, and see whether somebody wants it to stop."""
        while not stopped.is_set():
            await asyncio.sleep(LEASE_SECONDS / 6)
            if not await self._database.write(tasks.renew, found.id, self._owner, LEASE_SECONDS):
                stopped.set()

    async def _tell(self, found: TaskRow, result: str, message: str) -> None:
        """Mail to whoever wants to know."""
        to = found.definition.get("alertEmail")
        wanted = found.definition.get("notificationCondition") or FAILURE
        if not to or (result == OK and wanted != ALWAYS):
            return
        text = f"Task {found.name} ({found.type}) ended: {result}\n{message}\n"
        with suppress(MailRefused):
            await self._mail.send(to, f"Task {found.name}: {result}", text)


def frequency_of(definition: Mapping[str, Any]) -> Frequency:
    """The schedule in a task's definition."""
    given = definition.get("frequency") or {}
    start = given.get("startDate")
    return Frequency(
        given.get("schedule") or "manual",
        None if start is None else datetime.fromisoformat(start),
        given.get("timeZoneOffset") or "",
        tuple(given.get("recurringDays") or ()),
        given.get("cronExpression") or "",
    )
