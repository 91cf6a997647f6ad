"""How a command ends: exit codes that scripts may rely on, and the failure that carries one."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The exit codes, documented in docs/guide/cli.md; a number never changes its meaning."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    DENIED = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    PARTIAL = 6


class Failure(Exception):
    """The command cannot go on. `message` says why, for the person at the terminal."""

    def __init__(self, message: str, code: Code = Code.FAILURE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
