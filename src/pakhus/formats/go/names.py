"""Module paths, versions, file names: their rules, and how they stand in a URL.

Sources: Go modules reference, "Module paths and versions", "Versions" and "Module zip files" (path and size
constraints); the rules for paths of modules and files that the go command enforces.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pakhus.domain.content import Coordinates
from pakhus.domain.errors import BadPackage, BadPath

_NUMBER = "(?:0|[1-9][0-9]*)"
_IDENTIFIER = f"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
CANONICAL = re.compile(
    rf"v({_NUMBER})\.{_NUMBER}\.{_NUMBER}(-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(\+incompatible)?", re.ASCII
)
"""A version as it may be published: all three numbers, no build metadata but `+incompatible`."""

ESCAPED_VERSION = r"v[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9a-z!.-]+)?(?:\+incompatible)?"
"""The shape of a canonical version in a URL; whether it is one is asked afterwards."""

_CAPITAL = re.compile("[A-Z]")
_ESCAPE = re.compile("!(.?)")
_MODULE_CHARACTERS = re.compile("[0-9A-Za-z._~-]+", re.ASCII)
_HOST_CHARACTERS = re.compile("[0-9a-z.-]+", re.ASCII)
_FILE_PUNCTUATION = frozenset("!#$%&()+,-.=@[]^_{}~ ")
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})
_SHORT_NAME = re.compile("~[0-9]+$")
_MAJOR_SUFFIX = re.compile(r"/v([0-9.]+)$")
_GOPKG_SUFFIX = re.compile(r"\.v(0|[1-9][0-9]*)(?:-unstable)?$")
GOPKG = "gopkg.in/"


def escape(text: str) -> str:
    """A module path or a version as it stands in a URL: `!a` for `A`, so that file systems without case can hold it."""
    return _CAPITAL.sub(lambda found: "!" + found[0].lower(), text)


def unescape(text: str) -> str:
    """The module path or the version that a URL means. Raises `BadPath`."""
    if _CAPITAL.search(text) or any(not ("a" <= each <= "z") for each in _ESCAPE.findall(text)):
        raise BadPath(f"{text[:200]} is not an escaped module path or version")
    return _ESCAPE.sub(lambda found: found[1].upper(), text)


def module_path(module: str, version: str, suffix: str) -> str:
    """The repository path of a module's `.info`, `.mod` or `.zip`."""
    return f"{escape(module)}/@v/{escape(version)}{suffix}"


def coordinates(module: str, version: str) -> Coordinates:
    """The component that an escaped module and an escaped canonical version name. Raises `BadPath`."""
    found = Coordinates(unescape(module), unescape(version))
    check_module(found.name)
    check_version(found.name, found.version)
    return found


# -- modules -------------------------------------------------------------------------------------------------------


def check_module(path: str) -> None:
    """Raise `BadPath`, with the rule, for what is not a module path."""
    if problem := module_flaw(path):
        raise BadPath(f"malformed module path {path[:200]!r}: {problem}")


def module_flaw(path: str) -> str | None:
    elements = path.split("/")
    for element in elements:
        if problem := _element_flaw(element, _is_module_element):
            return problem
        if element.startswith("."):
            return "leading dot in path element"
        if _SHORT_NAME.search(element.partition(".")[0]):
            return "trailing tilde and digits in path element"
    host = elements[0]
    if host.startswith("-"):
        return "leading dash in first path element"
    if "." not in host:
        return "missing dot in first path element"
    if not _HOST_CHARACTERS.fullmatch(host):
        return "the first path element is not a lower-case host name"
    return _suffix_flaw(path)


def _suffix_flaw(path: str) -> str | None:
    if path.startswith(GOPKG):
        return None if _GOPKG_SUFFIX.search(path) else f"paths below {GOPKG} end in .vN"
    found = _MAJOR_SUFFIX.search(path)
    if found is None:
        return None
    digits = found[1]
    if "." in digits or digits.startswith("0") or digits == "1":
        return "a major version suffix is /v2 or higher, without leading zero or dots"
    return None


# -- versions ------------------------------------------------------------------------------------------------------


def is_incompatible(version: str) -> bool:
    return version.endswith("+incompatible")


def check_version(module: str, version: str) -> None:
    """Raise `BadPath` unless the version is canonical and of the major version that the module's path says."""
    if problem := version_flaw(module, version):
        raise BadPath(f"version {version[:200]!r} of {module} is invalid: {problem}")


def version_flaw(module: str, version: str) -> str | None:
    found = CANONICAL.fullmatch(version)
    if found is None:
        return "not a canonical semantic version (vMAJOR.MINOR.PATCH)"
    major, incompatible = found[1], found[3] is not None
    wanted = major_of(module)
    if wanted is not None:
        if incompatible:
            return "+incompatible is for modules without a major version in their path"
        # gopkg.in modules without tags once got pseudo-versions of v0.
        old = wanted == "1" and module.startswith(GOPKG) and version.startswith("v0.0.0-")
        return None if major == wanted or old else f"should be v{wanted}, not v{major}"
    if incompatible:
        return None if major not in ("0", "1") else "+incompatible is for v2 or higher"
    return None if major in ("0", "1") else f"should be v0 or v1, not v{major}: the path lacks /v{major}"


def major_of(module: str) -> str | None:
    """The major version that a module's path names, `None` for v0 and v1."""
    found = (_GOPKG_SUFFIX if module.startswith(GOPKG) else _MAJOR_SUFFIX).search(module)
    return None if found is None else found[1]


# -- files ---------------------------------------------------------------------------------------------------------


def check_file(path: str) -> None:
    """Raise `BadPackage` for a file name that some system could not extract."""
    for element in path.split("/"):
        if problem := _element_flaw(element, _is_file_element):
            raise BadPackage(f"malformed file path {path[:200]!r}: {problem}")


def folded(path: str) -> str:
    """The same text for names that a file system without case takes for one: simple folding, character by character."""
    return path.lower() if path.isascii() else "".join(map(_folded, path))


def _folded(character: str) -> str:
    upper = character.upper()
    if len(upper) == 1:
        character = upper
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _element_flaw(element: str, allowed: Callable[[str], bool]) -> str | None:
    if not element:
        return "empty path element"
    if not element.strip("."):
        return f"invalid path element {element!r}"
    if element.endswith("."):
        return "trailing dot in path element"
    if not allowed(element):
        return f"invalid character in {element!r}"
    stem = element.partition(".")[0]
    if stem.lower() in _RESERVED:
        return f"{stem!r} is reserved on Windows"
    return None


def _is_module_element(element: str) -> bool:
    return _MODULE_CHARACTERS.fullmatch(element) is not None


def _is_file_element(element: str) -> bool:
    return all((each.isalnum() or each in _FILE_PUNCTUATION) if each.isascii() else each.isalpha() for each in element)
