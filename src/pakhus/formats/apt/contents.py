"""`Contents`: which package a file belongs to, for apt-file."""

from __future__ import annotations

from collections.abc import Iterable

from pakhus.formats.apt.model import Entry
from pakhus.formats.apt.stanzas import unpacked


def contents(entries: Iterable[Entry]) -> bytes:
    """A line for each path: the path, and its packages with their sections, once for all versions of a package.

    Mostly a path has one owner, and the packages' lists are taken over whole: a distribution has a million paths.
    """
    owners: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    for entry in entries:
        paths = unpacked(entry.files)
        name = f"{entry.section}/{entry.package}" if entry.section else entry.package
        if owners.keys().isdisjoint(paths):
            owners.update(dict.fromkeys(paths, name))
            continue
        for path in paths:
            if owners.setdefault(path, name) != name:
                others.setdefault(path, []).append(name)
    for path, more in others.items():
        owners[path] = ",".join(dict.fromkeys([owners[path], *more]))
    return "".join([f"{path} {owners[path]}\n" for path in sorted(owners)]).encode("utf-8", "replace")
