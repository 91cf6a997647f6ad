"""The orders of versions: `<name>_key` gives what to sort by (greater is newer), `<name>_prerelease` says yes or no.

A key never raises. What is not a version sorts below all versions, in the natural order of its text. Numbers are
compared by their digits, so that no length of them costs more than reading it.
"""

from __future__ import annotations

import re
from typing import Any

from packaging.version import Version

Key = tuple[Any, ...]


def _number(digits: str) -> tuple[int, str]:
    digits = digits.lstrip("0")
    return len(digits), digits


def _garbage(version: str) -> Key:
    return 0, natural_key(version)


# Text with numbers in it

_DIGITS = re.compile("([0-9]+)")
_UNSTABLE = re.compile(
    "(?<![a-z])(?:alpha|beta|rc|cr|snapshot|dev|pre|preview|prerelease|nightly|canary)(?![a-z])", re.IGNORECASE
)


def natural_key(version: str) -> Key:
    """Digits by their value, the rest by code point: `file9` before `file10`."""
    parts = _DIGITS.split(version)
    return tuple(_number(part) if i % 2 else part for i, part in enumerate(parts)), version


def natural_prerelease(version: str) -> bool:
    return _UNSTABLE.search(version) is not None


# Semantic versions: semver.org 2.0.0, clause 11

_SEMVER = re.compile(
    r"[vV]?([0-9]+(?:\.[0-9]+){0,3})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]*)?", re.ASCII
)


def semver_key(version: str) -> Key:
    """One to four numbers, then the prerelease; missing numbers are zero, build metadata has no say."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        return _garbage(version)
    numbers = [_number(part) for part in found[1].split(".")]
    numbers += [_number("")] * (4 - len(numbers))
    return 1, tuple(numbers), _identifiers(found[2])


def semver_prerelease(version: str) -> bool:
    found = _SEMVER.fullmatch(version)
    return found is not None and found[2] is not None


def _identifiers(prerelease: str | None) -> Key:
    """None at all is the greatest; numbers are below words; more identifiers are above fewer."""
    if prerelease is None:
        return (1,)
    return 0, tuple((0, _number(i), "") if i.isdigit() else (1, (0, ""), i) for i in prerelease.split("."))


def nuget_key(version: str) -> Key:
    """As semantic versions, whatever the case."""
    return semver_key(version.lower())


nuget_prerelease = semver_prerelease

# Go: modules reference, "Versions" and "Pseudo-versions"

_PSEUDO = re.compile(r"v[0-9]+\.(?:0\.0-|[0-9]+\.[0-9]+-(?:[^+]*\.)?0\.)[0-9]{14}-[0-9a-z]+(?:\+.*)?", re.IGNORECASE)


def go_key(version: str) -> Key:
    """A semantic version with its `v`; a pseudo-version stands where its text puts it."""
    return semver_key(version) if version.startswith("v") else _garbage(version)


def go_prerelease(version: str) -> bool:
    return version.startswith("v") and semver_prerelease(version)


def go_pseudo(version: str) -> bool:
    """Is it made of a commit's time and hash? Then it is no answer to "latest" while there are tags."""
    return _PSEUDO.fullmatch(version) is not None


# Python: PEP 440


def pep440_key(version: str) -> Key:
    try:
        return 1, Version(version)
    except ValueError:  # also what a number of too many digits raises
        return _garbage(version)


def pep440_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except ValueError:
        return False


# Maven: POM reference, "Version Order Specification"

_MAVEN_TOKEN = re.compile("([.-]?)([0-9]+|[^0-9.-]*)")
_MAVEN_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_MAVEN_ALIAS = {"cr": "rc", "ga": "", "final": "", "release": ""}
_MAVEN_RANK = {"alpha": 0, "beta": 1, "milestone": 2, "rc": 3, "snapshot": 4, "": 5, "sp": 6}
_MAVEN_OTHER, _MAVEN_AFTER_HYPHEN, _MAVEN_AFTER_DOT = 7, 8, 9
_MAVEN_NULLS = ((5, ""), (_MAVEN_AFTER_HYPHEN, (0, "")), (_MAVEN_AFTER_DOT, (0, "")))


def maven_key(version: str) -> Key:
    """Tokens up to a null token, which stands for the endless nulls that pad a shorter version."""
    if not version:
        return _garbage(version)
    return 1, (*_maven_tokens(version), _MAVEN_NULLS[0])


def maven_prerelease(version: str) -> bool:
    return any(rank < _MAVEN_RANK[""] for rank, _ in _maven_tokens(version))


def _maven_tokens(version: str) -> list[Key]:
    """(rank, value) of each token; trailing nulls are gone from the end and from before each hyphen."""
    version = version.lower()
    if version[:1] in (".", "-"):
        version = "0" + version
    tokens: list[Key] = []
    for found in _MAVEN_TOKEN.finditer(version):
        if not found[0]:
            continue
        after_dot = found[1] == "." or not found.start()
        token = _maven_token(found[2] or "0", after_dot, before_digit=version[found.end() : found.end() + 1])
        if not after_dot or token[0] <= _MAVEN_OTHER:
            _trim(tokens)
        tokens.append(token)
    _trim(tokens)
    return tokens


def _maven_token(text: str, after_dot: bool, *, before_digit: str) -> Key:
    if text[0] in "0123456789":
        return (_MAVEN_AFTER_DOT if after_dot else _MAVEN_AFTER_HYPHEN), _number(text)
    if before_digit and before_digit in "0123456789":
        text = _MAVEN_SHORT.get(text, text)
    text = _MAVEN_ALIAS.get(text, text)
    rank = _MAVEN_RANK.get(text, _MAVEN_OTHER)
    return rank, text if rank == _MAVEN_OTHER else ""


def _trim(tokens: list[Key]) -> None:
    while tokens and tokens[-1] in _MAVEN_NULLS:
        tokens.pop()


# Debian: deb-version(7)

_DEBIAN = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z][0-9A-Za-z.+~:-]*?)(?:-([0-9A-Za-z.+~]+))?")
_DEBIAN_RUN = re.compile("([^0-9]*)([0-9]*)")
_DEBIAN_END = ((0,), (0, ""))
_TILDE_PRERELEASE = re.compile("~+(?:alpha|beta|a|b|rc|pre|preview|dev|snapshot|git|m)(?![a-z])", re.IGNORECASE)


def debian_key(version: str) -> Key:
    """Epoch, upstream version, revision; the tilde is below the end, the end below letters, letters below the rest."""
    found = _DEBIAN.fullmatch(version)
    if found is None:
        return _garbage(version)
    return 1, _number(found[1] or ""), _debian_part(found[2]), _debian_part(found[3] or "")


def debian_prerelease(version: str) -> bool:
    return _TILDE_PRERELEASE.search(version) is not None


def _debian_part(part: str) -> Key:
    """Text and number by turns, up to nothing with zero, which is also what a missing number counts as."""
    runs = [(_debian_text(text), _number(digits)) for text, digits in _DEBIAN_RUN.findall(part)]
    while len(runs) > 1 and runs[-1] == _DEBIAN_END:
        runs.pop()
    return (*runs, _DEBIAN_END)


def _debian_text(text: str) -> Key:
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in text), 0)


# RPM: rpm-version(7)

_RPM = re.compile(r"(?:([0-9]+):)?([0-9A-Za-z._+~^]+)(?:-([0-9A-Za-z._+~^]+))?")
_RPM_SEGMENT = re.compile("[0-9]+|[A-Za-z]+|~|[\\^]")
_RPM_TILDE, _RPM_END, _RPM_CARET, _RPM_LETTERS, _RPM_NUMBER = range(5)


def rpm_key(version: str) -> Key:
    """`[epoch:]version[-release]`; the tilde is below the end, the caret right above it, letters below numbers."""
    found = _RPM.fullmatch(version)
    if found is None:
        return _garbage(version)
    return 1, _number(found[1] or ""), _rpm_part(found[2]), _rpm_part(found[3] or "")


def rpm_prerelease(version: str) -> bool:
    return _TILDE_PRERELEASE.search(version) is not None


def _rpm_part(part: str) -> Key:
    return (*(_rpm_segment(segment) for segment in _RPM_SEGMENT.findall(part)), (_RPM_END, ""))


def _rpm_segment(segment: str) -> Key:
    if segment in "~^":
        return (_RPM_TILDE if segment == "~" else _RPM_CARET), ""
    return (_RPM_NUMBER, _number(segment)) if segment.isdigit() else (_RPM_LETTERS, segment)
