"""What an RPM package says of itself: all that a repository's metadata tells of it.

Source: rpm.org, "RPM Tags" and "Dependencies"; which of the dependencies and files are listed follows createrepo_c.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from pakhus.domain.errors import BadPackage
from pakhus.formats.yum.header import LONG_ARCHIVE_SIZE, MAX_ITEMS, SIG_PAYLOAD_SIZE, Header, read_headers
from pakhus.kit.versions import natural_key

NAME, VERSION, RELEASE, EPOCH, SUMMARY, DESCRIPTION = 1000, 1001, 1002, 1003, 1004, 1005
BUILD_TIME, BUILD_HOST, SIZE, VENDOR, LICENSE, PACKAGER = 1006, 1007, 1009, 1011, 1014, 1015
GROUP, URL, ARCH, OLD_FILE_NAMES, FILE_MODES, FILE_FLAGS = 1016, 1020, 1022, 1027, 1030, 1037
SOURCE_RPM, ARCHIVE_SIZE, SOURCE_PACKAGE, LONG_SIZE = 1044, 1046, 1106, 5009
CHANGELOG_TIME, CHANGELOG_AUTHOR, CHANGELOG_TEXT = 1080, 1081, 1082
DIR_INDEXES, BASE_NAMES, DIR_NAMES = 1116, 1117, 1118

PROVIDES, REQUIRES = "provides", "requires"
DEPENDENCIES: Mapping[str, tuple[int, int, int]] = {
    PROVIDES: (1047, 1112, 1113),
    REQUIRES: (1049, 1048, 1050),
    "conflicts": (1054, 1053, 1055),
    "obsoletes": (1090, 1114, 1115),
    "suggests": (5049, 5051, 5050),
    "enhances": (5055, 5057, 5056),
    "recommends": (5046, 5048, 5047),
    "supplements": (5052, 5054, 5053),
}
"""Kind → tags of the names, flags and versions, in the order of the metadata."""
COMPARISONS = {2: "LT", 4: "GT", 8: "EQ", 10: "LE", 12: "GE"}
PRE = 1 << 6 | 1 << 9 | 1 << 10
"""Needed before the package is installed: PREREQ, SCRIPT_PRE, SCRIPT_POST."""
GHOST = 1 << 6
CHANGELOGS = 10
"""The newest ones, as createrepo_c lists."""
MAX_PATHS = 128 << 20
"""Characters of all file names of a package: folders are stored once, and repeated by each file in them."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9._+~^]+", re.ASCII)
_ARCH = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_EVR = re.compile(r"(?:([0-9]*):)?([^-]*)(?:-(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dependency:
    """`comparison` is empty for any version."""

    name: str
    comparison: str = ""
    epoch: str = ""
    version: str = ""
    release: str = ""
    pre: bool = False


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """`kind` is `dir`, `ghost` or empty."""

    path: str
    kind: str = ""

    @property
    def primary(self) -> bool:
        """Is it one of the files that other packages may require by their path?"""
        return self.path.startswith("/etc/") or "bin/" in self.path or self.path == "/usr/lib/sendmail"


@dataclass(frozen=True, slots=True)
class Changelog:
    author: str
    time: int
    text: str


@dataclass(frozen=True, slots=True)
class Package:
    """Sizes in bytes, times in seconds since the epoch; the main header stands at `header_start` to `header_end`."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str
    texts: Mapping[str, str]
    build_time: int
    installed_size: int
    archive_size: int
    header_start: int
    header_end: int
    dependencies: Mapping[str, Sequence[Dependency]]
    files: Sequence[PackagedFile]
    changelogs: Sequence[Changelog]


TEXTS = {
    "summary": SUMMARY,
    "description": DESCRIPTION,
    "packager": PACKAGER,
    "url": URL,
    "license": LICENSE,
    "vendor": VENDOR,
    "group": GROUP,
    "buildhost": BUILD_HOST,
    "sourcerpm": SOURCE_RPM,
}


def read_package(body: BinaryIO) -> Package:
    """What the package at the start of `body` says. Raises `BadPackage`. Blocks: for a thread."""
    headers = read_headers(body)
    main = headers.main
    files = list(_files(main))
    return Package(
        name=_word(main, NAME, _NAME, "name"),
        epoch=str(main.number(EPOCH) or 0),
        version=_word(main, VERSION, _VERSION, "version"),
        release=_word(main, RELEASE, _VERSION, "release"),
        arch="src" if SOURCE_PACKAGE in main else _word(main, ARCH, _ARCH, "architecture"),
        texts={name: main.text(tag) for name, tag in TEXTS.items()},
        build_time=main.number(BUILD_TIME) or 0,
        installed_size=_first(main.number(LONG_SIZE), main.number(SIZE)),
        archive_size=_first(
            headers.signature.number(LONG_ARCHIVE_SIZE),
            headers.signature.number(SIG_PAYLOAD_SIZE),
            main.number(ARCHIVE_SIZE),
        ),
        header_start=headers.start,
        header_end=headers.end,
        dependencies=_dependencies(main, files),
        files=files,
        changelogs=_changelogs(main),
    )


def _first(*numbers: int | None) -> int:
    return next((number for number in numbers if number is not None), 0)


def _word(header: Header, tag: int, pattern: re.Pattern[str], what: str) -> str:
    found = header.text(tag)
    if len(found) > 250 or not pattern.fullmatch(found):
        raise BadPackage(f"the RPM package has no usable {what}: {found[:100]!r}")
    return found


# Files


def _files(header: Header) -> Iterator[PackagedFile]:
    modes, flags = header.numbers(FILE_MODES), header.numbers(FILE_FLAGS)
    for at, path in enumerate(_paths(header)):
        mode = modes[at] if at < len(modes) else 0
        if stat.S_ISDIR(mode):
            yield PackagedFile(path, "dir")
        elif at < len(flags) and flags[at] & GHOST:
            yield PackagedFile(path, "ghost")
        else:
            yield PackagedFile(path)


def _paths(header: Header) -> Iterator[str]:
    """Folders and names are kept apart; packages of before 2000 have whole paths."""
    if BASE_NAMES not in header:
        yield from header.texts(OLD_FILE_NAMES)
        return
    folders, indexes = header.texts(DIR_NAMES), header.numbers(DIR_INDEXES)
    names = header.texts(BASE_NAMES)
    if len(indexes) != len(names) or any(index >= len(folders) for index in indexes):
        raise BadPackage("the RPM header is corrupt: its lists of files do not fit together")
    if sum(len(folders[index]) for index in indexes) > MAX_PATHS:
        raise BadPackage(f"the names of the package's files have more than {MAX_PATHS} characters")
    for index, name in zip(indexes, names, strict=True):
        yield folders[index] + name


# Dependencies


def _dependencies(header: Header, files: Sequence[PackagedFile]) -> Mapping[str, Sequence[Dependency]]:
    found = {kind: _unique(_relations(header, kind)) for kind in DEPENDENCIES}
    provided = {(each.name, each.comparison, each.epoch, each.version, each.release) for each in found[PROVIDES]}
    own = {file.path for file in files if file.primary}
    found[REQUIRES] = _with_one_libc(
        each
        for each in found[REQUIRES]
        if not each.name.startswith("rpmlib(")
        and each.name not in own
        and (each.name, each.comparison, each.epoch, each.version, each.release) not in provided
    )
    return found


def _relations(header: Header, kind: str) -> Iterator[Dependency]:
    name_tag, flags_tag, version_tag = DEPENDENCIES[kind]
    names, flags, versions = header.texts(name_tag), header.numbers(flags_tag), header.texts(version_tag)
    for at, name in enumerate(names):
        flag = flags[at] if at < len(flags) else 0
        written = versions[at] if at < len(versions) else ""
        parts = _EVR.fullmatch(written) if written else None
        epoch, version, release = (parts[1] or "0", parts[2], parts[3] or "") if parts else ("", "", "")
        pre = kind == REQUIRES and bool(flag & PRE)
        yield Dependency(name, COMPARISONS.get(flag & 0xF, ""), epoch, version, release, pre)


def _unique(dependencies: Iterator[Dependency]) -> list[Dependency]:
    return list(dict.fromkeys(dependencies))


def _with_one_libc(requires: Iterator[Dependency]) -> list[Dependency]:
    """Each symbol version of the C library is required by itself; the highest implies the others."""
    kept: list[Dependency] = []
    libc: list[Dependency] = []
    for each in requires:
        (libc if each.name.startswith("libc.so.6") else kept).append(each)
    return [*kept, max(libc, key=lambda each: natural_key(each.name))] if libc else kept


# Changelogs


def _changelogs(header: Header) -> list[Changelog]:
    """The newest ones, oldest first. Of equal times the later entry gets the next second, to keep their order."""
    times = header.numbers(CHANGELOG_TIME)[:CHANGELOGS]
    authors, texts = header.texts(CHANGELOG_AUTHOR), header.texts(CHANGELOG_TEXT)
    if len(times) > len(authors) or len(times) > len(texts) or len(times) > MAX_ITEMS:
        raise BadPackage("the RPM header is corrupt: its changelog is incomplete")
    found: list[Changelog] = []
    for time, author, text in reversed(list(zip(times, authors, texts, strict=False))):
        if found and found[-1].time >= time >= found[-1].time - len(found):
            time = found[-1].time + 1
        found.append(Changelog(author.rstrip(), time, text))
    return found
