"""Which snapshots have been superseded: by newer ones of the same base version, or by its release."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pakhus.domain.content import Component

SNAPSHOT = "-SNAPSHOT"


@dataclass(frozen=True, slots=True)
class Retention:
    """`minimum` newest snapshots of a base version stay, and whatever is younger than `age`.

    `if_released` removes all snapshots of a version that was released longer than `grace` ago.
    """

    minimum: int = 1
    age: timedelta = timedelta(0)
    if_released: bool = False
    grace: timedelta = timedelta(0)


def superseded(
    components: Iterable[Component],
    retention: Retention,
    version_key: Callable[[str], Any],
    base_of: Callable[[Component], str | None],
    *,
    now: datetime,
) -> list[Component]:
    """The snapshots that go, of one repository's components."""
    snapshots: dict[tuple[str, str, str], list[Component]] = {}
    released: dict[tuple[str, str, str], datetime] = {}
    for each in components:
        base = base_of(each)
        if base is None:
            released[each.namespace, each.name, each.version] = each.created
        else:
            snapshots.setdefault((each.namespace, each.name, base), []).append(each)
    gone: list[Component] = []
    for (namespace, name, base), builds in snapshots.items():
        release = released.get((namespace, name, base.removesuffix(SNAPSHOT)))
        if retention.if_released and release is not None and release + retention.grace <= now:
            gone.extend(builds)
            continue
        newest_first = sorted(builds, key=lambda each: (version_key(each.version), each.id), reverse=True)
        older = newest_first[retention.minimum :] if retention.minimum >= 0 else []
        gone.extend(each for each in older if max(a.updated for a in each.assets) + retention.age <= now)
    return gone
