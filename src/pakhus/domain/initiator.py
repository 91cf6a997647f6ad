"""In whose name something happens now: found out once for each request, recorded with every change that it makes.

A context variable carries it, so that no function in between has to hand it on; work that a request starts in the
background inherits it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from pakhus.domain.masking import plain

SYSTEM_USER = "*system"
"""No account can have this name: an asterisk in front is for the server's own work."""

LONGEST = 200
"""Characters of a name that somebody claims to have."""


@dataclass(frozen=True, slots=True)
class Initiator:
    """Who, from where, with which credential (`password`, `token <name>`, `session`, `none`), in which request.

    `source` is the realm that knows the user. A refused caller is who it claimed to be.
    """

    user: str = SYSTEM_USER
    source: str = ""
    credential: str = ""
    address: str = ""
    request_id: str = ""

    def as_mapping(self) -> dict[str, str]:
        return {
            "user": self.user,
            "source": self.source,
            "credential": self.credential,
            "address": self.address,
            "request_id": self.request_id,
        }


SYSTEM = Initiator()
_current: ContextVar[Initiator] = ContextVar("initiator", default=SYSTEM)


def current() -> Initiator:
    return _current.get()


@contextmanager
def acting(initiator: Initiator) -> Iterator[None]:
    """Do what is inside in this name."""
    before = _current.set(initiator)
    try:
        yield
    finally:
        _current.reset(before)


def identified(initiator: Initiator) -> None:
    """From here on, within the request, it is known who asks."""
    _current.set(initiator)


def claimed(user: str, credential: str) -> None:
    """Somebody says to be this user, which is still to be proven."""
    name = plain(user[:LONGEST])
    _current.set(replace(_current.get(), user=name, source="", credential=credential))
