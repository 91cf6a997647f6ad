"""A package file (.nupkg, .snupkg): a zip whose nuspec says who it is. Nothing of it is trusted.

Source: NuGet's documentation, "Package format"; OPC, ISO/IEC 29500-2 (the zip around it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from pakhus.domain.content import Facts
from pakhus.domain.errors import BadPackage
from pakhus.formats.nuget import nuspec
from pakhus.formats.nuget.nuspec import Nuspec
from pakhus.kit.archives import Limits, read_zip, zip_names

LIMITS = Limits(entries=65_535, member=4 << 20, total=16 << 20)
SYMBOL_LIMITS = Limits(entries=65_535, member=256 << 20, total=1 << 30)
README_LIMIT = 64 << 10
SYMBOLS_TYPE = "SymbolsPackage"
_TRAVERSAL = re.compile(r"^[/\\]|^[A-Za-z]:|(?:^|[/\\])\.\.(?:[/\\]|$)|[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Package:
    """What a package file holds: its manifest as parsed and as written, its icon and its README if they are inside."""

    nuspec: Nuspec
    manifest: bytes
    icon: bytes = b""
    readme: bytes = b""


def read(body: BinaryIO) -> Package:
    """Raises `BadPackage`. Blocks: for a thread."""
    manifest = _manifest(body)
    found = nuspec.read(manifest)
    wanted = {member: _inside(found.entry.get(f"{member}File", "")) for member in ("icon", "readme")}
    body.seek(0)
    held = read_zip(body, lambda name: _inside(name) in wanted.values() and bool(name), LIMITS)
    files = {_inside(name): content for name, content in held.items()}
    return Package(found, manifest, files.get(wanted["icon"], b""), files.get(wanted["readme"], b""))


def _manifest(body: BinaryIO) -> bytes:
    names = zip_names(body, LIMITS)
    for name in names:
        if _TRAVERSAL.search(name):
            raise BadPackage(f"{name!r} is not a safe file name")
    manifests = [name for name in names if "/" not in name and "\\" not in name and name.lower().endswith(".nuspec")]
    if not manifests:
        raise BadPackage("the package has no nuspec")
    if len(manifests) > 1:
        raise BadPackage(f"the package has more than one nuspec: {', '.join(sorted(manifests))}"[:500])
    body.seek(0)
    return read_zip(body, lambda name: name == manifests[0], LIMITS)[manifests[0]]


def _inside(name: str) -> str:
    """A file of the package as the nuspec or the archive spells it."""
    return name.replace("\\", "/").removeprefix("./").removeprefix("/").lower()


def facts(package: Package) -> Facts:
    """What is known of the version, and in the common words what pages and search show of it."""
    entry = package.nuspec.entry
    known: dict[str, Any] = {
        "id": package.nuspec.id,
        "entry": dict(entry),
        "listed": True,
        **common(entry),
        "readme": package.readme.decode("utf-8", "replace")[:README_LIMIT],
    }
    return Facts(known, {"id": package.nuspec.id, "version": package.nuspec.version})


def common(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The words that all formats share; members are always there, so that a new push forgets what the old one said."""
    return {
        "title": entry.get("title", ""),
        "description": entry.get("description", ""),
        "summary": entry.get("summary", ""),
        "author": entry.get("authors", ""),
        "license": entry.get("licenseExpression") or entry.get("licenseUrl") or entry.get("licenseFile", ""),
        "homepage": entry.get("projectUrl", ""),
        "repository": entry.get("repository", {}).get("url", ""),
        "keywords": entry.get("tags", []),
        "dependencies": {
            dependency["id"]: dependency["range"]
            for group in entry.get("dependencyGroups", ())
            for dependency in group.get("dependencies", ())
        },
    }
