"""Charts and their files: how a name and a version become a path, and back."""

from __future__ import annotations

import re

CHARTS, CHART, PROVENANCE = "charts/", ".tgz", ".prov"
"""ChartMuseum keeps its files in a folder; here that is another spelling of the root."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_VERSION = re.compile(
    r"v?[0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_FILE = re.compile(r"(?P<name>.+?)-(?P<version>v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+].*)?)", re.ASCII)
_LOOSE_FILE = re.compile(r"(?P<name>.+)-(?P<version>v?[0-9][^-]*)", re.ASCII)


def is_name(name: str) -> bool:
    """Is it a chart's name, and safe as a file's?"""
    return len(name) <= 250 and _NAME.fullmatch(name) is not None


def is_version(version: str) -> bool:
    """A semantic version as Helm reads it: `v` is allowed, minor and patch may be missing."""
    return len(version) <= 250 and _VERSION.fullmatch(version) is not None


def chart_path(name: str, version: str) -> str:
    return f"{name}-{version}{CHART}"


def split(filename: str) -> tuple[str, str] | None:
    """Name and version by a file name without its ending, as well as it tells: only the chart itself is sure."""
    found = _FILE.fullmatch(filename) or _LOOSE_FILE.fullmatch(filename)
    if found is None or not is_version(found["version"]):
        return None
    return found["name"], found["version"]
