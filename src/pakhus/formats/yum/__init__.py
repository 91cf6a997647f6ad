"""Yum: RPM packages, as dnf, yum and zypper read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pakhus.domain.content import Asset
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.yum.layout import SET_PATH, GroupSettings, HostedSettings
from pakhus.formats.yum.listed import RPM
from pakhus.formats.yum.packages import UPLOAD, AnyFile, put, remove
from pakhus.formats.yum.repodata import REPODATA_SET, Key
from pakhus.formats.yum.usage import USAGE
from pakhus.kit.context import Settings
from pakhus.kit.format import Action, Format
from pakhus.kit.versions import rpm_key, rpm_prerelease


class Yum(Format):
    name = "yum"
    routes = (
        Key(),
        REPODATA_SET,
        Action("PUT", SET_PATH, put),
        Action("DELETE", SET_PATH, remove, needs=Permission.DELETE),
        Action("PUT", AnyFile.path, put),
        AnyFile(),
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {
        RepositoryType.HOSTED: HostedSettings,
        RepositoryType.GROUP: GroupSettings,
    }
    upload = UPLOAD
    search: ClassVar[Mapping[str, str]] = {
        "yum.name": "name",
        "yum.architecture": "asset.rpm.arch",
    }
    usage = USAGE
    lists_folders = True

    def version_key(self, version: str) -> Any:
        return rpm_key(version)

    def prerelease(self, version: str) -> bool:
        return rpm_prerelease(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        return asset.path.split("/")

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        kept = asset.attributes.get(RPM)
        if kept is None:
            return {}
        return {
            "name": kept["name"],
            "epoch": kept["epoch"],
            "version": kept["version"],
            "release": kept["release"],
            "architecture": kept["arch"],
        }
