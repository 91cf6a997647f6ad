"""What a POM says of its component, and a POM for those who have none.

Source: the POM reference and `maven-4.0.0.xsd` of the Maven project. Values are kept as written, `${…}` included; only
what a page or a search shows is kept, and lists are bounded, for a POM may be generated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.entities import html5
from typing import Any
from xml.etree.ElementTree import Element

from pakhus.domain.content import Attributes
from pakhus.domain.errors import BadPackage, Invalid
from pakhus.formats.maven.elements import MAX_TEXT, add, child, children, local, rendered, text
from pakhus.formats.maven.layout import Gav
from pakhus.kit.wire import parse_xml

NAMESPACE = "http://maven.apache.org/POM/4.0.0"
MAX_POM = 16 << 20
MAX_ENTRIES = 1000

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DEPENDENCY = ("groupId", "artifactId", "version", "type", "classifier", "scope", "optional")
_COORDINATES = ("groupId", "artifactId", "version")


@dataclass(frozen=True, slots=True)
class Pom:
    """Coordinates may be empty, or hold a `${property}` that only Maven can resolve."""

    group_id: str
    artifact_id: str
    version: str
    packaging: str
    facts: Attributes


def parse_pom(body: bytes) -> Pom:
    """Raises `BadPackage` for what is not a POM."""
    try:
        root = parse_xml(_without_html_entities(body))
    except Invalid as error:
        raise BadPackage(f"Invalid POM: {error.message}") from error
    if local(root) != "project":
        raise BadPackage(f"Invalid POM: the root element is <{local(root)}>, not <project>")
    parent = child(root, "parent")
    return Pom(
        text(root, "groupId") or text(parent, "groupId"),
        text(root, "artifactId"),
        text(root, "version") or text(parent, "version"),
        text(root, "packaging") or "jar",
        _facts(root, parent),
    )


def check_pom(pom: Pom, gav: Gav) -> None:
    """Raises `BadPackage` when the POM is of another artifact than its path; what it leaves open is not compared."""
    wanted = (gav.group_id, gav.artifact_id, gav.base_version)
    for word, said, expected in zip(_COORDINATES, (pom.group_id, pom.artifact_id, pom.version), wanted, strict=True):
        also = gav.version if word == "version" else expected
        if said and "${" not in said and said not in (expected, also):
            raise BadPackage(f"The {word} of the POM is {said}, that of its path is {expected}")


def minimal_pom(gav: Gav, packaging: str) -> bytes:
    """A POM that says no more than coordinates and packaging."""
    root = add(
        Element("project", {"xmlns": NAMESPACE}),
        modelVersion="4.0.0",
        groupId=gav.group_id,
        artifactId=gav.artifact_id,
        version=gav.base_version,
        packaging=packaging,
    )
    return rendered(root)


def _without_html_entities(body: bytes) -> bytes:
    """Maven reads HTML's named characters in a POM, although XML does not know them."""

    def character(found: re.Match[bytes]) -> bytes:
        name = found[1].decode()
        value = html5.get(f"{name};")
        if name in _XML_ENTITIES or value is None:
            return found[0]
        return "".join(f"&#{ord(letter)};" for letter in value).encode()

    return _ENTITY.sub(character, body)


def _facts(root: Element, parent: Element | None) -> Attributes:
    """Empty members too, so that a POM which is deployed again leaves nothing of its predecessor."""
    scm = child(root, "scm")
    facts: dict[str, Any] = {
        "packaging": text(root, "packaging") or "jar",
        "name": text(root, "name"),
        "description": text(root, "description"),
        "url": text(root, "url"),
        "organization": text(child(root, "organization"), "name"),
        "inceptionYear": text(root, "inceptionYear"),
        "licenses": [_some(item, ("name", "url")) for item in _entries(root, "licenses", "license")],
        "scm": _some(scm, ("url", "connection", "developerConnection", "tag")),
        "issues": text(child(root, "issueManagement"), "url"),
        "parent": _some(parent, _COORDINATES),
        "dependencies": [_some(item, _DEPENDENCY) for item in _entries(root, "dependencies", "dependency")],
        "properties": _properties(child(root, "properties")),
    }
    if facts["packaging"] == "maven-archetype":
        facts["archetype"] = "true"
    return facts


def _entries(root: Element, plural: str, singular: str) -> list[Element]:
    return list(children(child(root, plural), singular))[:MAX_ENTRIES]


def _some(element: Element | None, names: tuple[str, ...]) -> dict[str, str]:
    values = {name: text(element, name) for name in names}
    return {name: value for name, value in values.items() if value}


def _properties(element: Element | None) -> dict[str, str]:
    entries = list(element)[:MAX_ENTRIES] if element is not None else []
    return {local(entry): (entry.text or "").strip()[:MAX_TEXT] for entry in entries if isinstance(entry.tag, str)}
