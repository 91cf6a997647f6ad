"""Go modules: the GOPROXY protocol, the checksum database relayed, and module zips that are published by PUT."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError
from pakhus.domain.security import Permission
from pakhus.formats.go.documents import Latest, RevisionQuery, VersionList
from pakhus.formats.go.files import GoModFile, ModuleZip, VersionInfo
from pakhus.formats.go.names import escape
from pakhus.formats.go.sumdb import Record, Supported, Tile, TreeHead
from pakhus.formats.go.upload import UPLOAD, receive, remove
from pakhus.kit.context import Reply
from pakhus.kit.format import Action, Clue, Format, Snippet
from pakhus.kit.versions import go_key, go_prerelease

USAGE = (
    Snippet("go", "machine {host}\nlogin {user}\npassword {password}\n", file="~/.netrc", language="text"),
    Snippet(
        "go",
        """\
go env -w GOPROXY={url}
# Over plain http go sends no credentials; modules of one's own are not in the checksum database.
go env -w GONOSUMDB=<module>
go get <module>
""",
    ),
    Snippet("curl: publish", "curl -f -u {user}:{password} -T module.zip {url}<module>/@v/v1.0.0.zip"),
)

FIRST_PROXY = r"go env GOPROXY | tr ',|' '\n' | head -n 1"


class Go(Format):
    name = "go"
    routes = (
        Supported(),
        TreeHead(),
        Record(),
        Tile(),
        VersionList(),
        Latest(),
        Action("PUT", "{module:path}/@v/{version}.zip", receive),
        Action("DELETE", ModuleZip.path, remove, needs=Permission.DELETE),
        ModuleZip(),
        GoModFile(),
        VersionInfo(),
        RevisionQuery(),
    )
    upload = UPLOAD
    usage = USAGE
    clues = (Clue(command=("sh", "-c", FIRST_PROXY)),)

    def canonical(self, path: str) -> str:
        """A capital letter is never part of a path: who writes one means its escaped form."""
        return escape(path)

    def version_key(self, version: str) -> Any:
        return go_key(version)

    def prerelease(self, version: str) -> bool:
        return go_prerelease(version)

    def problem(self, error: PakhusError) -> Reply:
        """go prints the status line, and below it the plain text: once is enough for the reason."""
        plain = super().problem(error)
        return replace(plain, reason=HTTPStatus(error.status).phrase)

    def browse(self, asset: Asset) -> Sequence[str]:
        """Module, version, file; other things stand where their path says."""
        if asset.coordinates is None:
            return asset.path.split("/")
        return [*asset.coordinates.name.split("/"), asset.coordinates.version, asset.filename]
