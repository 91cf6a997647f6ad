"""Which file goes to which repository, decided before the first byte is sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pakhus.cli.outcome import Code, Failure
from pakhus.cli.upload.kinds import Kind, kind


@dataclass(frozen=True, slots=True)
class Parcel:
    """One file with its destination. `path` None: the server finds the place from the file itself.

    Not sent if `skip` (nothing is wrong) or `problem` says why.
    """

    file: Path
    format: str = ""
    repository: str = ""
    path: str | None = None
    skip: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user decided: one repository for all, or patterns of file names (first match) with a repository each."""

    repository: str = ""
    patterns: tuple[tuple[str, str], ...] = ()
    prefix: str = ""

    def repository_for(self, relative: str) -> str:
        if self.repository:
            return self.repository
        name = relative.rpartition("/")[2]
        return next((to for pattern, to in self.patterns if fnmatch(name, pattern) or fnmatch(relative, pattern)), "")


def rules(repository: str, patterns: Sequence[str], prefix: str) -> Rules:
    pairs = []
    for text in patterns:
        pattern, equals, to = text.rpartition("=")
        if not (pattern and equals and to):
            raise Failure(f"--map takes pattern=repository, not {text!r}", Code.USAGE)
        pairs.append((pattern, to))
    return Rules(repository, tuple(pairs), prefix.strip("/"))


def files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every file, with its path (with slashes) below the folder that was named; a file named itself has its name."""
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    file = Path(folder) / name
                    yield file, file.relative_to(path).as_posix()
        elif path.exists():
            yield path, path.name
        else:
            raise Failure(f"{path}: no such file or folder", Code.USAGE)


class Planner:
    """Chooses among the server's repositories. `settings_of` reads one's settings, `{}` where it may not."""

    def __init__(
        self,
        repositories: Sequence[Mapping[str, Any]],
        rules: Rules,
        settings_of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        self.repositories = {repository["name"]: repository for repository in repositories}
        self.rules = rules
        self.settings_of = settings_of
        self.policies: dict[str, str] = {}

    def plan(self, file: Path, relative: str) -> Parcel:
        """Where the file goes."""
        try:
            named = self.rules.repository_for(relative)
            if named and named not in self.repositories:
                raise Failure(f"there is no repository {named}", Code.NOT_FOUND)
            found = self.kind(file, relative, named)
            if found.skip:
                return Parcel(file, found.format, skip=found.skip)
            repository = named or self.choose(found)
        except Failure as failure:
            return Parcel(file, problem=failure.message)
        path = found.path
        if found.format == "raw" and path and self.rules.prefix:
            path = f"{self.rules.prefix}/{path}"
        return Parcel(file, found.format, repository, path)

    def kind(self, file: Path, relative: str, named: str) -> Kind:
        """The file's kind, or what the named repository makes of it."""
        if not named:
            return kind(file, relative)
        format = self.repositories[named]["format"]
        if format == "raw":
            return Kind("raw", relative)
        found = kind(file, relative)
        if format == "maven2" and found.format != "maven2":
            raise Failure("not in a Maven layout, and it does not say its coordinates")
        return found if found.format == format else Kind(format)

    def choose(self, found: Kind) -> str:
        """The hosted repository for a kind. Raises `Failure` if there is none, or more than one to choose from."""
        names = [
            name
            for name, repository in self.repositories.items()
            if repository["format"] == found.format
            and repository["type"] == "hosted"
            and repository.get("online", True)
        ]
        if found.format == "maven2" and found.path:
            names = self.taking(names, "SNAPSHOT" if is_snapshot(found.path) else "RELEASE")
        # The names that a fresh server gives.
        usual = [name for name in names if name in (f"{found.format}-hosted", "maven-releases", "maven-snapshots")]
        if len(names) > 1 and len(usual) == 1:
            names = usual
        if not names:
            raise Failure(f"the server has no hosted {found.format} repository for it")
        if len(names) > 1:
            raise Failure(f"could go to {', '.join(sorted(names))}: say which with --map or --repo")
        return str(names[0])

    def taking(self, names: list[str], policy: str) -> list[str]:
        """Those Maven repositories whose version policy takes it; one whose policy is not told may."""
        for name in names:
            if name not in self.policies:
                maven = self.settings_of(self.repositories[name]).get("maven") or {}
                self.policies[name] = str(maven.get("versionPolicy") or "MIXED").upper()
        return [name for name in names if self.policies[name] in (policy, "MIXED")]


def is_snapshot(path: str) -> bool:
    return path.split("/")[-2].endswith("-SNAPSHOT")
