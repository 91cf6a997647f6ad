"""`archetype-catalog.xml`: the archetypes of a repository, for `mvn archetype:generate`.

Source: the archetype catalog model, version 1.0.0. The member `repository` of an entry is left out on purpose: the
archetype is fetched from where the catalog came from, so that a catalog never leads around this repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from pakhus.domain.content import Component
from pakhus.domain.errors import Invalid
from pakhus.formats.maven.elements import add, child, children, local, rendered, text
from pakhus.formats.maven.metadata import base_version
from pakhus.kit.versions import maven_key
from pakhus.kit.wire import parse_xml

NAMESPACE = "http://maven.apache.org/plugins/maven-archetype-plugin/archetype-catalog/1.0.0"


@dataclass(frozen=True, slots=True)
class Archetype:
    group_id: str
    artifact_id: str
    version: str
    description: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.group_id, self.artifact_id, self.version


Catalog = tuple[Archetype, ...]


def derive(components: Iterable[Component]) -> Catalog | None:
    found = (
        Archetype(
            component.namespace,
            component.name,
            base_version(component),
            str(component.attributes.get("description") or component.attributes.get("name") or ""),
        )
        for component in components
    )
    return _ordered(found) or None


def load(body: bytes) -> Catalog:
    """Raises `Invalid` for what is not an archetype catalog."""
    root = parse_xml(body)
    if local(root) != "archetype-catalog":
        raise Invalid(f"Invalid {local(root)}: an archetype catalog has the root element <archetype-catalog>")
    return tuple(
        Archetype(text(entry, "groupId"), text(entry, "artifactId"), text(entry, "version"), text(entry, "description"))
        for entry in children(child(root, "archetypes"), "archetype")
    )


def merge(catalogs: Sequence[Catalog]) -> Catalog:
    """The union; the first member describes."""
    return _ordered(archetype for catalog in catalogs for archetype in catalog)


def dump(catalog: Catalog) -> bytes:
    root = Element("archetype-catalog", {"xmlns": NAMESPACE})
    entries = SubElement(root, "archetypes")
    for archetype in catalog:
        add(
            SubElement(entries, "archetype"),
            groupId=archetype.group_id,
            artifactId=archetype.artifact_id,
            version=archetype.version,
            description=archetype.description,
        )
    return rendered(root)


def _ordered(archetypes: Iterable[Archetype]) -> Catalog:
    known: dict[tuple[str, str, str], Archetype] = {}
    for archetype in archetypes:
        known.setdefault(archetype.key, archetype)
    return tuple(sorted(known.values(), key=_rank))


def _rank(archetype: Archetype) -> tuple[str, str, object, str]:
    return archetype.group_id, archetype.artifact_id, maven_key(archetype.version), archetype.version
