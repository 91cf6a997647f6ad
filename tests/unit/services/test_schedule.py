"""When tasks are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid
from pakhus.services.schedule import Frequency, translated

START = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)  # a Monday
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("frequency", "after", "expected"),
    [
        (Frequency("manual"), START, None),
        (Frequency("once", START), START - timedelta(1), START),
        (Frequency("once", START), START, None),
        (Frequency("hourly", START), START, START + timedelta(hours=1)),
        (Frequency("daily", START), START - timedelta(days=9), START),
        (Frequency("daily", START), START + timedelta(days=9, hours=1), START + timedelta(days=10)),
        (Frequency("weekly", START, days=(1, 4)), START, datetime(2026, 3, 4, 1, 30, tzinfo=UTC)),
        (Frequency("weekly", START, "-02:00", days=(1,)), START, datetime(2026, 3, 9, 1, 30, tzinfo=UTC)),
        (Frequency("monthly", START, days=(31,)), START, datetime(2026, 3, 31, 1, 30, tzinfo=UTC)),
        (Frequency("monthly", START, days=(999,)), datetime(2028, 2, 1, tzinfo=UTC),
         datetime(2028, 2, 29, 1, 30, tzinfo=UTC)),
        (Frequency("cron", cron="0 0 1 * * ?"), START, datetime(2026, 3, 3, 1, tzinfo=UTC)),
        (Frequency("cron", cron="0 0 1 ? * 2"), START, datetime(2026, 3, 9, 1, tzinfo=UTC)),
        (Frequency("cron", cron="0 0 1 ? * MON-FRI", offset="+01:00"), START, datetime(2026, 3, 3, 0, tzinfo=UTC)),
        (Frequency("cron", cron="30 4 * * 0"), START, datetime(2026, 3, 8, 4, 30, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_next_time(frequency: Frequency, after: datetime, expected: datetime | None) -> None:
    frequency.check()
    assert frequency.after(after) == expected


@given(
    MOMENTS,
    MOMENTS,
    st.sampled_from(["hourly", "daily", "weekly", "monthly"]),
    st.sets(st.integers(1, 7), min_size=1),
)
def test_next_time_lies_ahead_and_not_before_the_start(
    start: datetime, moment: datetime, schedule: str, days: set[int]
) -> None:
    found = Frequency(schedule, start, "+03:30", tuple(days)).after(moment)

    assert found is not None
    assert found > moment and found >= start
    assert found - max(moment, start) <= timedelta(days=62)


@pytest.mark.parametrize(
    ("quartz", "cron"),
    [
        ("0 0/5 * * * ?", "0 0/5 * * * *"),
        ("0 0 1 ? * 1,7", "0 0 1 * * 0,6"),
        ("0 0 1 ? * 2-6", "0 0 1 * * 1-5"),
        ("0 0 1 ? * 6L", "0 0 1 * * 5L"),
        ("0 0 1 ? * 6#3", "0 0 1 * * 5#3"),
        ("0 0 1 L * ? *", "0 0 1 L * *"),
        ("0 15 10 ? * mon-fri", "0 15 10 * * MON-FRI"),
    ],
)
def test_quartz_is_understood(quartz: str, cron: str) -> None:
    assert translated(quartz) == cron


@pytest.mark.parametrize(
    "frequency",
    [
        Frequency("sometimes"),
        Frequency("daily"),
        Frequency("weekly", START),
        Frequency("weekly", START, days=(8,)),
        Frequency("monthly", START, days=(32,)),
        Frequency("daily", START, "Copenhagen"),
        Frequency("cron", cron="every day"),
        Frequency("cron", cron="0 0 25 * * ?"),
    ],
)
def test_nonsense_is_refused(frequency: Frequency) -> None:
    with pytest.raises(Invalid):
        frequency.check()
