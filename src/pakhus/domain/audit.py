"""The audit's entries and the chain that they form: each one's hash covers it and the hash before.

Whoever has the entries can verify them: nothing here is secret, and the export has all that goes into a hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.events import REFUSED, Event

SUCCESS, REFUSAL = "success", "refused"
GENESIS = hashlib.sha256(b"pakhus audit 1").hexdigest()
"""What stands before the first entry."""
LONGEST = 2000
"""Characters of a subject or of a word that a client chose."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to which object. `id` counts from 1 without gaps; `result` is success or refused."""

    id: int
    moment: datetime
    user: str
    source: str
    credential: str
    address: str
    request_id: str
    action: str
    repository: str
    subject: str
    result: str
    details: Mapping[str, Any] = field(default_factory=dict)
    before: Any = None
    after: Any = None

    def as_mapping(self) -> dict[str, Any]:
        """As it is exported and hashed; the moment in UTC with microseconds."""
        return {
            "id": self.id,
            "time": self.moment.astimezone(UTC).isoformat(timespec="microseconds"),
            "user": self.user,
            "source": self.source,
            "credential": self.credential,
            "address": self.address,
            "request_id": self.request_id,
            "action": self.action,
            "repository": self.repository,
            "subject": self.subject,
            "result": self.result,
            "details": dict(self.details),
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place: the hash of the one before and its own."""

    entry: Entry
    previous: str
    hash: str

    def as_mapping(self) -> dict[str, Any]:
        return {**self.entry.as_mapping(), "previous": self.previous, "hash": self.hash}


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical(value: Any) -> str:
    """JSON in one spelling: sorted members, no blanks, ASCII only."""
    return _CANONICAL.encode(value)


def linked(previous: str, entry: Entry) -> Link:
    return Link(entry, previous, digest(previous, entry.as_mapping()))


def digest(previous: str, members: Mapping[str, Any]) -> str:
    """The hash of an entry, from its exported members."""
    return hashlib.sha256(f"{previous}\n{canonical(members)}".encode()).hexdigest()


def entry_of(event: Event, id: int) -> Entry:
    """An event as the audit keeps it: who more than one of its fields would tell is told once."""
    who = event.initiator
    details = {name: value for name, value in event.details.items() if value not in ("", None, False)}
    return Entry(
        id=id,
        moment=event.created,
        user=_bounded(who.user),
        source=_bounded(who.source),
        credential=_bounded(who.credential),
        address=_bounded(who.address),
        request_id=_bounded(who.request_id),
        action=event.action,
        repository=event.repository,
        subject=_bounded(event.subject),
        result=REFUSAL if event.kind == REFUSED else SUCCESS,
        details=details,
        before=event.before,
        after=event.after,
    )


def flaw(link: Link, *, follows: int, previous: str) -> str | None:
    """What is wrong with a link that should come right after entry `follows` with the hash `previous`."""
    if link.entry.id != follows + 1:
        if link.entry.id <= follows:
            return f"entry {link.entry.id} is out of order: it follows entry {follows}"
        return f"entries {follows + 1} to {link.entry.id - 1} are missing"
    if digest(previous, link.entry.as_mapping()) != link.hash:
        return f"entry {link.entry.id} was altered, or the one before it was exchanged"
    return None


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def link_of(members: Mapping[str, Any]) -> Link:
    """A link from its exported members. Raises `ValueError` for what is none."""
    try:
        entry = Entry(
            id=int(members["id"]),
            moment=datetime.fromisoformat(members["time"]),
            **{name: members[name] for name in _TEXTS},
            details=members["details"],
            before=members["before"],
            after=members["after"],
        )
        return Link(entry, str(members["previous"]), str(members["hash"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry of an audit: {error}") from error


_TEXTS = ("user", "source", "credential", "address", "request_id", "action", "repository", "subject", "result")
