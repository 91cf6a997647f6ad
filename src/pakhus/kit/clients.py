"""What a format knows of its clients on a machine: where they keep their upstream's address, how they are set up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clue:
    """Where the installed client of a format keeps the address of its own upstream.

    Either what a `command` prints, or an element (`xpath`) of XML files that a `glob` finds, perhaps as `member` of
    a zip. The first address found wins; `without` is cut off its end.
    """

    command: tuple[str, ...] = ()
    glob: str = ""
    member: str = ""
    xpath: str = ""
    without: str = ""


@dataclass(frozen=True)
class Snippet:
    """How a client is set up: `{url}` (with trailing slash), `{host}`, `{name}`, `{user}`, `{password}` are filled in.

    `file` is where the text belongs (`~/.npmrc`), or empty for commands.
    """

    client: str
    text: str
    file: str = ""
    language: str = "shell"
