"""The REST upload of Maven artifacts: coordinates from fields, or from the POM among the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pakhus.domain.errors import Invalid, PolicyViolation
from pakhus.formats.maven.layout import Gav, is_snapshot, parse
from pakhus.formats.maven.policy import BAD_LAYOUT, options
from pakhus.formats.maven.pom import MAX_POM, minimal_pom, parse_pom
from pakhus.kit.context import Draft, Form, Hosted, UploadedAsset
from pakhus.kit.format import Field, UploadForm

NO_SNAPSHOTS = "Upload to snapshot repositories not supported, use the maven client."
MISMATCH = "Version policy mismatch, cannot upload SNAPSHOT content to RELEASE repositories for file '{file}'"
COORDINATES = {"groupId": "Group ID", "artifactId": "Artifact ID", "version": "Version"}


async def store(form: Form, hosted: Hosted) -> None:
    """All files of one component, with a POM on demand."""
    coordinates = coordinates_of(form)
    check_version(hosted.settings, coordinates[2], form.assets)
    files: dict[str, Draft | bytes] = {}
    parts: dict[str, str] = {}
    for asset in form.assets:
        path = located(coordinates, asset)
        if path in parts:
            raise Invalid(f"The assets {parts[path]} and {_label(asset)} have identical coordinates")
        parts[path], files[path] = _label(asset), asset.draft
    if _is_true(form.fields.get("generate-pom", "")):
        pom = Gav(*coordinates, coordinates[2], "pom")
        files.setdefault(pom.path, minimal_pom(pom, form.fields.get("packaging") or "jar"))
    await hosted.drop(files)


def coordinates_of(form: Form) -> tuple[str, str, str]:
    """Group, artifact and version: from the POM where there is one, for Maven reads nothing else."""
    pom = next((asset for asset in form.assets if is_pom(asset)), None)
    said = _of_pom(pom) if pom is not None else {name: form.fields.get(name, "") for name in COORDINATES}
    for name, label in COORDINATES.items():
        if not said[name]:
            raise Invalid(f"Missing required component field '{label}'", field=name)
    return said["groupId"], said["artifactId"], said["version"]


def _of_pom(asset: UploadedAsset) -> dict[str, str]:
    with asset.draft.open() as body:
        pom = parse_pom(body.read(MAX_POM))
    said = {"groupId": pom.group_id, "artifactId": pom.artifact_id, "version": pom.version}
    for name, value in said.items():
        if "${" in value:
            raise Invalid(f"The POM's {name} is {value}: use the maven client, which knows its value", field=name)
    return said


def check_version(settings: Any, version: str, assets: Sequence[UploadedAsset]) -> None:
    """The version policies, in the words that Nexus's upload has for them."""
    policy = options(settings).version_policy
    if policy == "SNAPSHOT":
        raise PolicyViolation(NO_SNAPSHOTS)
    if policy == "RELEASE" and is_snapshot(version):
        raise PolicyViolation(MISMATCH.format(file=assets[0].filename if assets else version))


def located(coordinates: tuple[str, str, str], asset: UploadedAsset) -> str:
    """The path of an uploaded file. Raises `Invalid` for fields that give no path of the layout."""
    extension = asset.fields.get("extension", "").lstrip(".")
    if not extension:
        raise Invalid(f"Missing required asset field 'Extension' on '{_label(asset)}'", field="extension")
    group, artifact, version = coordinates
    path = Gav(group, artifact, version, version, extension, asset.fields.get("classifier", "")).path
    found = parse(path)
    if found is None or (found.group_id, found.artifact_id, found.base_version) != coordinates:
        raise PolicyViolation(f"{BAD_LAYOUT}: {path}")
    return path


def is_pom(asset: UploadedAsset) -> bool:
    """Does this file say who the component is?"""
    return asset.fields.get("extension", "").lstrip(".") == "pom" and not asset.fields.get("classifier")


def _label(asset: UploadedAsset) -> str:
    return asset.part.removeprefix("asset") or asset.part


def _is_true(value: str) -> bool:
    return value.strip().lower() in ("true", "on", "1", "yes")


UPLOAD = UploadForm(
    run=store,
    component_fields=(
        Field("groupId", description="Group ID", optional=False),
        Field("artifactId", description="Artifact ID", optional=False),
        Field("version", description="Version", optional=False),
        Field("generate-pom", "BOOLEAN", description="Generate a POM file with these coordinates"),
        Field("packaging", description="Packaging"),
    ),
    asset_fields=(
        Field("extension", description="Extension", optional=False),
        Field("classifier", description="Classifier"),
    ),
    multiple=True,
    complete=lambda form: any(is_pom(asset) for asset in form.assets),
)
