"""What the name of a distribution file says, and the repository path that follows from it.

Names are normalised as PEP 503 says, versions as PEP 440 says; both happen here and nowhere else. File names follow
the binary (wheel) and source distribution specifications, with the older spellings that indexes still hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name, parse_wheel_filename
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
    try:
        return str(Version(version))
    except ValueError:  # also what a number of too many digits raises
        return version


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
        return _wheel(filename)
    if kind == EGG:
        return _egg(stem)
    return _sdist(stem, project) if kind == SDIST else None


def _wheel(filename: str) -> Distribution | None:
    try:
        name, version, _, tags = parse_wheel_filename(filename)
    except ValueError:
        return None
    platforms = sorted({tag.platform for tag in tags} - {"any"})
    return Distribution(str(name), str(version), WHEEL, ".".join(platforms))


def _egg(stem: str) -> Distribution | None:
    found = _EGG_PLATFORM.search(stem)
    name, dash, version = (stem[: found.start()] if found else stem).partition("-")
    if not dash or not _is_version(version):
        return None
    return Distribution(normalise(name), normalise_version(version), EGG, (found and found["platform"]) or "")


def _sdist(stem: str, project: str) -> Distribution | None:
    """`name-version`; both may have dashes in old files, then the project's name tells where one ends."""
    cuts = [position for position, character in enumerate(stem) if character == "-"]
    for cut in cuts:
        if project and normalise(stem[:cut]) == project and _is_version(stem[cut + 1 :]):
            return Distribution(project, normalise_version(stem[cut + 1 :]), SDIST)
    if not cuts or not _is_version(stem[cuts[-1] + 1 :]):
        return None
    name = normalise(stem[: cuts[-1]])
    return Distribution(name, normalise_version(stem[cuts[-1] + 1 :]), SDIST) if name else None


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except ValueError:
        return False
    return True


def package_path(project: str, filename: str) -> str:
    """Where the repository keeps a file of the (normalised) project; without version if the name tells none."""
    found = understand(filename, project)
    return f"packages/{project}/{found.version}/{filename}" if found else f"packages/{project}/{filename}"


def provenance_path(project: str, filename: str) -> str:
    """Where the provenance (PEP 740) of a file is kept; a file without version has none."""
    found = understand(filename, project)
    return f"integrity/{project}/{found.version}/{filename}{PROVENANCE}" if found else ""


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
