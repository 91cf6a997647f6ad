"""Debian versions (deb-version(7)): how they are spelled and how dpkg orders them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from itertools import zip_longest

VERSION = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z][0-9A-Za-z.+~-]*")
PRERELEASE = re.compile(r"~(?:alpha|beta|dev|git|pre|rc)", re.I)
Part = tuple[tuple[int, ...], int]
PARTS = re.compile(r"([^0-9]*)([0-9]*)")
END: Part = ((0,), 0)
"""What stands after the last part, as often as it is needed."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A version as words and numbers by turns: epoch, upstream version, revision."""

    epoch: int
    upstream: tuple[Part, ...]
    revision: tuple[Part, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._pairs(other) is None

    def __lt__(self, other: Key) -> bool:
        found = self._pairs(other)
        return found is not None and found[0] < found[1]

    def __hash__(self) -> int:
        return hash(self.epoch)

    def _pairs(self, other: Key) -> tuple[Part, Part] | None:
        """The first parts that differ."""
        mine, theirs = ((((0,), each.epoch),) for each in (self, other))
        for one, two in ((mine, theirs), (self.upstream, other.upstream), (self.revision, other.revision)):
            for pair in zip_longest(one, two, fillvalue=END):
                if pair[0] != pair[1]:
                    return pair
        return None


def version_key(version: str) -> Key:
    """Sorts as dpkg does: by epoch, upstream version and revision; a tilde sorts before the end."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return Key(int(epoch) if epoch.isdecimal() else 0, _parts(upstream), _parts(revision))


def _parts(text: str) -> tuple[Part, ...]:
    return tuple((_order(word), int(number or "0")) for word, number in PARTS.findall(text) if word or number)


def _order(word: str) -> tuple[int, ...]:
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in word), 0)


def without_epoch(version: str) -> str:
    """As the version stands in file names."""
    return version.partition(":")[2] or version


def upstream_of(version: str) -> str:
    """The upstream part: what the name of an original archive has."""
    bare = without_epoch(version)
    return bare.rpartition("-")[0] or bare
