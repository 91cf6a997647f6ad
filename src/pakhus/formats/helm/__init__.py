"""Helm: charts for Kubernetes, as helm reads them, and as cm-push and curl publish them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError
from pakhus.domain.security import Permission
from pakhus.formats.helm import museum, upload
from pakhus.formats.helm.files import ChartFile, ProvenanceFile
from pakhus.formats.helm.index import INDEX
from pakhus.formats.helm.names import CHARTS
from pakhus.kit.context import Reply
from pakhus.kit.format import ANY, Action, Format, Snippet, UploadForm
from pakhus.kit.versions import semver_key, semver_prerelease
from pakhus.kit.wire import dump_json

USAGE = (
    Snippet(
        "helm",
        "helm repo add {name} {url} --username {user} --password {password}\nhelm repo update {name}\n"
        "helm pull {name}/<chart>",
    ),
    Snippet("cm-push", "helm cm-push mychart-0.1.0.tgz {name}"),
    Snippet("curl", "curl -f -u {user}:{password} --data-binary @mychart-0.1.0.tgz {url}api/charts"),
)

READING = (
    ("api/charts", museum.charts),
    ("api/charts/{name}", museum.versions),
    ("api/charts/{name}/{version}", museum.version),
    ("health", museum.health),
)


class Helm(Format):
    name = "helm"
    routes = (
        INDEX,
        ProvenanceFile(),
        ChartFile(),
        Action("PUT", ProvenanceFile.path, upload.put_provenance),
        Action("PUT", ChartFile.path, upload.put_chart),
        Action("DELETE", ProvenanceFile.path, upload.remove_file, needs=Permission.DELETE),
        Action("DELETE", ChartFile.path, upload.remove_file, needs=Permission.DELETE),
        Action("POST", "api/charts", upload.post_chart),
        Action("POST", "api/prov", upload.post_provenance),
        Action("DELETE", "api/charts/{name}/{version}", upload.remove_version, needs=Permission.DELETE),
        *(
            Action(method, path, run, on=ANY, needs=Permission.READ)
            for path, run in READING
            for method in ("GET", "HEAD")
        ),
    )
    upload = UploadForm(run=upload.store)
    search: ClassVar[Mapping[str, str]] = {
        "helm.appVersion": "component.app_version",
        "helm.description": "component.description",
        "helm.keywords": "component.keywords",
    }
    usage = USAGE

    def canonical(self, path: str) -> str:
        """ChartMuseum serves its files below `charts/`."""
        return path.removeprefix(CHARTS) if path.count("/") == 1 else path

    def version_key(self, version: str) -> Any:
        return semver_key(version)

    def prerelease(self, version: str) -> bool:
        return semver_prerelease(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        """Chart, version, file: all files of a repository lie in one folder."""
        if asset.coordinates is None:
            return asset.path.split("/")
        return (asset.coordinates.name, asset.coordinates.version, asset.filename)

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        if asset.coordinates is None:
            return {}
        return {"name": asset.coordinates.name, "version": asset.coordinates.version}

    def problem(self, error: PakhusError) -> Reply:
        """As ChartMuseum says it; cm-push prints the member `error`."""
        return Reply(error.status, dump_json({"error": error.message}), {"content-type": "application/json"})
