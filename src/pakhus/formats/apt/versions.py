"""Debian versions (deb-version(7)): how they are spelled and how dpkg orders them."""

from __future__ import annotations

import re

VERSION = re.compile(r"(?:[0-9]+:)?[0-9A-Za-z][0-9A-Za-z.+~-]*")
PRERELEASE = re.compile(r"~(?:alpha|beta|dev|git|pre|rc)", re.I)
PARTS = re.compile(r"(\D*)(\d*)")
END = ((0,), 0)

Part = tuple[tuple[int, ...], int]


def version_key(version: str) -> tuple[int, tuple[Part, ...], tuple[Part, ...]]:
    """Sorts as dpkg does: by epoch, upstream version and revision; a tilde sorts before the end."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return int(epoch) if epoch.isdigit() else 0, _key(upstream), _key(revision)


def _key(text: str) -> tuple[Part, ...]:
    """Words and numbers by turns, and an end, which is as much as a zero."""
    parts = [(_order(word), int(number or "0")) for word, number in PARTS.findall(text) if word or number]
    while parts and parts[-1] == END:
        parts.pop()
    return (*parts, END)


def _order(word: str) -> tuple[int, ...]:
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in word), 0)


def without_epoch(version: str) -> str:
    """As the version stands in file names."""
    return version.partition(":")[2] or version


def upstream_of(version: str) -> str:
    """The upstream part: what the name of an original archive has."""
    bare = without_epoch(version)
    return bare.rpartition("-")[0] or bare
