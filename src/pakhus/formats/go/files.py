"""The three files of a version. None of them ever changes: go.sum files all over the world have their hashes.

Source: Go modules reference, "GOPROXY protocol".
"""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO

from pakhus.domain.content import NO_FACTS, Coordinates, Facts
from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.go.documents import TEXT, revision
from pakhus.formats.go.gomod import parse_gomod
from pakhus.formats.go.modulezip import MAX_SINGLE, described, read
from pakhus.formats.go.names import ESCAPED_VERSION, coordinates
from pakhus.kit.context import Context
from pakhus.kit.format import File

VERSION = f"{{module:path}}/@v/{{version:{ESCAPED_VERSION}}}"
MAX_INFO = 1 << 20


class VersionFile(File):
    """A file of a canonical version."""

    media_type = ""

    def admit(self, ctx: Context) -> None:
        coordinates(ctx["module"], ctx["version"])

    def immutable(self, ctx: Context) -> bool:
        return True

    def identify(self, ctx: Context) -> Coordinates | None:
        return coordinates(ctx["module"], ctx["version"])

    def content_type(self, ctx: Context) -> str:
        return self.media_type


class VersionInfo(VersionFile):
    path = VERSION + ".info"
    media_type = "application/json"

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        try:
            time = revision(body.read(MAX_INFO)).get("Time")
            published = datetime.fromisoformat(time) if isinstance(time, str) else None
        except (Invalid, ValueError) as error:
            raise BadPackage(f"the version's JSON cannot be read: {error}") from error
        if published is None or published.tzinfo is None:
            return NO_FACTS
        return Facts({"time": time}, published=published)


class GoModFile(VersionFile):
    path = VERSION + ".mod"
    media_type = TEXT

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return Facts(described(parse_gomod(body.read(MAX_SINGLE))))


class ModuleZip(VersionFile):
    path = VERSION + ".zip"
    media_type = "application/zip"

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return Facts(read(body, coordinates(ctx["module"], ctx["version"])).attributes)
