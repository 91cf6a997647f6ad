"""When a task is due: Nexus's schedules, and cron expressions as Quartz writes them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from cronsim import CronSim, CronSimError

from pakhus.domain.errors import Invalid

SCHEDULES = ("manual", "once", "hourly", "daily", "weekly", "monthly", "cron")
LAST_DAY = 999
"""Among the days of a month: its last one, however long it is."""
OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d{2})?\Z")
_DIGIT_DAY = re.compile(r"(?<![#/\d])([1-7])(?=L?(?:$|[,\-/#L]))")


@dataclass(frozen=True, slots=True)
class Frequency:
    """`start` opens the schedule; days are 1 (Sunday) to 7 for weeks, 1 to 31 or 999 (the last) for months."""

    schedule: str = "manual"
    start: datetime | None = None
    offset: str = ""
    days: tuple[int, ...] = ()
    cron: str = ""

    def check(self) -> None:
        """Raise `Invalid` for a schedule that never means anything."""
        if self.schedule not in SCHEDULES:
            raise Invalid(f"must be one of {', '.join(SCHEDULES)}", field="frequency.schedule")
        if self.schedule in ("once", "hourly", "daily", "weekly", "monthly") and self.start is None:
            raise Invalid("is needed for this schedule", field="frequency.startDate")
        highest = {"weekly": range(1, 8), "monthly": [*range(1, 32), LAST_DAY]}.get(self.schedule)
        if highest is not None and (not self.days or any(day not in highest for day in self.days)):
            raise Invalid("is not a list of days for this schedule", field="frequency.recurringDays")
        zone(self.offset)
        if self.schedule == "cron":
            translated(self.cron)

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`, `None` when there is none."""
        if self.schedule == "cron":
            return self._by_cron(moment)
        start = self.start
        if self.schedule == "manual" or start is None:
            return None
        if start > moment:
            moment = start - timedelta(microseconds=1)
        if self.schedule == "once":
            return start if start > moment else None
        if self.schedule in ("hourly", "daily"):
            step = timedelta(hours=1 if self.schedule == "hourly" else 24)
            return start + ((moment - start) // step + 1) * step
        return self._by_days(start.astimezone(zone(self.offset)), moment)

    def _by_cron(self, moment: datetime) -> datetime | None:
        found = CronSim(translated(self.cron), max(moment, self.start or moment).astimezone(zone(self.offset)))
        try:
            return next(found).astimezone(UTC)
        except StopIteration:
            return None

    def _by_days(self, start: datetime, moment: datetime) -> datetime | None:
        """Day by day, at the time of day of the start; a month has a day of its own within 62 days."""
        day = moment.astimezone(start.tzinfo).replace(
            hour=start.hour, minute=start.minute, second=start.second, microsecond=start.microsecond
        )
        for ahead in range(63):
            candidate = day + timedelta(days=ahead)
            if candidate > moment and self._has(candidate):
                return candidate.astimezone(UTC)
        return None

    def _has(self, day: datetime) -> bool:
        if self.schedule == "weekly":
            return day.isoweekday() % 7 + 1 in self.days
        last = calendar.monthrange(day.year, day.month)[1]
        return day.day in self.days or (day.day == last and LAST_DAY in self.days)


def zone(offset: str) -> timezone:
    """`+01:00` as a time zone; empty is UTC. Raises `Invalid`."""
    if not offset or offset == "Z":
        return UTC
    found = OFFSET.match(offset)
    if found is None or int(found[2]) > 18 or int(found[3] or 0) > 59:
        raise Invalid("is not an offset like +01:00", field="frequency.timeZoneOffset")
    delta = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return timezone(delta if found[1] == "+" else -delta)


def translated(expression: str) -> str:
    """A cron expression of Quartz (seconds first, Sunday is 1, `?` for "any") in the words of cron. Raises `Invalid`.

    Expressions of five fields are cron's own already.
    """
    fields = expression.upper().split()
    if len(fields) == 7 and fields[6] == "*":
        fields = fields[:6]
    if len(fields) == 6:
        fields = [field.replace("?", "*") for field in fields]
        fields[5] = _DIGIT_DAY.sub(lambda day: str(int(day[1]) - 1), fields[5])

    if len(fields) not in (5, 6):
        raise Invalid("is not a cron expression", field="frequency.cronExpression")
    found = " ".join(fields)
    try:
        CronSim(found, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise Invalid(f"is not a cron expression: {error}", field="frequency.cronExpression") from error
    return found
