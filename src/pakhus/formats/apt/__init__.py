"""Debian's packages: binary and source, as apt reads them, in signed distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pakhus.domain.content import Asset, Coordinates
from pakhus.domain.security import Permission
from pakhus.formats.apt import upload
from pakhus.formats.apt.deb import FILE
from pakhus.formats.apt.places import SOURCE
from pakhus.formats.apt.settings import SETTINGS
from pakhus.formats.apt.source import DSC_FILE
from pakhus.formats.apt.suites import FlatSuite, Suite
from pakhus.formats.apt.versions import PRERELEASE, version_key
from pakhus.kit.context import Context
from pakhus.kit.format import Action, Clue, Field, File, Format, PublicKey, Snippet, UploadForm

FIRST_SOURCE = "apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1"

USAGE = (
    Snippet(
        "apt",
        "curl -fsSL -u {user}:{password} {url}key.asc -o /etc/apt/keyrings/{name}.asc",
    ),
    Snippet(
        "apt",
        "Types: deb deb-src\nURIs: {url}\nSuites: stable\nComponents: main\nSigned-By: /etc/apt/keyrings/{name}.asc\n",
        file="/etc/apt/sources.list.d/{name}.sources",
        language="ini",
    ),
    Snippet(
        "apt",
        "machine {url} login {user} password {password}\n",
        file="/etc/apt/auth.conf.d/{name}.conf",
        language="ini",
    ),
    Snippet("curl", "curl -fsS -u {user}:{password} -T hello_1.0_amd64.deb {url}pool/main/h/hello/"),
    Snippet("curl", "curl -fsS -u {user}:{password} --data-binary @hello_1.0_amd64.deb {url}"),
)


class ArmoredKey(PublicKey):
    path = "key.asc"


class BinaryKey(PublicKey):
    path = "key.gpg"
    armored = False


class PoolFile(File):
    """A package, wherever the index says that it lies."""

    path = "{file:path}"

    def identify(self, ctx: Context) -> Coordinates | None:
        """By the file's name: a proxy does not open what it relays."""
        filename = ctx.path.rpartition("/")[2]
        if found := FILE.fullmatch(filename):
            return Coordinates(found["name"], found["version"].replace("%3a", ":"), found["architecture"])
        if found := DSC_FILE.fullmatch(filename):
            return Coordinates(found["name"], found["version"], SOURCE)
        return None

    def content_type(self, ctx: Context) -> str:
        return upload.content_type(ctx.path) or super().content_type(ctx)


class Apt(Format):
    name = "apt"
    routes = (
        Suite(),
        FlatSuite(),
        ArmoredKey(),
        BinaryKey(),
        PoolFile(),
        Action("POST", "", upload.post),
        Action("PUT", "{file:path}", upload.put),
        Action("DELETE", "{file:path}", upload.remove, needs=Permission.DELETE),
    )
    settings = SETTINGS
    upload = UploadForm(
        run=upload.store,
        component_fields=(
            Field("distribution", description="Where it is listed, such as stable; default: the repository's"),
            Field("component", description="Such as main, which is the default"),
        ),
        multiple=True,
    )
    search: ClassVar[Mapping[str, str]] = {
        "apt.architecture": "namespace",
        "apt.section": "component.section",
        "apt.maintainer": "component.maintainer",
    }
    usage = USAGE
    clues = (Clue(command=("sh", "-c", FIRST_SOURCE)),)

    def version_key(self, version: str) -> Any:
        return version_key(version)

    def prerelease(self, version: str) -> bool:
        return PRERELEASE.search(version) is not None

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        found = asset.coordinates
        return {"name": found.name, "version": found.version, "architecture": found.namespace}
