"""The Maven 2 repository layout: paths in, coordinates out, and back.

`<group as folders>/<artifactId>/<baseVersion>/<artifactId>-<version>[-<classifier>].<extension>[.asc]`, where the
version of a SNAPSHOT is either the base version itself or has its date and build number in place of the word.
Source: the reference page "Maven2 repository layout" of the Maven project; compound extensions by observation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CHECKSUMS = ("md5", "sha1", "sha256", "sha512")
SIGNATURES = (".asc", ".sigstore.json", ".sigstore")
SNAPSHOT = "SNAPSHOT"
METADATA = "maven-metadata.xml"
CATALOG = "archetype-catalog.xml"

_GROUP = re.compile(r"[^/.]+(?:/[^/.]+)*")
_STAMP = re.compile(r"(\d{8}\.\d{6})-(\d+)")
_STAMPED = re.compile(r"(?P<head>.*-|)(?P<timestamp>\d{8}\.\d{6})-(?P<build>\d+)")
_COMPOUND = re.compile(r".+\.(?P<extension>(?:tar|cpio|spdx|cdx)\.[A-Za-z0-9]+|spdx\.rdf\.xml)")
_EXTENSION = re.compile(r"[A-Za-z0-9_+\-]+|[a-z][A-Za-z0-9_+\-]*(?:\.[A-Za-z0-9_+\-]+)+")


@dataclass(frozen=True, slots=True)
class Gav:
    """What a path of the layout says. `version` has the timestamp of a SNAPSHOT, `base_version` never has."""

    group_id: str
    artifact_id: str
    base_version: str
    version: str
    extension: str
    classifier: str = ""
    signature: str = ""
    """One of `SIGNATURES`, for the signature of the artifact."""

    @property
    def is_snapshot(self) -> bool:
        return is_snapshot(self.base_version)

    @property
    def is_timestamped(self) -> bool:
        return self.version != self.base_version

    @property
    def is_pom(self) -> bool:
        return self.extension == "pom" and not self.classifier and not self.signature

    @property
    def full_extension(self) -> str:
        """The extension as deployed: a signature is an artifact of its own (`jar.asc`)."""
        return self.extension + self.signature

    @property
    def folder(self) -> str:
        return f"{self.group_id.replace('.', '/')}/{self.artifact_id}/{self.base_version}"

    @property
    def path(self) -> str:
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.folder}/{self.artifact_id}-{self.version}{classifier}.{self.full_extension}"


def is_snapshot(version: str) -> bool:
    """Is it a base version that stands for moving builds?"""
    return version.endswith(SNAPSHOT)


def stamp(version: str) -> tuple[str, int] | None:
    """Timestamp (`yyyyMMdd.HHmmss`) and build number of a timestamped version, else `None`."""
    found = _STAMPED.fullmatch(version)
    return (found["timestamp"], int(found["build"])) if found else None


def parse(path: str) -> Gav | None:
    """The coordinates in the path of an artifact or its signature; `None` for anything else, checksums included."""
    folder, _, filename = path.rpartition("/")
    above, _, base_version = folder.rpartition("/")
    group, _, artifact_id = above.rpartition("/")
    if not base_version or _GROUP.fullmatch(group) is None or not filename.startswith(f"{artifact_id}-"):
        return None
    if filename.endswith(tuple(f".{name}" for name in CHECKSUMS)):
        return None
    signature = next((suffix for suffix in SIGNATURES if filename.endswith(suffix)), "")
    rest = filename[len(artifact_id) + 1 : len(filename) - len(signature)]
    version = _version(rest, base_version)
    tail = None if version is None else _tail(rest[len(version) :])
    if version is None or tail is None:
        return None
    classifier, extension = tail
    return Gav(group.replace("/", "."), artifact_id, base_version, version, extension, classifier, signature)


def _version(rest: str, base_version: str) -> str | None:
    """The version at the start of what follows `<artifactId>-`."""
    if rest.startswith(base_version):
        return base_version
    if not is_snapshot(base_version):
        return None
    head = base_version[: -len(SNAPSHOT)]
    found = _STAMP.match(rest, len(head)) if rest.startswith(head) else None
    return rest[: found.end()] if found else None


def _tail(tail: str) -> tuple[str, str] | None:
    """Classifier and extension from `[-classifier].extension`."""
    if tail.startswith("."):
        extension = tail[1:]
        return ("", extension) if _EXTENSION.fullmatch(extension) else None
    if not tail.startswith("-"):
        return None
    compound = _COMPOUND.fullmatch(tail[1:])
    extension = compound["extension"] if compound else tail.rpartition(".")[2]
    classifier = tail[1 : len(tail) - len(extension) - 1]
    well_formed = classifier and _EXTENSION.fullmatch(extension) and len(extension) + 1 < len(tail)
    return (classifier, extension) if well_formed else None


@dataclass(frozen=True, slots=True)
class Place:
    """What a `maven-metadata.xml` in a folder may speak of."""

    folder: str

    @property
    def is_version(self) -> bool:
        """Is it the folder of a SNAPSHOT version, not of an artifact or a group?"""
        above, _, last = self.folder.rpartition("/")
        return is_snapshot(last) and "/" in above

    @property
    def group(self) -> str:
        """The group whose plugins have their prefixes here."""
        return self.folder.replace("/", ".")

    @property
    def artifact(self) -> tuple[str, str]:
        """Group and artifact whose versions are listed here; the group is empty in a folder at the root."""
        folder = self.folder.rpartition("/")[0] if self.is_version else self.folder
        group, _, artifact = folder.rpartition("/")
        return group.replace("/", "."), artifact

    @property
    def version(self) -> str:
        return self.folder.rpartition("/")[2] if self.is_version else ""
