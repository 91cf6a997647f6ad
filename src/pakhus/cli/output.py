"""What a command prints: results on stdout (text or JSON), everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.cli.outcome import Code, Failure


@dataclass(frozen=True, slots=True)
class Output:
    """The choices `--json`, `--quiet` and `--verbose` of one command."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def result(self, document: Any, text: Callable[[], None]) -> None:
        """The result of the command: the document with `--json`, else what `text` prints."""
        if self.json:
            print(json.dumps(document, indent=2, ensure_ascii=False, default=str))
        else:
            text()

    def table(self, document: Any, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        self.result(document, lambda: print_table(columns, [[str(cell) for cell in row] for row in rows]))

    def done(self, message: str, **facts: Any) -> None:
        """The command did what it was told; with `--json` the facts are the document."""
        self.result(facts, lambda: None if self.quiet else print(message))

    def note(self, message: str) -> None:
        if not self.quiet:
            print(message, file=sys.stderr)

    def detail(self, message: str) -> None:
        if self.verbose:
            print(message, file=sys.stderr)

    def failure(self, failure: Failure) -> None:
        if self.json:
            print(json.dumps({"error": failure.message, "code": failure.code.value, "kind": failure.code.name.lower()}))
        else:
            print(f"pakhus: {failure.message}", file=sys.stderr)

    @property
    def shows_progress(self) -> bool:
        return not (self.json or self.quiet) and sys.stderr.isatty()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A framed table for people; for a pipe aligned columns, because a cell cut at 80 columns is a wrong cell."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns)
        for row in rows:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def require(condition: bool, message: str, code: Code = Code.USAGE) -> None:
    if not condition:
        raise Failure(message, code)
