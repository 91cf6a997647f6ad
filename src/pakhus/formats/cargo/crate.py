"""The .crate file: a gzipped tar of one folder, with the normalised Cargo.toml that cargo wrote into it.

Its bytes never change: another content would be another version.
Source: the Cargo book, "The Manifest Format"; `cargo package`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from pakhus.domain.content import Coordinates, Facts, Origin
from pakhus.domain.errors import BadPackage
from pakhus.formats.cargo.index import CONFIG, Config, upstream_entry
from pakhus.formats.cargo.names import CRATE_FILE, coordinates
from pakhus.kit.archives import Limits, read_tar
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File

CONTENT_TYPE = "application/gzip"
LIMITS = Limits(entries=200_000, member=4 << 20, total=4 << 30)
README_LIMIT = 32 << 10
TEXTS = ("name", "description", "license", "homepage", "repository", "documentation", "links")
LISTS = ("keywords", "categories", "authors")
_README = re.compile(r"[^/]+/readme(?:\.(?:md|markdown|txt|rst))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Packed:
    """What a crate file contains: its folder, its Cargo.toml, its README (shortened)."""

    folder: str
    manifest: Mapping[str, Any]
    readme: str

    @property
    def package(self) -> Mapping[str, Any]:
        return _mapping(self.manifest.get("package"))


class CrateFile(File):
    path = CRATE_FILE

    def immutable(self, ctx: Context) -> bool:
        return True

    def identify(self, ctx: Context) -> Coordinates:
        return coordinates(ctx["name"], ctx["version"])

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return Facts(facts(read_crate(body)))

    def content_type(self, ctx: Context) -> str:
        return CONTENT_TYPE

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Where the upstream's `dl` says, with the checksum of its index."""
        entry = await upstream_entry(upstream, ctx["name"], ctx["version"])
        config: Config = await upstream.model(CONFIG)
        return Origin(config.download(entry), entry.digests)


def read_crate(body: BinaryIO) -> Packed:
    """Read a crate file to its end. Raises `BadPackage`, also for files beside its one folder: cargo refuses these."""
    folders: set[str] = set()

    def wanted(name: str) -> bool:
        folder, _, rest = name.partition("/")
        folders.add(folder)
        if len(folders) > 1 or not rest or ".." in rest.split("/"):
            raise BadPackage(f"the crate has {name[:200]}, which is not in its folder")
        return rest == "Cargo.toml"

    try:
        found = read_tar(body, lambda name: wanted(name) or _README.fullmatch(name) is not None, LIMITS)
    except BadPackage:
        # A README beyond all bounds is no reason to refuse a crate; whatever else is wrong is wrong again.
        body.seek(0)
        found = read_tar(body, wanted, LIMITS)
    folder = next(iter(folders), "")
    written = found.pop(f"{folder}/Cargo.toml", None)
    if written is None:
        raise BadPackage("the crate has no Cargo.toml in its folder")
    readme = max(found.values(), key=len, default=b"")[:README_LIMIT]
    return Packed(folder, _parsed(written), readme.decode("utf-8", "ignore").replace("\x00", ""))


def _parsed(written: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(written.decode())
    except (ValueError, RecursionError) as error:
        raise BadPackage(f"the crate's Cargo.toml cannot be read: {error}") from error


def facts(packed: Packed) -> dict[str, Any]:
    """What search and the component page know of a version; only what the manifest has."""
    package = packed.package
    known: dict[str, Any] = {member: _text(package.get(member)) for member in TEXTS}
    known |= {member: _texts(package.get(member)) for member in LISTS}
    known["license"] = known["license"] or _text(package.get("license-file"))
    known["rustVersion"] = _text(package.get("rust-version"))
    known["dependencies"] = requirements(packed.manifest)
    known["readme"] = packed.readme
    return {name: value for name, value in known.items() if value}


def requirements(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Crate → version requirement, of the normal dependencies on all targets."""
    tables = [manifest, *_mapping(manifest.get("target")).values()]
    found: dict[str, str] = {}
    for table in tables:
        for alias, wanted in _mapping(_mapping(table).get("dependencies")).items():
            stated = wanted if isinstance(wanted, Mapping) else {"version": wanted}
            found.setdefault(_text(stated.get("package")) or alias, _text(stated.get("version")) or "*")
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
