"""Lines of ours between markers in somebody else's configuration file.

`erase(write(text, block), block) == text` for every text, and writing twice is writing once: whatever stood in
the way is commented out with a marker of its own and comes back. Pure functions on text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """`lines` belong into `[section]` (empty: anywhere, so at the end).

    `overrides` are keys which must not stand in that section a second time; `assign` is what follows a key.
    """

    id: str
    lines: tuple[str, ...]
    section: str = ""
    overrides: frozenset[str] = frozenset()
    assign: str = "[=:]"

    @property
    def begin(self) -> str:
        return f"# pakhus:begin {self.id}"

    @property
    def end(self) -> str:
        return f"# pakhus:end {self.id}"

    @property
    def off(self) -> str:
        return f"# pakhus:off {self.id} "


JOINED = " (after an unfinished line)"


def write(text: str, block: Block) -> str:
    """The text with the block, in place of an older block of the same id."""
    lines = erase(text, block).split("\n")
    # A text that ends with a newline splits into a last empty piece; one that does not, is continued by ours.
    unfinished = lines.pop()
    start, stop = span(lines, block.section)
    if start is None:
        header = [f"[{block.section}]"] if block.section else []
        lines = disabled(lines, 0, len(lines), block) if not block.section else lines
        begin = block.begin + (JOINED if unfinished else "")
        return "\n".join([*lines, *([unfinished] if unfinished else []), begin, *header, *block.lines, block.end, ""])
    if unfinished:
        lines, stop = [*lines, unfinished], stop + (stop == len(lines))
    lines = disabled(lines, start, stop, block)
    lines[start:start] = [block.begin, *block.lines, block.end]
    return "\n".join(lines if unfinished else [*lines, ""])


def erase(text: str, block: Block) -> str:
    """The text as it was before the block was written."""
    kept: list[str] = []
    inside = joined = False
    for line in text.split("\n"):
        if line in (block.begin, block.begin + JOINED):
            inside, joined = True, joined or line != block.begin
        elif inside:
            inside = line != block.end
        else:
            kept.append(line.removeprefix(block.off))
    if joined and kept and kept[-1] == "":
        kept.pop()
    return "\n".join(kept)


def has(text: str, block: Block) -> bool:
    return any(line.startswith(block.begin) for line in text.split("\n"))


def span(lines: list[str], section: str) -> tuple[int | None, int]:
    """First line after the section's header and the line after its last; None if there is no such section."""
    if not section:
        return None, len(lines)
    headers = [
        (index, match[1].strip()) for index, line in enumerate(lines) if (match := re.match(r"\[([^\]]+)\]", line))
    ]
    for place, (index, name) in enumerate(headers):
        if name == section:
            following = headers[place + 1][0] if place + 1 < len(headers) else len(lines)
            return index + 1, following
    return None, len(lines)


def disabled(lines: list[str], start: int, stop: int, block: Block) -> list[str]:
    """The lines with every overridden key, and the indented lines that continue it, commented out."""
    if not block.overrides:
        return lines
    # pip and others take `_` for `-` and any case.
    names = "|".join(re.escape(key).replace(r"\-", "[-_]") for key in sorted(block.overrides))
    key = re.compile(rf"({names})\s*{block.assign}", re.IGNORECASE)
    changed, within = list(lines), False
    for index in range(start, stop):
        line = lines[index]
        within = bool(key.match(line)) or (within and line[:1] in (" ", "\t", "-"))
        if within:
            changed[index] = block.off + line
    return changed
