"""Identities: package ids in lower case, versions normalised, and the one path under which each thing is kept.

Source: NuGet's documentation, "Package versioning", "Package content" and "Normalized version numbers".
"""

from __future__ import annotations

import re

from pakhus.domain.content import Coordinates

CONTENT = "v3/content"
REGISTRATIONS = "v3/registrations"
SYMBOLS = "symbols"
MAX_ID = 100
MAX_VERSION = 128

_ID = re.compile(r"\w+(?:[_.-]\w+)*")
_VERSION = re.compile(
    r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)
_RANGE = re.compile(r"([\[(])\s*([^,\s\[\]()]*)\s*(?:(,)\s*([^,\s\[\]()]*)\s*)?([\])])")
V2_PREFIX = "api/v2"


def is_id(text: str) -> bool:
    return len(text) <= MAX_ID and _ID.fullmatch(text) is not None


def normal(version: str) -> str | None:
    """`1.00` → `1.0.0`, `1.0.0.0+x` → `1.0.0`, the case as written; `None` for what is no version."""
    found = _VERSION.fullmatch(version.strip())
    if found is None or len(version) > MAX_VERSION:
        return None
    numbers = [(part or "0").lstrip("0") or "0" for part in found.groups()[:4]]
    if numbers[3] == "0":
        del numbers[3]
    return ".".join(numbers) + (found[5] or "")


def full(version: str) -> str:
    """The normalised version with its build metadata, as documents show it."""
    found = _VERSION.fullmatch(version.strip())
    return (normal(version) or version) + ((found[6] or "") if found else "")


def key(version: str) -> str:
    """What a version is known by: normalised and in lower case; other text in lower case."""
    return (normal(version) or version).lower()


def is_semver2(version: str) -> bool:
    """Does it take SemVer 2.0.0 to say it: dots in the prerelease, or build metadata?"""
    found = _VERSION.fullmatch(version.strip())
    return found is not None and ("." in (found[5] or "") or bool(found[6]))


def normal_range(text: str) -> str:
    """A dependency's range in interval notation with normalised bounds; unreadable ones as they are."""
    text = text.strip()
    if not text:
        return "(, )"
    if bare := normal(text):
        return f"[{bare}, )"
    found = _RANGE.fullmatch(text)
    if found is None:
        return text
    low, high = (normal(bound) or bound if bound else "" for bound in (found[2], found[4] or ""))
    if not found[3]:
        return f"[{low}]"
    return f"{found[1]}{low}, {high}{found[5]}"


def bounds(range: str) -> list[str]:
    """The versions that a range names."""
    return [part for part in re.split(r"[\[\](),\s]+", range) if part]


def coordinates(id: str, version: str) -> Coordinates:
    return Coordinates(id.lower(), key(version))


def folder(id: str, version: str) -> str:
    return f"{CONTENT}/{id.lower()}/{key(version)}"


def package_path(id: str, version: str, ending: str = "nupkg") -> str:
    return f"{folder(id, version)}/{id.lower()}.{key(version)}.{ending}"


def nuspec_path(id: str, version: str) -> str:
    return f"{folder(id, version)}/{id.lower()}.nuspec"


def canonical(path: str) -> str:
    """The one spelling: without `api/v2/`, packages under their content path, in lower case where case says nothing."""
    if path == V2_PREFIX or path.startswith(V2_PREFIX + "/"):
        path = path[len(V2_PREFIX) + 1 :]
    if path in ("package", "package/"):
        return ""
    if path == "v3/index.json":
        return "index.json"
    segments = path.removeprefix("package/").rstrip("/").split("/")
    if len(segments) == 2 and is_id(segments[0]) and normal(segments[1]) and segments[0] != "v3":
        return package_path(*segments)
    if path.startswith(f"{CONTENT}/"):
        return _content(path.lower())
    if path.startswith(REGISTRATIONS):
        return _registration(path.lower())
    return path.lower() if path.startswith(f"{SYMBOLS}/") else path


def _content(path: str) -> str:
    segments = path.split("/")
    if len(segments) != 5 or normal(segments[3]) is None:
        return path
    id, version, file = segments[2], key(segments[3]), segments[4]
    stem, _, ending = file.rpartition(".")
    written = stem.removeprefix(f"{id}.") if ending in ("nupkg", "snupkg") else ""
    if written and normal(written) and key(written) == version:
        file = f"{id}.{version}.{ending}"
    return f"{CONTENT}/{id}/{version}/{file}"


def _registration(path: str) -> str:
    head, _, file = path.rpartition("/")
    version = normal(file.removesuffix(".json"))
    return f"{head}/{version}.json" if file.endswith(".json") and version else path
