"""PyPI: Python packages, as pip, uv, twine, poetry and pdm read and publish them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field as Option
from pydantic import field_validator

from pakhus.domain.content import Asset
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.pypi.documents import PROJECT, ROOT
from pakhus.formats.pypi.filenames import canonical
from pakhus.formats.pypi.files import MetadataFile, PackageFile, ProvenanceFile, SignatureFile, UnversionedFile
from pakhus.formats.pypi.release import ProjectJson, ReleaseJson
from pakhus.formats.pypi.upload import receive, remove, store, unyank, yank
from pakhus.formats.pypi.usage import USAGE
from pakhus.kit.context import Settings
from pakhus.kit.format import Action, Clue, Format, UploadForm
from pakhus.kit.paths import flaw
from pakhus.kit.versions import pep440_key, pep440_prerelease


class IndexOptions(Settings):
    """`index_path`: where the upstream has its simple index, below the remote URL.

    `remove_quarantined` steers Sonatype's own firewall: Nexus's clients send it and want to read it back.
    """

    index_path: str = "simple/"
    remove_quarantined: bool = False

    @field_validator("index_path")
    @classmethod
    def _folder(cls, value: str) -> str:
        path = value.strip().strip("/")
        if problem := flaw(path):
            raise ValueError(problem)
        return f"{path}/" if path else ""


class ProxySettings(Settings):
    pypi: IndexOptions = Option(default_factory=IndexOptions)


BUILT_IN = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
"""How to ask pip for the index that it uses when nobody configured one."""


class Pypi(Format):
    name = "pypi"
    routes = (
        PROJECT,
        ROOT,
        MetadataFile(),
        SignatureFile(),
        PackageFile(),
        UnversionedFile(),
        ProvenanceFile(),
        ReleaseJson(),
        ProjectJson(),
        Action("POST", "", receive),
        Action("POST", "legacy/", receive),
        Action("DELETE", PackageFile.path, remove, needs=Permission.DELETE),
        Action("PUT", "pypi/{name}/{version}/yank", yank, needs=Permission.EDIT),
        Action("DELETE", "pypi/{name}/{version}/yank", unyank, needs=Permission.EDIT),
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {RepositoryType.PROXY: ProxySettings}
    upload = UploadForm(run=store)
    search: ClassVar[Mapping[str, str]] = {
        "pypi.classifiers": "component.classifiers",
        "pypi.description": "component.description",
        "pypi.keywords": "component.keywords",
        "pypi.summary": "component.summary",
    }
    usage = USAGE
    clues = (
        Clue(command=("{python}", "-m", "pip", "config", "get", "global.index-url"), without="/simple"),
        Clue(command=("{python}", "-c", BUILT_IN), without="/simple"),
    )

    def canonical(self, path: str) -> str:
        return canonical(path)

    def version_key(self, version: str) -> Any:
        return pep440_key(version)

    def prerelease(self, version: str) -> bool:
        return pep440_prerelease(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        """Project, version, file: as the index has it, without the folder that they are all in."""
        segments = asset.path.split("/")
        return segments[1:] if segments[0] in ("packages", "integrity") else segments

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        platform = asset.attributes.get("platform")
        described = {"name": asset.coordinates.name, "version": asset.coordinates.version}
        return described | ({"platform": platform} if platform else {})
