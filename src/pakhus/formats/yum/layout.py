"""Where things lie: packages in folders, `repodata/` at a depth that the repository's settings give, and documents
beside it that are merged into it (comps, modules, updateinfo).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field as Option

from pakhus.domain.content import Coordinates
from pakhus.domain.errors import Invalid, PolicyViolation
from pakhus.kit.context import Settings, SigningKeyPair
from pakhus.kit.paths import flaw

REPODATA = "repodata/"
SET_PATH = "{base:(?:[^/]+/)*}repodata/{file:path}"
KEY_PATH = "{base:(?:[^/]+/)*}repodata/repomd.xml.key"
MAX_DEPTH = 10
RPM_SUFFIX = ".rpm"
COMPRESSED = r"(?:\.(?:gz|xz|zst|bz2))?"
KINDS = {
    "group": re.compile(rf"(?:.*[-_.])?comps(?:[-_.].*)?\.xml{COMPRESSED}"),
    "modules": re.compile(rf"(?:.*[-_.])?modules(?:[-_.].*)?\.ya?ml{COMPRESSED}"),
    "updateinfo": re.compile(rf"(?:.*[-_.])?updateinfo(?:[-_.].*)?\.xml{COMPRESSED}"),
}
"""Type of record in `repomd.xml` → the names of the documents that are merged into it."""
_NVRA = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<release>[^-]+)\.(?P<arch>[^.-]+)\.rpm")


class HostedOptions(Settings):
    """`repodata_depth`: how many folders above each `repodata/`. `STRICT` refuses what no `repodata/` would list."""

    repodata_depth: int = Option(default=0, ge=0, le=MAX_DEPTH)
    deploy_policy: Literal["STRICT", "PERMISSIVE"] = "STRICT"
    compression: Literal["GZIP", "ZSTD"] = "GZIP"


class HostedSettings(Settings):
    yum: HostedOptions = Option(default_factory=HostedOptions)
    yum_signing: SigningKeyPair | None = None


class GroupOptions(Settings):
    compression: Literal["GZIP", "ZSTD"] = "GZIP"


class GroupSettings(Settings):
    yum: GroupOptions = Option(default_factory=GroupOptions)
    yum_signing: SigningKeyPair | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an upload is kept, and what it is: a package, a document of some kind, or any other file."""

    path: str
    kind: Literal["rpm", "group", "modules", "updateinfo", ""]


def bases(path: str) -> Iterator[str]:
    """The folders that a file lies in, from the root on, each with a slash at its end; the root is empty."""
    folders = path.split("/")[:-1]
    for depth in range(min(len(folders), MAX_DEPTH) + 1):
        yield "".join(f"{folder}/" for folder in folders[:depth])


def depth_of(base: str) -> int:
    return base.count("/")


def namespace(path: str, options: HostedOptions) -> str:
    """The top folder where `repodata/` lies deeper than the root: changes below another one then concern no other."""
    return path.partition("/")[0] if options.repodata_depth else ""


def document_kind(filename: str) -> Literal["group", "modules", "updateinfo", ""]:
    for kind, pattern in KINDS.items():
        if pattern.fullmatch(filename):
            return kind  # type: ignore[return-value]
    return ""


def admitted(path: str, options: HostedOptions) -> Place:
    """Where a file sent to `path` goes. A document sent into a `repodata/` folder lies beside it.

    Raises `Invalid` for other files there, which are generated, and `PolicyViolation` for what the policy refuses.
    """
    if problem := flaw(path):
        raise Invalid(problem, field="filename")
    folder, _, filename = path.rpartition("/")
    kind = document_kind(filename)
    if folder.rpartition("/")[2] == "repodata":
        if not kind:
            raise Invalid(f"{filename} is generated: only comps, modules and updateinfo are uploaded into repodata/")
        path = path.removesuffix(REPODATA + filename) + filename
    elif "repodata" in folder.split("/"):
        raise Invalid(f"{path} lies below a folder whose files are generated")
    strict, depth, wanted = options.deploy_policy == "STRICT", path.count("/"), options.repodata_depth
    if path.endswith(RPM_SUFFIX):
        if strict and depth < wanted:
            raise PolicyViolation(f"{path} lies above the repodata depth of {wanted} folders: it would not be listed")
        return Place(path, "rpm")
    if kind and depth == wanted:
        return Place(path, kind)
    if strict:
        what = f"belongs into a folder at the repodata depth of {wanted}" if kind else "is not a package or metadata"
        raise PolicyViolation(f"{path} {what}: the deploy policy is strict")
    return Place(path, "")


def identified(path: str) -> Coordinates | None:
    """The package that a file's name tells of, as far as it does: an epoch is not part of it."""
    found = _NVRA.fullmatch(path.rpartition("/")[2])
    return None if found is None else Coordinates(found["name"], f"{found['version']}-{found['release']}")
