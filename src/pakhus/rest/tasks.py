"""Tasks: what there is to do, when, and how it went (`/v1/tasks`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator

from pakhus.database.tasks import TaskRow
from pakhus.rest.bodies import AnyCaseLower, AnyCaseUpper, Moment, Shape, Taking, Text
from pakhus.rest.problems import bare
from pakhus.rest.rights import Here, needs
from pakhus.services.services import Services
from pakhus.services.tasks import Kind, frequency_of

router = APIRouter(prefix="/tasks", tags=["tasks"])
LATEST = 253_402_300_799
"""The last second of the year 9999."""


def _seconds(value: Any) -> Any:
    """Seconds since the epoch; some clients send milliseconds, or a time in words."""
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return value or None
    if value is None or isinstance(value, bool):
        return value
    try:
        number = int(value)
    except (TypeError, ValueError):
        return value
    number = number // 1000 if number > LATEST else number
    if not 0 <= number <= LATEST:
        raise ValueError("is not a time")
    return datetime.fromtimestamp(number, UTC)


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _texts(value: Any) -> Any:
    """Properties are texts; clients send numbers and truth values too."""
    if isinstance(value, dict):
        return {k: str(v).lower() if isinstance(v, bool) else "" if v is None else str(v) for k, v in value.items()}
    return value


class FrequencyXO(Shape):
    """`startDate` in seconds since the epoch; days are 1 (Sunday) to 7, or those of a month, 999 its last."""

    schedule: Annotated[Literal["manual", "once", "hourly", "daily", "weekly", "monthly", "cron"], AnyCaseLower] = (
        "manual"
    )
    start_date: Annotated[datetime | None, BeforeValidator(_seconds)] = None
    time_zone_offset: str | None = None
    recurring_days: list[int] | None = None
    cron_expression: str | None = None


class TaskChangeXO(Shape):
    """The type of a task does not change: it may be left out."""

    type: str = ""
    name: Text
    enabled: bool = True
    alert_email: str | None = None
    notification_condition: Annotated[Literal["FAILURE", "SUCCESS_FAILURE"], AnyCaseUpper] = "FAILURE"
    frequency: FrequencyXO = FrequencyXO()
    properties: Annotated[dict[str, str], BeforeValidator(_texts)] = {}

    def row(self) -> TaskRow:
        definition = self.model_dump(by_alias=True, exclude={"type", "name", "enabled"})
        start = self.frequency.start_date
        definition["frequency"]["startDate"] = None if start is None else _in_utc(start).isoformat()
        return TaskRow("", self.type, self.name, self.enabled, definition)


class TaskCreateXO(TaskChangeXO):
    type: Text


class TaskXO(Shape):
    """`currentState` is WAITING or RUNNING."""

    id: str
    name: str
    type: str
    message: str | None
    current_state: str
    last_run_result: str | None
    next_run: Moment | None
    last_run: Moment | None
    enabled: bool
    alert_email: str | None
    notification_condition: str
    schedule: str
    start_date: Moment | None
    recurring_days: list[int] | None
    cron_expression: str | None
    time_zone_offset: str | None
    properties: dict[str, str]
    type_name: str | None


class PageTaskXO(Shape):
    items: list[TaskXO]
    continuation_token: str | None


class FieldXO(Shape):
    id: str
    label: str
    help_text: str
    required: bool
    type: str = "string"


class TemplateXO(Shape):
    """What a new task of a type looks like, and what it may be told."""

    type: str
    name: str
    enabled: bool
    alert_email: str | None
    notification_condition: str
    frequency: FrequencyXO
    properties: dict[str, str]
    concurrent_run: bool = False
    form_fields: list[FieldXO]


@router.get("", dependencies=needs("tasks", "read"))
async def everything(
    services: Here,
    type: Annotated[str, Query(description="Only tasks of this type.")] = "",
    token: Annotated[str | None, Query(alias="continuationToken")] = None,
) -> PageTaskXO:
    """All tasks: there is one page."""
    found = await services.tasks.everything()
    shown = [_shown(each, services) for each in found if not type or each.type == type]
    return PageTaskXO(items=shown, continuation_token=None)


@router.post("", dependencies=needs("tasks", "create"), status_code=201)
async def create(body: Annotated[TaskCreateXO, Depends(Taking(TaskCreateXO))], services: Here) -> TaskXO:
    row = body.row()
    return _shown(await services.tasks.create(row, frequency_of(row.definition)), services)


@router.get("/templates", dependencies=needs("tasks", "read"))
async def templates(services: Here) -> list[TemplateXO]:
    return [_template(each) for each in services.tasks.kinds.values()]


@router.get("/templates/{type}", dependencies=needs("tasks", "read"))
async def template(type: str, services: Here) -> TemplateXO:
    kind = services.tasks.kinds.get(type)
    if kind is None:
        raise bare(404)
    return _template(kind)


@router.get("/{id}", dependencies=needs("tasks", "read"))
async def one(id: str, services: Here) -> TaskXO:
    return _shown(await services.tasks.get(id), services)


@router.put("/{id}", dependencies=needs("tasks", "update"), status_code=204, response_class=Response)
async def update(id: str, body: Annotated[TaskChangeXO, Depends(Taking(TaskChangeXO))], services: Here) -> None:
    row = body.row()
    await services.tasks.update(id, row, frequency_of(row.definition))


@router.delete("/{id}", dependencies=needs("tasks", "delete"), status_code=204, response_class=Response)
async def delete(id: str, services: Here) -> None:
    await services.tasks.delete(id)


@router.post("/{id}/run", dependencies=needs("tasks", "start"), status_code=204, response_class=Response)
async def run(id: str, services: Here) -> None:
    """Begin it now; a task that is disabled is refused with 405."""
    await services.tasks.start(id)


@router.post("/{id}/stop", dependencies=needs("tasks", "stop"), status_code=204, response_class=Response)
async def stop(id: str, services: Here) -> None:
    """Ask a run to stop; where there is none that is refused with 409."""
    await services.tasks.stop(id)


def _shown(row: TaskRow, services: Services) -> TaskXO:
    kind = services.tasks.kinds.get(row.type)
    definition = row.definition
    frequency = definition.get("frequency") or {}
    start = frequency.get("startDate")
    return TaskXO(
        id=row.id,
        name=row.name,
        type=row.type,
        message=row.message or None,
        current_state="RUNNING" if row.running else "WAITING",
        last_run_result=row.last_result or None,
        next_run=row.next_run,
        last_run=row.last_run,
        enabled=row.enabled,
        alert_email=definition.get("alertEmail"),
        notification_condition=definition.get("notificationCondition") or "FAILURE",
        schedule=frequency.get("schedule") or "manual",
        start_date=None if start is None else datetime.fromisoformat(start),
        recurring_days=frequency.get("recurringDays"),
        cron_expression=frequency.get("cronExpression"),
        time_zone_offset=frequency.get("timeZoneOffset"),
        properties=definition.get("properties") or {},
        type_name=kind.name if kind is not None else None,
    )


def _template(kind: Kind) -> TemplateXO:
    fields = [
        FieldXO(id=each.id, label=each.label, help_text=each.help, required=each.required) for each in kind.settings
    ]
    return TemplateXO(
        type=kind.id,
        name=kind.name,
        enabled=True,
        alert_email=None,
        notification_condition="FAILURE",
        frequency=FrequencyXO(),
        properties={each.id: "" for each in kind.settings},
        form_fields=fields,
    )
