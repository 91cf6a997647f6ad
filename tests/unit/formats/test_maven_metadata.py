"""`maven-metadata.xml`: what components say, what groups merge, what clients read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Blob, Component, Coordinates, Digests
from pakhus.domain.errors import Invalid
from pakhus.formats.maven import archetypes
from pakhus.formats.maven.layout import Place, is_snapshot, parse
from pakhus.formats.maven.metadata import Build, Metadata, Plugin, derive, dump, load, merge, plugin_prefix, restrict
from pakhus.kit.versions import maven_key

NOON = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
DIGESTS = Digests("2" * 64, "1" * 40, "5" * 32, "6" * 128)


def component(*paths: str, updated: datetime = NOON, **attributes: Any) -> Component:
    gav = parse(paths[0])
    assert gav is not None
    coordinates = Coordinates(gav.artifact_id, gav.version, gav.group_id)
    blob = Blob(1, "default", "k", 1, DIGESTS, updated)
    assets = [Asset(1, "r", path, blob, "", coordinates, {}, updated, updated) for path in paths]
    return Component(1, "r", coordinates, {"baseVersion": gav.base_version, **attributes}, assets, updated, updated)


def release(version: str, artifact: str = "org/acme/app", updated: datetime = NOON, **attributes: Any) -> Component:
    name = artifact.rpartition("/")[2]
    return component(f"{artifact}/{version}/{name}-{version}.pom", updated=updated, **attributes)


def snapshot(stamp: str, *tails: str) -> Component:
    return component(*(f"org/acme/app/1.0-SNAPSHOT/app-1.0-{stamp}{tail}" for tail in tails))


def test_versions_are_listed_in_mavens_order() -> None:
    found = derive(Place("org/acme/app"), [release(v) for v in ("1.10", "1.2", "1.2-beta-1", "2.0-SNAPSHOT")])
    assert found is not None
    assert found.versions == ("1.2-beta-1", "1.2", "1.10", "2.0-SNAPSHOT")
    assert (found.latest, found.release) == ("2.0-SNAPSHOT", "1.10")


def test_the_time_comes_from_the_newest_component() -> None:
    later = datetime(2024, 6, 1, 2, 3, 4, tzinfo=UTC)
    found = derive(Place("org/acme/app"), [release("1.0", updated=later), release("1.1")])
    assert found is not None
    assert found.last_updated == "20240601020304"


def test_builds_of_one_snapshot_are_one_version() -> None:
    found = derive(
        Place("org/acme/app"), [snapshot("20240101.000000-1", ".pom"), snapshot("20240102.000000-2", ".pom")]
    )
    assert found is not None
    assert (found.versions, found.latest, found.release) == (("1.0-SNAPSHOT",), "1.0-SNAPSHOT", "")


def test_nothing_gives_no_metadata() -> None:
    assert derive(Place("org/acme/app"), []) is None
    assert derive(Place("org/acme/app"), [release("1.0", "org/acme/other")]) is None
    assert derive(Place("org/acme/app/1.0-SNAPSHOT"), []) is None


def test_a_snapshot_version_tells_the_newest_build_of_each_file() -> None:
    first = snapshot("20240101.000000-1", ".pom", ".jar", "-sources.jar")
    second = snapshot("20240102.030405-2", ".pom", ".jar")
    found = derive(Place("org/acme/app/1.0-SNAPSHOT"), [first, second])
    assert found is not None
    assert found.snapshot == ("20240102.030405", 2)
    assert found.last_updated == "20240102030405"
    assert {build.kind: build.value for build in found.builds} == {
        ("", "jar"): "1.0-20240102.030405-2",
        ("", "pom"): "1.0-20240102.030405-2",
        ("sources", "jar"): "1.0-20240101.000000-1",
    }


def test_a_snapshot_without_timestamps_is_told_by_its_base_version() -> None:
    found = derive(Place("org/acme/app/1.0-SNAPSHOT"), [release("1.0-SNAPSHOT")])
    assert found is not None
    assert found.snapshot is None
    assert found.builds == (Build("pom", "1.0-SNAPSHOT", "20240506120000"),)


def test_a_folder_can_be_artifact_and_group_at_once() -> None:
    plugin = release("3", "org/acme/app/tool-maven-plugin", packaging="maven-plugin", name="Tool")
    found = derive(Place("org/acme/app"), [release("1.0"), plugin])
    assert found is not None
    assert found.versions == ("1.0",)
    assert found.plugins == (Plugin("tool", "tool-maven-plugin", "Tool"),)


def test_the_plugin_descriptor_has_the_last_word_on_the_prefix() -> None:
    said: Mapping[str, str] = {"prefix": "acme", "name": "The plugin"}
    plugin = release("3", "org/acme/tool-maven-plugin", packaging="maven-plugin", plugin=said, name="Tool")
    found = derive(Place("org/acme"), [plugin, release("4", "org/acme/tool-maven-plugin", packaging="jar")])
    assert found is not None
    assert found.plugins == (Plugin("acme", "tool-maven-plugin", "The plugin"),)


@pytest.mark.parametrize(
    ("artifact", "prefix"),
    [
        ("maven-site-plugin", "site"),
        ("tool-maven-plugin", "tool"),
        ("maven-plugin-plugin", "plugin"),
        ("jetty-plugin", "jetty"),
    ],
)
def test_the_default_prefix_is_mavens(artifact: str, prefix: str) -> None:
    assert plugin_prefix(artifact) == prefix


def test_metadata_is_written_in_mavens_shape() -> None:
    found = derive(Place("org/acme/app/1.0-SNAPSHOT"), [snapshot("20240102.030405-2", "-sources.jar")])
    assert found is not None
    assert dump(found).decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<metadata modelVersion="1.1.0">\n'
        "  <groupId>org.acme</groupId>\n"
        "  <artifactId>app</artifactId>\n"
        "  <version>1.0-SNAPSHOT</version>\n"
        "  <versioning>\n"
        "    <snapshot>\n"
        "      <timestamp>20240102.030405</timestamp>\n"
        "      <buildNumber>2</buildNumber>\n"
        "    </snapshot>\n"
        "    <lastUpdated>20240102030405</lastUpdated>\n"
        "    <snapshotVersions>\n"
        "      <snapshotVersion>\n"
        "        <classifier>sources</classifier>\n"
        "        <extension>jar</extension>\n"
        "        <value>1.0-20240102.030405-2</value>\n"
        "        <updated>20240102030405</updated>\n"
        "      </snapshotVersion>\n"
        "    </snapshotVersions>\n"
        "  </versioning>\n"
        "</metadata>\n"
    )


VERSION = st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}(-SNAPSHOT|-rc[0-9])?", fullmatch=True)
TIME = st.from_regex(r"20[0-9]{12}", fullmatch=True)
BUILD = st.builds(
    lambda kind, day, number: Build(kind[1], f"1.0-{day}.000000-{number}", f"{day}000000", kind[0]),
    st.sampled_from([("", "jar"), ("", "pom"), ("sources", "jar")]),
    st.from_regex(r"20[0-9]{6}", fullmatch=True),
    st.integers(1, 99),
)
PLUGIN = st.builds(Plugin, st.sampled_from(["a", "b"]), st.sampled_from(["a-plugin", "b-plugin"]), st.just("N"))
ARTIFACT_LEVEL = st.builds(
    Metadata,
    st.just("org.acme"),
    st.just("app"),
    latest=st.just("") | VERSION,
    release=st.just("") | VERSION,
    versions=st.lists(VERSION, unique=True).map(tuple),
    last_updated=TIME,
    plugins=st.lists(PLUGIN, unique=True).map(tuple),
)
VERSION_LEVEL = st.builds(
    Metadata,
    st.just("org.acme"),
    st.just("app"),
    st.just("1.0-SNAPSHOT"),
    last_updated=TIME,
    snapshot=st.none() | st.tuples(st.from_regex(r"20[0-9]{6}\.[0-9]{6}", fullmatch=True), st.integers(1, 99)),
    builds=st.lists(BUILD).map(tuple),
)
MODELS = ARTIFACT_LEVEL | VERSION_LEVEL


@given(MODELS)
def test_what_is_written_is_read_back(model: Metadata) -> None:
    assert load(dump(model)) == model


@given(MODELS)
def test_a_group_of_one_says_what_its_member_says(model: Metadata) -> None:
    assert merge([model]) == model


@given(st.lists(ARTIFACT_LEVEL, min_size=2, max_size=4))
def test_a_group_lists_the_union_in_mavens_order(models: list[Metadata]) -> None:
    merged = merge(models)
    assert set(merged.versions) == {version for model in models for version in model.versions}
    assert list(merged.versions) == sorted(merged.versions, key=lambda v: (maven_key(v), v))
    assert merged.last_updated == max(model.last_updated for model in models)
    assert len({(p.prefix, p.artifact_id) for p in merged.plugins}) == len(merged.plugins)


@given(st.lists(VERSION_LEVEL, min_size=2, max_size=4))
def test_a_group_takes_the_newest_build_of_each_file(models: list[Metadata]) -> None:
    merged = merge(models)
    kinds = [build.kind for build in merged.builds]
    assert len(set(kinds)) == len(kinds)
    for build in (build for model in models for build in model.builds):
        assert next(kept for kept in merged.builds if kept.kind == build.kind).updated >= build.updated


@given(MODELS, MODELS, MODELS)
def test_nested_groups_list_the_same_versions(a: Metadata, b: Metadata, c: Metadata) -> None:
    flat, nested = merge([a, b, c]), merge([merge([a, b]), c])
    assert flat.versions == nested.versions
    assert {b.kind: b.updated for b in flat.builds} == {b.kind: b.updated for b in nested.builds}
    assert (flat.snapshot, flat.plugins) == (nested.snapshot, nested.plugins)


def test_what_an_upstream_holds_back_stays_held_back() -> None:
    upstream = Metadata("g", "a", latest="2.0-rc1", release="1.9", versions=("1.9", "2.0-rc1"), last_updated="2")
    hosted = Metadata("g", "a", versions=("1.8", "2.1-SNAPSHOT"), last_updated="1")
    merged = merge([hosted, upstream])
    assert (merged.latest, merged.release) == ("2.1-SNAPSHOT", "1.9")


def test_old_snapshot_metadata_counts_for_pom_and_jar() -> None:
    old = Metadata("g", "a", "1-SNAPSHOT", last_updated="20240101000000", snapshot=("20240101.000000", 3))
    new = Metadata("g", "a", "1-SNAPSHOT", builds=(Build("jar", "1-20230101.000000-1", "20230101000000"),))
    merged = merge([new, old])
    assert {build.value for build in merged.builds} == {"1-20240101.000000-3"}
    assert merged.snapshot == ("20240101.000000", 3)


def test_versions_that_a_repository_refuses_are_not_listed() -> None:
    model = Metadata("g", "a", latest="2-SNAPSHOT", release="1", versions=("1", "2-SNAPSHOT"))
    kept = restrict(model, lambda version: not is_snapshot(version))
    assert (kept.versions, kept.latest, kept.release) == (("1",), "1", "1")
    assert restrict(Metadata("g", "a", versions=("2-SNAPSHOT",)), lambda version: False) == Metadata("g", "a")
    assert restrict(model, lambda version: True) is model


@pytest.mark.parametrize("body", [b"", b"<metadata>", b"<html/>", b"plain"])
def test_what_is_no_metadata_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        load(body)


def test_an_archetype_catalog_is_written_read_and_merged() -> None:
    ours = archetypes.derive([release("1.0", "org/acme/kind", name="Kind"), release("0.9", "org/acme/kind")])
    assert ours is not None
    assert [(entry.version, entry.description) for entry in ours] == [("0.9", ""), ("1.0", "Kind")]
    assert archetypes.load(archetypes.dump(ours)) == ours
    theirs = (archetypes.Archetype("org.acme", "kind", "1.0", "Other"), archetypes.Archetype("a", "b", "1"))
    merged = archetypes.merge([ours, theirs])
    assert [(entry.artifact_id, entry.description) for entry in merged] == [("b", ""), ("kind", ""), ("kind", "Kind")]
    assert archetypes.derive([]) is None
