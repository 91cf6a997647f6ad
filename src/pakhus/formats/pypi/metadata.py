"""Core metadata: what a distribution says of itself, read from the archive and kept as published.

Core metadata specification (PEP 241 to 753); `METADATA` of a wheel, `PKG-INFO` of a source distribution or an egg.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from packaging.metadata import parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pakhus.domain.content import Attributes, Facts
from pakhus.domain.errors import BadPackage
from pakhus.formats.pypi.filenames import EGG, WHEEL, Distribution, normalise, normalise_version, suffix
from pakhus.kit.archives import Limits, read_tar, read_zip

LIMITS = Limits(member=8 << 20)
"""A metadata file holds the description, but never megabytes of it."""
MAX_DESCRIPTION = 256 << 10

_OF_COMPONENT = (
    "summary",
    "description_content_type",
    "license",
    "license_expression",
    "license_files",
    "classifiers",
    "keywords",
    "home_page",
    "download_url",
    "project_urls",
    "author",
    "author_email",
    "maintainer",
    "maintainer_email",
    "requires_dist",
    "requires_python",
    "provides_extra",
    "dynamic",
)
"""What search, the component's page and the JSON API show, under the names that the upload API uses."""
_OF_ASSET = ("metadata_version", "requires_python", "requires_dist", "requires_external", "provides_extra", "dynamic")
"""What may differ between the files of one release."""

_WHEEL_METADATA = re.compile(r"(?P<folder>[^/]+)\.dist-info/METADATA\Z")
_SDIST_METADATA = re.compile(r"(?:\./)?[^/]+/PKG-INFO\Z")
_EGG_METADATA = re.compile(r"EGG-INFO/PKG-INFO\Z")


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """The metadata file of a distribution and its fields, named as the upload API names them."""

    text: bytes
    fields: Mapping[str, Any]

    def get(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""


def read_metadata(body: BinaryIO, filename: str, distribution: Distribution) -> CoreMetadata:
    """The metadata of an archive. Raises `BadPackage` when there is none, or more than one."""
    found = _metadata_files(body, filename, distribution)
    if not found:
        expected = {WHEEL: "*.dist-info/METADATA", EGG: "EGG-INFO/PKG-INFO"}.get(distribution.kind, "*/PKG-INFO")
        raise BadPackage(f"{filename} has no {expected}")
    if len(found) > 1:
        raise BadPackage(f"{filename} has more than one metadata file: {', '.join(sorted(found))}")
    ((member, text),) = found.items()
    if distribution.kind == WHEEL:
        _check_folder(member, filename, distribution)
    return CoreMetadata(text, parse(text, filename))


def _metadata_files(body: BinaryIO, filename: str, distribution: Distribution) -> dict[str, bytes]:
    if distribution.kind == WHEEL:
        return read_zip(body, _matching(_WHEEL_METADATA), LIMITS)
    if distribution.kind == EGG:
        return read_zip(body, _matching(_EGG_METADATA), LIMITS)
    if suffix(filename) == ".zip":
        return read_zip(body, _matching(_SDIST_METADATA), LIMITS)
    return read_tar(body, _matching(_SDIST_METADATA), LIMITS, first_only=True)


def _matching(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda name: pattern.match(name) is not None


def _check_folder(member: str, filename: str, distribution: Distribution) -> None:
    """The `.dist-info` folder bears the wheel's name and version (binary distribution format)."""
    found = _WHEEL_METADATA.match(member)
    name, _, version = (found["folder"] if found else "").rpartition("-")
    if normalise(name) != distribution.name or normalise_version(version) != distribution.version:
        raise BadPackage(f"{filename} holds {member}, whose folder has another name or version")


def parse(text: bytes, filename: str) -> Mapping[str, Any]:
    """The fields of a metadata file. Raises `BadPackage` when it is not one."""
    try:
        raw, unparsed = parse_email(text)
    except (ValueError, LookupError) as error:
        raise BadPackage(f"the metadata of {filename} cannot be read: {error}") from error
    for name in ("name", "version"):
        if name not in raw:
            what = "is malformed" if unparsed.get(name) else "is missing"
            raise BadPackage(f"the metadata of {filename} cannot be used: its field {name.title()} {what}")
    return raw


def check(metadata: CoreMetadata, filename: str, distribution: Distribution) -> None:
    """The metadata must be about the project and version that the file name tells. Raises `BadPackage`."""
    name, version = metadata.get("name"), metadata.get("version")
    if normalise(name) != distribution.name:
        raise BadPackage(f"the metadata of {filename} is about {name}, the file name about {distribution.name}")
    if normalise_version(version) != distribution.version:
        raise BadPackage(f"the metadata of {filename} is of version {version}, the file name of {distribution.version}")
    try:
        SpecifierSet(metadata.get("requires_python"))
    except InvalidSpecifier as error:
        raise BadPackage(f"the metadata of {filename} has an invalid Requires-Python: {error}") from error


def facts(metadata: CoreMetadata, distribution: Distribution, **more: str) -> Facts:
    """What is kept of the metadata, and `more` about the file itself."""
    component: dict[str, Any] = {name: metadata.fields[name] for name in _OF_COMPONENT if metadata.fields.get(name)}
    component["project_name"] = metadata.get("name")
    if description := metadata.get("description").strip():
        component["description"] = description[:MAX_DESCRIPTION]
    asset: dict[str, Any] = {name: metadata.fields[name] for name in _OF_ASSET if metadata.fields.get(name)}
    asset |= {**file_facts(distribution)} | {name: value for name, value in more.items() if value}
    return Facts(component, asset)


def file_facts(distribution: Distribution) -> Attributes:
    """What the name of a file alone tells."""
    platform = {"platform": distribution.platform} if distribution.platform else {}
    return {"packagetype": distribution.kind, **platform}
