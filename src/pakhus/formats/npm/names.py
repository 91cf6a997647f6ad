"""Names and versions: how npm spells them, where they stand in paths, and which ones may be published.

A full name is `name` or `@scope/name`; coordinates keep scope (without `@`) and name apart, as Nexus does.
Source: npm's package.json reference, "name" and "version"; semver.org 2.0.0.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from pakhus.domain.content import Coordinates, Query
from pakhus.domain.errors import Invalid
from pakhus.kit.paths import flaw

# A package may be called "-", whose files stand under "-/-/"; everything else under "-/" is the registry's own.
NAME = r"{name:@[^/]+/[^/]+|(?!-/[^-])[^@/][^/]*}"
MAX_NAME = 214
RESERVED = ("node_modules", "favicon.ico")
_SEMVER = re.compile(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
MAX_VERSION = 256
_RANGE = re.compile(r"[~^<>=]|v?\d+(?:\.\d+|\.[xX*]){0,2}\Z|[xX*]\Z")
_ENCODED_SLASH = re.compile(r"(?:^|(?<=/))(@[^/%]+)%2[fF]")
_SCOPED_FILE = re.compile(r"(@[^/]+)/([^/]+)/-/\1/")
_ATTESTATIONS = "-/npm/v1/attestations/"


def split(name: str) -> tuple[str, str]:
    """Scope without `@` (or nothing) and the name within it."""
    if name.startswith("@"):
        scope, _, short = name[1:].partition("/")
        return scope, short
    return "", name


def full(coordinates: Coordinates) -> str:
    if coordinates.namespace:
        return f"@{coordinates.namespace}/{coordinates.name}"
    return coordinates.name


def coordinates(name: str, version: str = "") -> Coordinates:
    scope, short = split(name)
    return Coordinates(short, version, scope)


def package_query(name: str, version: str | None = None) -> Query:
    """All that is known of a package, or of one of its versions (`""`: the package itself)."""
    scope, short = split(name)
    return Query(namespace=scope, name=short, version=version)


def tarball_path(name: str, version: str) -> str:
    return f"{name}/-/{split(name)[1]}-{version}.tgz"


def version_of(name: str, file: str) -> str | None:
    """The version that a tarball's file name states, `None` if it does not follow the rule."""
    prefix = split(name)[1] + "-"
    if not file.startswith(prefix) or not file.endswith(".tgz"):
        return None
    version = file[len(prefix) : -len(".tgz")]
    return version if version[:1].isdigit() else None


def canonical(path: str) -> str:
    """One spelling: a scope's slash may have been encoded twice; npm itself writes tarball URLs whose file repeats
    the scope (`@s/n/-/@s/n-1.0.0.tgz`), and asks for attestations below the registry's path written twice."""
    path = _ENCODED_SLASH.sub(r"\1/", path, count=1)
    if path.startswith("@"):
        return _SCOPED_FILE.sub(r"\1/\2/-/", path, count=1)
    before, found, after = path.partition("/" + _ATTESTATIONS)
    return _ATTESTATIONS + after if found and before else path


def is_version(version: str) -> bool:
    return len(version) <= MAX_VERSION and _SEMVER.fullmatch(version) is not None


def same_version(published: str, written: object) -> bool:
    """Clients publish the cleaned form of what package.json says: no `v` or `=`, no spaces, no build metadata."""
    if not isinstance(written, str):
        return False
    return written.strip().lstrip("=v ").partition("+")[0] == published.partition("+")[0]


def check_version(version: str) -> None:
    if not is_version(version):
        raise Invalid(f"'{version}' is not a semantic version", field="version")


def check_name(name: str, *, new: bool) -> None:
    """Raise `Invalid` unless the name may be published; capitals live on only in packages that exist already."""
    if problem := _name_problem(name, new=new):
        raise Invalid(f"'{name}' is not a valid package name: {problem}", field="name")


def _name_problem(name: str, *, new: bool) -> str | None:
    if len(name) > MAX_NAME:
        return f"it has more than {MAX_NAME} characters"
    if flaw(name):
        return flaw(name)
    scope, short = split(name)
    for part in (scope, short) if name.startswith("@") else (short,):
        if not part:
            return "a part of it is empty"
        if quote(part, safe="!'()*~") != part:
            return "it has characters that must be escaped in a URL"
    if short.startswith((".", "_")) or scope.startswith("."):
        return "it starts with a dot or an underscore"
    if short.lower() in RESERVED:
        return "it is reserved"
    if new and name != name.lower():
        return "it has capital letters"
    return None


def check_tag(tag: str) -> None:
    """A tag that could be read as a version range could never be installed."""
    if not tag or _RANGE.match(tag) or flaw(tag) or "/" in tag:
        raise Invalid(f"'{tag}' is not a valid tag name", field="tag")
