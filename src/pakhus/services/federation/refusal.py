"""Why somebody was not let in: all of it for administrators, next to nothing for strangers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from pakhus.domain.errors import Unauthenticated

log = structlog.get_logger()
KEPT = 200
"""Refusals that a process remembers for its administrators."""


class Refused(Unauthenticated):
    """Somebody else's word on who this is was not accepted.

    `message` is for the stranger; `why` names what did not match, with what was expected.
    """

    def __init__(self, why: str, message: str = "the identity provider's word was not accepted") -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of them, as an administrator reads it. `subject` is only what was claimed, nothing of it is proven."""

    moment: datetime
    kind: str
    name: str
    subject: str
    address: str
    why: str


class Refusals:
    """Tells the log, and keeps the last ones in memory."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last: deque[Refusal] = deque(maxlen=KEPT)

    def note(self, kind: str, name: str, why: str, *, subject: str = "", address: str = "") -> None:
        log.warning("federation_refused", kind=kind, provider=name, subject=subject[:200], client=address, reason=why)
        self._last.append(Refusal(self._now(), kind, name, subject[:200], address, why))

    def last(self) -> list[Refusal]:
        """The newest first."""
        return list(reversed(self._last))
