"""What the name of a distribution file says, and the repository path that follows from it.

Names are normalised as PEP 503 says, versions as PEP 440 says; both happen here and nowhere else. File names follow
the binary (wheel) and source distribution specifications, with the older spellings that indexes still hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import Version

WHEEL, SDIST, EGG = "bdist_wheel", "sdist", "bdist_egg"
SUFFIXES = {
    ".whl": WHEEL,
    ".tar.gz": SDIST,
    ".zip": SDIST,
    ".tar.bz2": SDIST,
    ".tgz": SDIST,
    ".tar.xz": SDIST,
    ".egg": EGG,
}
"""File name suffix → the `filetype` of the upload API."""

MEDIA_TYPES = {
    ".whl": "application/zip",
    ".zip": "application/zip",
    ".egg": "application/zip",
    ".tar.gz": "application/gzip",
    ".tgz": "application/gzip",
    ".tar.bz2": "application/x-bzip2",
    ".tar.xz": "application/x-xz",
    ".metadata": "text/plain; charset=utf-8",
    ".asc": "application/pgp-signature",
}

METADATA = ".metadata"
"""PEP 658: what a distribution's URL and the URL of its metadata file differ in."""
SIGNATURE = ".asc"
PROVENANCE = "/provenance"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\Z")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z")
_EGG_PLATFORM = re.compile(r"-py\d(?:\.\d+)?(?:-(?P<platform>.+))?\Z")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file name, understood: `name` and `version` are normalised, `platform` is empty for "any"."""

    name: str
    version: str
    kind: str
    platform: str = ""


def normalise(name: str) -> str:
    """The one spelling of a project name (PEP 503)."""
    return str(canonicalize_name(name))


def normalise_version(version: str) -> str:
    """The one spelling of a version (PEP 440); what is no such version stays as it is."""
    return _version(version) or version


def is_safe(filename: str) -> bool:
    """Is it a plain file name, without anything that a path, a shell or a URL could mistake?"""
    return _SAFE.match(filename) is not None


def suffix(filename: str) -> str:
    """The suffix that says what kind of distribution it is, or nothing."""
    lower = filename.lower()
    return next((known for known in SUFFIXES if lower.endswith(known)), "")


def media_type(filename: str) -> str:
    lower = filename.lower()
    return next((kind for known, kind in MEDIA_TYPES.items() if lower.endswith(known)), "application/octet-stream")


def understand(filename: str, project: str = "") -> Distribution | None:
    """What the file name says, or `None`. `project` (normalised) decides where an ambiguous name ends."""
    ending = suffix(filename)
    stem = filename[: len(filename) - len(ending)]
    kind = SUFFIXES.get(ending)
    if kind == WHEEL:
        return _wheel(stem)
    if kind == EGG:
        return _egg(stem)
    return _sdist(stem, project) if kind == SDIST else None


def _wheel(stem: str) -> Distribution | None:
    """`name-version[-build]-python-abi-platform`, of which compressed tag sets have dots."""
    parts = stem.split("-")
    if len(parts) not in (5, 6) or (len(parts) == 6 and not parts[2][:1].isdigit()) or not all(parts):
        return None
    name, version = normalise(parts[0]), _version(parts[1])
    if version is None or _NAME.match(name) is None:
        return None
    platforms = sorted(set(parts[-1].split(".")) - {"any"})
    return Distribution(name, version, WHEEL, ".".join(platforms))


def _egg(stem: str) -> Distribution | None:
    found = _EGG_PLATFORM.search(stem)
    name, _, rest = (stem[: found.start()] if found else stem).partition("-")
    version = _version(rest)
    if not name or version is None:
        return None
    return Distribution(normalise(name), version, EGG, (found and found["platform"]) or "")


def _sdist(stem: str, project: str) -> Distribution | None:
    """`name-version`; both may have dashes in old files, then the project's name tells where one ends."""
    cuts = [position for position, character in enumerate(stem) if character == "-"]
    of_project = [cut for cut in cuts if project and normalise(stem[:cut]) == project]
    for cut in (*of_project, *cuts[-1:]):
        name, version = normalise(stem[:cut]), _version(stem[cut + 1 :])
        if name and version is not None:
            return Distribution(name, version, SDIST)
    return None


def _version(text: str) -> str | None:
    try:
        return str(Version(text))
    except ValueError:  # also what a number of too many digits raises
        return None


def package_path(project: str, filename: str) -> str:
    """Where the repository keeps a file of the (normalised) project; without version if the name tells none."""
    found = understand(filename, project)
    return f"packages/{project}/{found.version}/{filename}" if found else f"packages/{project}/{filename}"


def version_of(path: str) -> str:
    """The version in the path of a distribution, empty if it has none."""
    segments = path.split("/")
    return segments[2] if len(segments) == 4 else ""


def provenance_path(path: str) -> str:
    """Where the provenance (PEP 740) of the distribution at `path` is kept; one without version has none."""
    return f"integrity{path.removeprefix('packages')}{PROVENANCE}" if version_of(path) else ""


def canonical(path: str) -> str:
    """The one spelling of a repository path: project and version normalised, indexes with their final slash."""
    segments = path.split("/")
    match segments:
        case ["simple" | "legacy"]:
            return f"{path}/"
        case ["simple", name] | ["simple", name, ""] if name:
            return f"simple/{normalise(name)}/"
        case ["packages", name, file]:
            return f"packages/{normalise(name)}/{file}"
        case ["packages" | "integrity", name, version, *rest] if rest:
            return "/".join((segments[0], normalise(name), normalise_version(version), *rest))
        case ["pypi", name, "json"]:
            return f"pypi/{normalise(name)}/json"
        case ["pypi", name, version, "json" | "yank" as last]:
            return f"pypi/{normalise(name)}/{normalise_version(version)}/{last}"
        case _:
            return path
