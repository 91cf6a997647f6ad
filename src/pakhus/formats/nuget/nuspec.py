"""The manifest of a package: read whole, and told again in the words of registrations.

Source: NuGet's documentation, ".nuspec reference" and "Package metadata" (the catalog entry of a registration leaf).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.nuget.names import bounds, full, is_id, is_semver2, normal, normal_range
from pakhus.kit.wire import parse_xml

TEXTS = {
    "title": "title",
    "authors": "authors",
    "owners": "owners",
    "description": "description",
    "summary": "summary",
    "releaseNotes": "releaseNotes",
    "copyright": "copyright",
    "language": "language",
    "projectUrl": "projectUrl",
    "iconUrl": "iconUrl",
    "licenseUrl": "licenseUrl",
    "icon": "iconFile",
    "readme": "readmeFile",
}
"""Element of the nuspec → member of the entry."""

FLAGS = ("requireLicenseAcceptance", "developmentDependency", "serviceable")
MAX_TEXT = 64 << 10


@dataclass(frozen=True, slots=True)
class Nuspec:
    """A manifest: who it is about, and its entry. `version` is normalised and keeps its build metadata."""

    id: str
    version: str
    entry: Mapping[str, Any]

    @property
    def types(self) -> list[str]:
        return [each["name"] for each in self.entry.get("packageTypes", ())]


def read(body: bytes) -> Nuspec:
    """Raises `BadPackage`."""
    try:
        root = parse_xml(body)
    except Invalid as error:
        raise BadPackage(f"the package's nuspec cannot be read: {error.message}") from error
    metadata = _child(root, "metadata")
    if _name(root) != "package" or metadata is None:
        raise BadPackage("the package's nuspec has no metadata")
    id, version = _text(metadata, "id"), _text(metadata, "version")
    if not is_id(id):
        raise BadPackage(f"{id[:120]!r} is not a package id")
    if normal(version) is None:
        raise BadPackage(f"{version[:140]!r} is not a package version")
    version = full(version)
    entry = {"id": id, "version": version, **_texts(metadata), **_structures(metadata)}
    if semver2(version, entry.get("dependencyGroups", ())):
        entry["semVer2"] = True
    return Nuspec(id, version, entry)


def semver2(version: str, groups: Any) -> bool:
    """Do only clients that know SemVer 2.0.0 understand the package? By its version or by that of a dependency."""
    ranges = (dependency.get("range", "") for group in groups for dependency in group.get("dependencies", ()))
    return is_semver2(version) or any(is_semver2(bound) for range in ranges for bound in bounds(range))


def _texts(metadata: Element) -> dict[str, Any]:
    found: dict[str, Any] = {member: _text(metadata, name)[:MAX_TEXT] for name, member in TEXTS.items()}
    found |= {name: True for name in FLAGS if _text(metadata, name).lower() == "true"}
    tags = [tag for tag in re.split(r"[\s,;]+", _text(metadata, "tags")) if tag]
    minimum = metadata.get("minClientVersion", "")
    return {name: value for name, value in (found | {"tags": tags, "minClientVersion": minimum}).items() if value}


def _structures(metadata: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    license = _child(metadata, "license")
    if license is not None:
        kind = "licenseExpression" if license.get("type", "") == "expression" else "licenseFile"
        found[kind] = (license.text or "").strip()
    repository = _child(metadata, "repository")
    if repository is not None:
        found["repository"] = dict(repository.attrib)
    types = _child(metadata, "packageTypes")
    if types is not None:
        found["packageTypes"] = [_type(each) for each in _children(types, "packageType") if each.get("name")]
    if groups := _dependency_groups(metadata):
        found["dependencyGroups"] = groups
    for list, item in (("frameworkAssemblies", "frameworkAssembly"), ("frameworkReferences", "group")):
        if (held := _child(metadata, list)) is not None:
            found[list] = [_attributes(each) for each in _children(held, item)]
    return found


def _type(element: Element) -> dict[str, str]:
    version = element.get("version")
    return {"name": element.get("name", ""), **({"version": version} if version else {})}


def _attributes(element: Element) -> dict[str, Any]:
    inner = [dict(child.attrib) for child in element if child.attrib]
    return {**element.attrib, **({"references": inner} if inner else {})}


def _dependency_groups(metadata: Element) -> list[dict[str, Any]]:
    """Groups by target framework, as they are written; dependencies outside of groups are one without framework."""
    held = _child(metadata, "dependencies")
    if held is None:
        return []
    groups: list[dict[str, Any]] = []
    if loose := [_dependency(each) for each in _children(held, "dependency") if each.get("id")]:
        groups.append({"dependencies": loose})
    for group in _children(held, "group"):
        framework = group.get("targetFramework")
        wanted = [_dependency(each) for each in _children(group, "dependency") if each.get("id")]
        groups.append(
            {
                **({"targetFramework": framework} if framework else {}),
                **({"dependencies": wanted} if wanted else {}),
            }
        )
    return groups


def _dependency(element: Element) -> dict[str, str]:
    more = {name: element.get(name, "") for name in ("include", "exclude") if element.get(name)}
    return {"id": element.get("id", ""), "range": normal_range(element.get("version", "")), **more}


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _child(element: Element, name: str) -> Element | None:
    return next(_children(element, name), None)


def _text(element: Element, name: str) -> str:
    child = _child(element, name)
    return (child.text or "").strip() if child is not None else ""
