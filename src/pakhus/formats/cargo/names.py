"""Names and versions of crates, and the paths that follow from them.

Crates are told apart whatever their case, so coordinates and paths have the name in lower case; how it was published
stands in the index entry. Spellings that differ in `-` and `_` only would be one name in Rust code: `folded` is the
name under which at most one crate can be published, and under which the package's own attributes are kept.
Source: the Cargo book, "Registry Index" (Index files); semver.org 2.0.0.
"""

from __future__ import annotations

import re

from pakhus.domain.content import Coordinates, Query
from pakhus.domain.errors import Invalid

INDEX_FILE = r"{prefix:1|2|3/[^/]|[^/]{2}/[^/]{2}}/{name}"
CRATE_FILE = "crates/{name}/{name}-{version:[0-9][^/]*}.crate"
CRATE_LINK = "{crate}/{crate}-{version}.crate"
"""The same below `crates/`, in the markers of a `dl` template."""

MAX_NAME = 64
MAX_VERSION = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_DEVICE = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
_IDENTIFIER = r"(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)"
_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_INDEX = re.compile(r"(?:1|2|3/[^/]|[^/]{2}/[^/]{2})/[^/]+")
_CRATE = re.compile(r"crates/([^/]+)/([^/]+)", re.IGNORECASE)
_DOWNLOAD = re.compile(r"api/v1/crates/([^/]+)/([^/]+)/download")


def prefix_of(name: str) -> str:
    """The folders above the index file; in the case of the name."""
    if len(name) < 3:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"


def crate_path(name: str, version: str) -> str:
    name = name.lower()
    return f"crates/{name}/{name}-{version}.crate"


def canonical(path: str) -> str:
    """One spelling of a crate's name; the web API's download path is that of the crate file."""
    if found := _DOWNLOAD.fullmatch(path):
        return crate_path(found[1], found[2])
    if found := _CRATE.fullmatch(path):
        name, file = found[1].lower(), found[2]
        own = file[: len(name)].lower() == name
        return f"crates/{name}/{name}{file[len(name) :]}" if own else path
    return path.lower() if _INDEX.fullmatch(path) else path


def coordinates(name: str, version: str) -> Coordinates:
    return Coordinates(name.lower(), version)


def folded(name: str) -> str:
    return name.lower().replace("_", "-")


def package(name: str) -> Coordinates:
    """The crate itself: its owners, and how its name is spelled."""
    return Coordinates(folded(name))


def package_query(name: str) -> Query:
    return Query(name=folded(name), version="")


def versions_query(name: str, version: str | None = None) -> Query:
    return Query(name=name.lower(), version=version)


def unbuilt(version: str) -> str:
    """The version without its build metadata, which does not tell versions apart."""
    return version.partition("+")[0]


def check_name(name: str) -> None:
    """Raise `Invalid` unless a crate may be published under this name."""
    if problem := _problem(name):
        raise Invalid(f"'{name[:100]}' is not a valid crate name: {problem}", field="name")


def _problem(name: str) -> str | None:
    if not name or len(name) > MAX_NAME:
        return f"it has not between 1 and {MAX_NAME} characters"
    if not _NAME.fullmatch(name):
        return "it must be ASCII letters, digits, '-' and '_', and start with a letter"
    return "it is the name of a device on Windows" if _DEVICE.fullmatch(name) else None


def check_version(version: str) -> None:
    if len(version) > MAX_VERSION or not _VERSION.fullmatch(version):
        raise Invalid(f"'{version[:100]}' is not a semantic version", field="vers")
