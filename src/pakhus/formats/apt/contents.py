"""`Contents`: which package a file belongs to, for apt-file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pakhus.formats.apt.model import Entry
from pakhus.formats.apt.stanzas import unpacked


def contents(entries: Iterable[Entry]) -> bytes:
    """A line for each path: the path, and its packages with their sections, once for all versions of a package."""
    owners: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        name = f"{entry.section}/{entry.package}" if entry.section else entry.package
        for path in unpacked(entry.files):
            known = owners[path]
            if name not in known:
                known.append(name)
    return "".join(f"{path:<60} {','.join(owners[path])}\n" for path in sorted(owners)).encode("utf-8", "replace")
