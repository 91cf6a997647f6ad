"""The model of `maven-metadata.xml`: derived from components, read, merged and written.

Source: the "Maven Metadata" model, version 1.1.0. One file may speak at three levels: the versions of an artifact, the
builds of a SNAPSHOT version, the plugin prefixes of a group; a folder can be an artifact and a group at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import Invalid
from pakhus.formats.maven.elements import add, child, children, local, rendered, text
from pakhus.formats.maven.layout import Gav, Place, is_snapshot, parse, stamp
from pakhus.kit.versions import maven_key
from pakhus.kit.wire import parse_xml

PLUGIN = "maven-plugin"
_AFFIX = re.compile(r"-?(?:maven|plugin)-?")


@dataclass(frozen=True, slots=True)
class Plugin:
    prefix: str
    artifact_id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """A file of a SNAPSHOT version: `value` is the version in its name, `updated` is `yyyyMMddHHmmss` in UTC."""

    extension: str
    value: str
    updated: str
    classifier: str = ""

    @property
    def kind(self) -> tuple[str, str]:
        return self.classifier, self.extension


@dataclass(frozen=True, slots=True)
class Metadata:
    """Empty members are not written. `last_updated` is `yyyyMMddHHmmss` in UTC; `snapshot` timestamp and number."""

    group_id: str = ""
    artifact_id: str = ""
    version: str = ""
    latest: str = ""
    release: str = ""
    versions: tuple[str, ...] = ()
    last_updated: str = ""
    snapshot: tuple[str, int] | None = None
    builds: tuple[Build, ...] = ()
    plugins: tuple[Plugin, ...] = field(default=())


# -- from components ---------------------------------------------------------------------------------------------------


def derive(place: Place, components: Iterable[Component]) -> Metadata | None:
    """The metadata of a folder, `None` when none of the components has a say in it."""
    if place.is_version:
        return _of_version(place, [gav for component in components for gav in _files(component, place)])
    listed = list(components)
    here = [component for component in listed if (component.namespace, component.name) == place.artifact]
    plugins = [plugin for component in listed if (plugin := _plugin(component, place)) is not None]
    found = Metadata()
    if here:
        times = max(moment(component.updated) for component in here)
        versions = _ordered(base_version(component) for component in here)
        found = listing(Metadata(*place.artifact, versions=versions, last_updated=times))
    if plugins:
        found = replace(found, plugins=_by_prefix(plugins))
    return found if here or plugins else None


def base_version(component: Component) -> str:
    return str(component.attributes.get("baseVersion") or component.version)


def moment(time: datetime) -> str:
    """A time as metadata has it."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S")


def listing(metadata: Metadata) -> Metadata:
    """With the highest version as `latest`, and the highest that is no SNAPSHOT as `release`."""
    releases = [version for version in metadata.versions if not is_snapshot(version)]
    latest = metadata.versions[-1] if metadata.versions else ""
    return replace(metadata, latest=latest, release=releases[-1] if releases else "")


def plugin_prefix(artifact_id: str) -> str:
    """The prefix that Maven gives a plugin which names none: `maven-site-plugin` and `site-maven-plugin` are `site`."""
    return "plugin" if artifact_id == "maven-plugin-plugin" else _AFFIX.sub("", artifact_id)


def _ordered(versions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(versions), key=lambda version: (maven_key(version), version)))


def _files(component: Component, place: Place) -> Iterable[tuple[Gav, Asset]]:
    for asset in component.assets:
        gav = parse(asset.path)
        if gav is not None and gav.folder == place.folder:
            yield gav, asset


def _of_version(place: Place, files: Sequence[tuple[Gav, Asset]]) -> Metadata | None:
    builds = [Build(gav.full_extension, gav.version, _updated(gav, asset), gav.classifier) for gav, asset in files]
    if not builds:
        return None
    return _settled(Metadata(*place.artifact, version=place.version, builds=tuple(builds)))


def _updated(gav: Gav, asset: Asset) -> str:
    stamped = stamp(gav.version) if gav.is_timestamped else None
    return stamped[0].replace(".", "") if stamped else moment(asset.updated)


def _settled(metadata: Metadata) -> Metadata:
    """Of each kind of file the newest build; the newest timestamp; the newest time."""
    newest: dict[tuple[str, str], Build] = {}
    for build in metadata.builds:
        known = newest.get(build.kind)
        if known is None or _age(known) < _age(build):
            newest[build.kind] = build
    builds = tuple(newest[kind] for kind in sorted(newest))
    stamps = [found for build in builds if (found := stamp(build.value)) is not None]
    times = [metadata.last_updated, *(build.updated for build in builds)]
    known_stamps = [metadata.snapshot, *stamps] if metadata.snapshot else stamps
    return replace(metadata, builds=builds, snapshot=max(known_stamps, default=None), last_updated=max(times))


def _age(build: Build) -> tuple[str, int]:
    found = stamp(build.value)
    return build.updated, found[1] if found else 0


def _plugin(component: Component, place: Place) -> Plugin | None:
    attributes = component.attributes
    if component.namespace != place.group or attributes.get("packaging") != PLUGIN:
        return None
    described: Mapping[str, Any] = attributes.get("plugin") or {}
    prefix = str(described.get("prefix") or plugin_prefix(component.name) or component.name)
    return Plugin(prefix, component.name, str(described.get("name") or attributes.get("name") or component.name))


def _by_prefix(plugins: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """Each (prefix, artifact) once, as the first says it."""
    known: dict[tuple[str, str], Plugin] = {}
    for plugin in plugins:
        known.setdefault((plugin.prefix, plugin.artifact_id), plugin)
    return tuple(known[key] for key in sorted(known))


# -- read, merge, restrict ---------------------------------------------------------------------------------------------


def load(body: bytes) -> Metadata:
    """Raises `Invalid` for what is not repository metadata."""
    root = parse_xml(body)
    if local(root) != "metadata":
        raise Invalid(f"Invalid {local(root)}: repository metadata has the root element <metadata>")
    versioning = child(root, "versioning")
    snapshot = child(versioning, "snapshot")
    stamped = text(snapshot, "timestamp")
    return Metadata(
        text(root, "groupId"),
        text(root, "artifactId"),
        text(root, "version"),
        text(versioning, "latest"),
        text(versioning, "release"),
        tuple(version.text.strip() for version in children(child(versioning, "versions"), "version") if version.text),
        text(versioning, "lastUpdated"),
        (stamped, _number(text(snapshot, "buildNumber"))) if stamped else None,
        tuple(
            Build(text(build, "extension"), text(build, "value"), text(build, "updated"), text(build, "classifier"))
            for build in children(child(versioning, "snapshotVersions"), "snapshotVersion")
            if text(build, "value")
        ),
        tuple(
            Plugin(text(plugin, "prefix"), text(plugin, "artifactId"), text(plugin, "name"))
            for plugin in children(child(root, "plugins"), "plugin")
            if text(plugin, "prefix")
        ),
    )


def _number(written: str) -> int:
    return int(written) if written.isdecimal() else 0


def merge(models: Sequence[Metadata]) -> Metadata:
    """The union. One model stays as it is, so that a group of one says what its member says."""
    if len(models) == 1:
        return models[0]
    versions = _ordered(version for model in models for version in model.versions)
    together = Metadata(
        _first(models, "group_id"),
        _first(models, "artifact_id"),
        _first(models, "version"),
        _highest(_candidates(models, "latest", any_version=True)),
        _highest(_candidates(models, "release", any_version=False)),
        versions,
        max(model.last_updated for model in models),
        max((model.snapshot for model in models if model.snapshot), default=None),
        tuple(build for model in models for build in _builds(model)),
        _by_prefix(plugin for model in models for plugin in model.plugins),
    )
    return _settled(together) if together.builds else together


def _builds(model: Metadata) -> Iterable[Build]:
    """The builds of a member; old metadata has but a timestamp, which holds for POM and JAR."""
    if model.builds or model.snapshot is None or not model.version:
        return model.builds
    timestamp, number = model.snapshot
    value = f"{model.version.removesuffix('SNAPSHOT')}{timestamp}-{number}"
    return tuple(Build(extension, value, timestamp.replace(".", "")) for extension in ("pom", "jar"))


def _first(models: Sequence[Metadata], name: str) -> str:
    return next((value for model in models if (value := getattr(model, name))), "")


def _candidates(models: Sequence[Metadata], name: str, *, any_version: bool) -> Iterable[str]:
    """What each member says, or else its highest version: what upstream holds back stays held back."""
    for model in models:
        yield getattr(model, name)
        if not getattr(model, name):
            yield from (version for version in model.versions if any_version or not is_snapshot(version))


def _highest(versions: Iterable[str]) -> str:
    ordered = _ordered(version for version in versions if version)
    return ordered[-1] if ordered else ""


def restrict(metadata: Metadata, allowed: Callable[[str], bool]) -> Metadata:
    """Without the versions that a repository refuses."""
    kept = tuple(version for version in metadata.versions if allowed(version))
    if kept == metadata.versions:
        return metadata
    recomputed = listing(replace(metadata, versions=kept))
    latest = metadata.latest if metadata.latest in kept else recomputed.latest
    release = metadata.release if metadata.release in kept else recomputed.release
    return replace(metadata, versions=kept, latest=latest, release=release)


# -- write -------------------------------------------------------------------------------------------------------------


def dump(metadata: Metadata) -> bytes:
    root = Element("metadata", {"modelVersion": "1.1.0"} if metadata.builds else {})
    add(root, groupId=metadata.group_id, artifactId=metadata.artifact_id, version=metadata.version)
    versioning = Element("versioning")
    add(versioning, latest=metadata.latest, release=metadata.release)
    if metadata.snapshot is not None:
        timestamp, number = metadata.snapshot
        add(SubElement(versioning, "snapshot"), timestamp=timestamp, buildNumber=str(number))
    if metadata.versions:
        versions = SubElement(versioning, "versions")
        for version in metadata.versions:
            SubElement(versions, "version").text = version
    add(versioning, lastUpdated=metadata.last_updated)
    if metadata.builds:
        _dump_builds(SubElement(versioning, "snapshotVersions"), metadata.builds)
    if len(versioning):
        root.append(versioning)
    if metadata.plugins:
        _dump_plugins(SubElement(root, "plugins"), metadata.plugins)
    return rendered(root)


def _dump_builds(parent: Element, builds: Iterable[Build]) -> None:
    for build in builds:
        entry = SubElement(parent, "snapshotVersion")
        add(
            entry,
            classifier=build.classifier,
            extension=build.extension,
            value=build.value,
            updated=build.updated,
        )


def _dump_plugins(parent: Element, plugins: Iterable[Plugin]) -> None:
    for plugin in plugins:
        add(SubElement(parent, "plugin"), name=plugin.name, prefix=plugin.prefix, artifactId=plugin.artifact_id)
