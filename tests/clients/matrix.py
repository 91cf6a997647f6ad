"""The table of formats, types and clients in the README, as the last runs of the client tests found it.

A test says by the fixture `proves` which cell it stands for; a cell is good if every test of it passed.
`python -m tests.clients.matrix` writes the table between the markers of the README.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".cache" / "matrix.json"
PROPERTY = "proves"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
SHAPES = ("hosted", "proxy", "group", "nested")
SIGNS = {"passed": "✓", "failed": "✗", "skipped": "–"}

Cells = dict[str, dict[str, dict[str, str]]]
"""Format → client → shape → outcome."""


class Collector:
    """Collects outcomes where all reports arrive, with xdist in the process that hands the tests out."""

    def __init__(self) -> None:
        self.found: Cells = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = report.outcome
        if report.when != "call" and outcome == "passed":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                format, client, shape = value
                row = self.found.setdefault(format, {}).setdefault(client, {})
                row[shape] = worse(row.get(shape), outcome)

    def pytest_sessionfinish(self) -> None:
        if self.found:
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            KEPT.write_text(json.dumps(merged(kept(), self.found), indent=1, sort_keys=True))


def worse(one: str | None, other: str) -> str:
    order = ("passed", "skipped", "failed")
    return other if one is None else max(one, other, key=order.index)


def merged(under: Cells, over: Cells) -> Cells:
    """What earlier runs found, replaced row by row by what this one did."""
    formats = {**under, **over}
    return {name: {**under.get(name, {}), **over.get(name, {})} for name in formats}


def kept() -> Cells:
    return json.loads(KEPT.read_text()) if KEPT.exists() else {}


def table(cells: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """The Markdown table: one row per format and client, one column per shape."""
    lines = [f"| format | client | {' | '.join(SHAPES)} |", f"|---|---|{'---|' * len(SHAPES)}"]
    for format, clients in sorted(cells.items()):
        for client, row in sorted(clients.items()):
            signs = (SIGNS.get(row.get(shape, ""), "") for shape in SHAPES)
            lines.append(f"| {format} | {client} | {' | '.join(signs)} |")
    return "\n".join(lines)


def filled(readme: str, rows: str) -> str:
    """The README with the table between its markers."""
    head, found, rest = readme.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the README has no {BEGIN} … {END}")
    return f"{head}{BEGIN}\n{rows}\n{END}{tail}"


def main() -> int:
    if not kept():
        print("Nothing was recorded yet: run `make test`.")
        return 1
    readme = ROOT / "README.md"
    readme.write_text(filled(readme.read_text(), table(kept())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
