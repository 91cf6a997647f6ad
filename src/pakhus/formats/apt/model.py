"""What the indexes of a distribution tell: packages by component and architecture, from uploads or from an upstream."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import BadPackage
from pakhus.formats.apt import control
from pakhus.formats.apt.places import DSC, SOURCE, Place, places_at

ALL = "all"
NAMED = re.compile(
    rb"^(package|version|architecture|filename|directory|description-md5|sha256):[ \t]*(\S*)", re.M | re.I
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A paragraph of an index. `filename` is the file's path, or a source's folder and `.dsc`."""

    package: str
    version: str
    architecture: str
    filename: str
    sha256: str
    stanza: bytes
    translation: bytes = b""
    section: str = ""
    files: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.package, self.version, self.architecture


@dataclass(frozen=True, slots=True, order=True)
class Index:
    """Which index: `kind` is `deb`, `udeb` or `source`."""

    component: str
    kind: str
    architecture: str


Entries = dict[tuple[str, str, str], Entry]


@dataclass(frozen=True, slots=True)
class Model:
    """The packages of a distribution. `architectures` are published though they may be empty."""

    indexes: Mapping[Index, Entries]
    architectures: tuple[str, ...] = ()
    components: tuple[str, ...] = field(default=())


def from_components(
    components: Iterable[Component], distribution: str | None, architectures: Sequence[str]
) -> Model | None:
    """What was uploaded for a distribution, or (`None`) at all; `None` when that is nothing."""
    found = list(components)
    indexes: dict[Index, Entries] = {}
    sums = {asset.path: asset.blob.digests.sha256 for each in found for asset in each.assets}
    for component in found:
        for asset in component.assets:
            stanza = asset.attributes.get("stanza")
            if stanza is None:
                continue
            for place in _listed_at(component, asset, distribution):
                if asset.attributes["kind"] == SOURCE and not _is_complete(asset, sums):
                    continue
                index = Index(place.component, asset.attributes["kind"], component.namespace)
                indexes.setdefault(index, {})[component.name, component.version, component.namespace] = _entry(
                    component, asset, stanza
                )
    return Model(indexes, tuple(architectures)) if indexes else None


def _listed_at(component: Component, asset: Asset, distribution: str | None) -> Iterable[Place]:
    places = places_at(component.attributes, asset.path)
    if distribution is None:
        return places[:1]
    return [each for each in places if each.distribution == distribution]


def _is_complete(asset: Asset, sums: Mapping[str, str]) -> bool:
    """Is every file of the source package there, and the one that the .dsc means?"""
    folder = asset.path.rpartition("/")[0]
    return all(sums.get(f"{folder}/{name}") == sha256 for name, sha256 in asset.attributes["parts"].items())


def _entry(component: Component, asset: Asset, stanza: str) -> Entry:
    attributes = asset.attributes
    return Entry(
        component.name,
        component.version,
        component.namespace,
        asset.path,
        asset.blob.digests.sha256,
        stanza.encode(),
        attributes.get("translation", "").encode(),
        attributes.get("section", ""),
        attributes.get("files", ""),
    )


def read_index(content: bytes, translations: Mapping[tuple[str, str], bytes]) -> Iterator[Entry]:
    """The entries of an upstream's `Packages` or `Sources`."""
    for paragraph in control.paragraphs(content):
        named = {name.lower(): value.decode("utf-8", "replace") for name, value in NAMED.findall(paragraph)}
        package, version = named.get(b"package", ""), named.get(b"version", "")
        if not package or not version:
            raise BadPackage("a paragraph of the index has no package or version")
        is_source = b"directory" in named
        name = f"{named[b'directory']}/{package}_{version}{DSC}" if is_source else named.get(b"filename", "")
        yield Entry(
            package,
            version,
            SOURCE if is_source else named.get(b"architecture", ALL),
            name.removeprefix("./"),
            named.get(b"sha256", ""),
            paragraph,
            translations.get((package, named.get(b"description-md5", "")), b""),
        )


def read_translation(content: bytes) -> dict[tuple[str, str], bytes]:
    """The paragraphs of a `Translation` by package and digest of the description."""
    found = {}
    for paragraph in control.paragraphs(content):
        named = {name.lower(): value.decode("utf-8", "replace") for name, value in NAMED.findall(paragraph)}
        found[named.get(b"package", ""), named.get(b"description-md5", "")] = paragraph
    return found


def merged(models: Sequence[Model]) -> Model:
    """The union; of the same package the first member's, and no path twice: a group serves the first that has it."""
    indexes: dict[Index, Entries] = {}
    owners: dict[str, str] = {}
    for model in models:
        for index, entries in model.indexes.items():
            kept = indexes.setdefault(index, {})
            for key, entry in entries.items():
                if owners.setdefault(entry.filename, entry.sha256) == entry.sha256:
                    kept.setdefault(key, entry)
    architectures = dict.fromkeys(each for model in models for each in model.architectures)
    return Model(indexes, tuple(architectures), tuple(dict.fromkeys(c for model in models for c in model.components)))


def check(content: bytes, sha256: str, path: str) -> bytes:
    """Raise `BadPackage` unless the content is what the Release promises."""
    if hashlib.sha256(content).hexdigest() != sha256.lower():
        raise BadPackage(f"{path} is not what the Release promises")
    return content
