"""Cargo: the sparse index and the web API of a Rust registry.

The component's name is the crate's in lower case. Attributes of a version: `entry` as published (the index line),
`yanked`, and what Cargo.toml says; of the crate itself (the component without version, under its folded name): `name`
as it is spelled, `owners`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import PakhusError, Unauthenticated
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.cargo.config import CargoSettings, config, login_page
from pakhus.formats.cargo.crate import CrateFile
from pakhus.formats.cargo.index import INDEX
from pakhus.formats.cargo.names import CRATE_FILE, canonical
from pakhus.formats.cargo.owners import OWNERS, Owners, add_owners, remove, remove_owners, unyank, yank
from pakhus.formats.cargo.publish import JSON, publish
from pakhus.formats.cargo.search import Search
from pakhus.formats.cargo.usage import CLUES, USAGE
from pakhus.kit.context import Reply, Settings
from pakhus.kit.format import ANY, BASIC, BEARER, Action, Credential, Format
from pakhus.kit.versions import semver_key, semver_prerelease
from pakhus.kit.wire import dump_json

READ, EDIT, DELETE = Permission.READ, Permission.EDIT, Permission.DELETE
VERSION = "api/v1/crates/{name}/{version}"
CHALLENGE = 'Basic realm="Sonatype Nexus Repository Manager", Cargo realm="Sonatype Nexus Repository Manager"'


class Cargo(Format):
    name = "cargo"
    routes = (
        Action("GET", "config.json", config, on=ANY, needs=READ),
        Action("HEAD", "config.json", config, on=ANY, needs=READ),
        Action("GET", "me", login_page, on=ANY, needs=None),
        Search(),
        Action("PUT", "api/v1/crates/new", publish),
        Action("DELETE", VERSION + "/yank", yank, needs=EDIT),
        Action("PUT", VERSION + "/unyank", unyank, needs=EDIT),
        Owners(),
        Action("PUT", OWNERS, add_owners, needs=EDIT),
        Action("DELETE", OWNERS, remove_owners, needs=EDIT),
        CrateFile(),
        Action("DELETE", CRATE_FILE, remove, needs=DELETE),
        INDEX,
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {
        RepositoryType.PROXY: CargoSettings,
        RepositoryType.GROUP: CargoSettings,
    }
    credentials = (Credential("raw"), BASIC, BEARER)
    search: ClassVar[Mapping[str, str]] = {
        "cargo.description": "component.description",
        "cargo.keywords": "component.keywords",
        "cargo.license": "component.license",
    }
    usage = USAGE
    clues = CLUES

    def canonical(self, path: str) -> str:
        return canonical(path)

    def version_key(self, version: str) -> Any:
        return semver_key(version)

    def prerelease(self, version: str) -> bool:
        return semver_prerelease(version)

    def title(self, component: Component) -> str:
        return str(component.attributes.get("name", component.name))

    def browse(self, asset: Asset) -> Sequence[str]:
        """`serde / 1.0.0 / serde-1.0.0.crate`."""
        if asset.coordinates is None:
            return asset.path.split("/")
        return [asset.coordinates.name, asset.coordinates.version, asset.filename]

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        return {"name": asset.coordinates.name, "version": asset.coordinates.version}

    def problem(self, error: PakhusError) -> Reply:
        """Cargo prints the details."""
        body = dump_json({"errors": [{"detail": error.message}]})
        challenge = {"www-authenticate": CHALLENGE} if isinstance(error, Unauthenticated) else {}
        return Reply(error.status, body, {**JSON, **challenge})


__all__ = ["Cargo"]
