"""A chart archive and its provenance file, as they are read from an upload.

Source: helm.sh/docs, "Charts" and "Helm Provenance and Integrity".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from pakhus.domain.content import Coordinates, Facts
from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.helm.metadata import fields
from pakhus.formats.helm.names import chart_path, is_name, is_version
from pakhus.kit.archives import Limits, read_tar
from pakhus.kit.wire import parse_yaml

LIMITS = Limits(entries=50_000, member=1 << 20, total=128 << 20)
"""Helm itself unpacks 100 MiB of files at most; the rest is for what surrounds them in the archive."""
MAX_PROVENANCE = 2 << 20
_WANTED = re.compile(r"(?:\./)?(?P<folder>[^/]+)/(?P<file>Chart\.yaml|requirements\.yaml)")
_SIGNED = re.compile(
    r"\s*-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n(?P<text>.*?)\n-----BEGIN PGP SIGNATURE-----\n"
    r".+\n-----END PGP SIGNATURE-----\s*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's name and version, and all that its Chart.yaml says."""

    name: str
    version: str
    fields: Mapping[str, Any]

    @property
    def coordinates(self) -> Coordinates:
        return Coordinates(self.name, self.version)

    @property
    def path(self) -> str:
        return chart_path(self.name, self.version)

    @property
    def facts(self) -> Facts:
        return Facts(
            {
                "chart": dict(self.fields),
                "description": self.fields.get("description", ""),
                "keywords": self.fields.get("keywords", []),
                "app_version": self.fields.get("appVersion", ""),
            }
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a provenance file is about, and the sha256 of the chart that it vouches for."""

    chart: Chart
    sha256: str


def read_chart(body: BinaryIO) -> Chart:
    """The chart of an archive. Raises `BadPackage`. Blocks: for a thread."""
    found = read_tar(body, lambda name: _WANTED.fullmatch(name) is not None, LIMITS)
    texts = {
        (match["folder"], match["file"]): text for name, text in found.items() if (match := _WANTED.fullmatch(name))
    }
    folders = sorted(folder for folder, file in texts if file == "Chart.yaml")
    if not folders:
        raise BadPackage("the archive is no chart: it has no <name>/Chart.yaml")
    if len(folders) > 1:
        raise BadPackage(f"the archive has more than one chart: {', '.join(folders)}")
    chart = described(_yaml(texts[folders[0], "Chart.yaml"], "Chart.yaml"))
    if folders[0] != chart.name:
        raise BadPackage(f"the archive's folder is {folders[0]}, but its Chart.yaml is of {chart.name}")
    requirements = texts.get((chart.name, "requirements.yaml"))
    return chart if requirements is None else _with_requirements(chart, requirements)


def _with_requirements(chart: Chart, text: bytes) -> Chart:
    """Charts of the first API version have their dependencies in a file of their own."""
    if chart.fields["apiVersion"] != "v1" or "dependencies" in chart.fields:
        return chart
    document = _yaml(text, "requirements.yaml")
    dependencies = document.get("dependencies") if isinstance(document, dict) else None
    more = fields({"dependencies": dependencies}, strict=True)
    return Chart(chart.name, chart.version, {**chart.fields, **more})


def described(document: Any) -> Chart:
    """The chart of a Chart.yaml. Raises `BadPackage` for what Helm would not read."""
    known = fields(document, strict=True)
    name, version = known.get("name", ""), known.get("version", "")
    if known.get("apiVersion", "") not in ("v1", "v2"):
        raise BadPackage("Chart.yaml must have the apiVersion v1 or v2")
    if not is_name(name):
        raise BadPackage(f"Chart.yaml has no usable name: {name!r}")
    if not is_version(version):
        raise BadPackage(f"Chart.yaml of {name} has no semantic version: {version!r}")
    if known.get("type", "") not in ("", "application", "library"):
        raise BadPackage(f"the type of {name} must be application or library, not {known['type']!r}")
    return Chart(name, version, known)


def read_provenance(body: bytes) -> Provenance:
    """What a provenance file vouches for; its signature is for the client to verify. Raises `BadPackage`."""
    try:
        signed = _SIGNED.fullmatch(body.decode().replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise BadPackage("the provenance file is not text") from error
    if signed is None:
        raise BadPackage("the provenance file is not a PGP signed message")
    # RFC 9580, section 7.2: lines that begin with a dash are escaped.
    text = re.sub(r"^- ", "", signed["text"], flags=re.MULTILINE)
    about, mark, sums = text.partition("\n...\n")
    if not mark:
        raise BadPackage("the provenance file has no digests after its Chart.yaml")
    chart = described(_yaml(about.encode(), "the provenance file's Chart.yaml"))
    files = _yaml(sums.encode(), "the provenance file's list of digests")
    listed = files.get("files") if isinstance(files, dict) else None
    digest = listed.get(chart.path) if isinstance(listed, dict) else None
    if not isinstance(digest, str) or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
        raise BadPackage(f"the provenance file has no sha256 of {chart.path}")
    return Provenance(chart, digest.removeprefix("sha256:"))


def _yaml(text: bytes, what: str) -> Any:
    try:
        return parse_yaml(text)
    except Invalid as error:
        raise BadPackage(f"{what} cannot be read: {error.message}") from error
