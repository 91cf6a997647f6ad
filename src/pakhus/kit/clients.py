"""What a format knows of its clients on a machine: where they keep their upstream's address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clue:
    """Where the installed client of a format keeps the address of its own upstream.

    Either what a `command` prints, or an element (`xpath`), or its `attribute`, of XML files that a `glob` finds,
    perhaps as `member` of a zip. The first address found wins; `without` is cut off its end.
    """

    command: tuple[str, ...] = ()
    glob: str = ""
    member: str = ""
    xpath: str = ""
    attribute: str = ""
    without: str = ""
