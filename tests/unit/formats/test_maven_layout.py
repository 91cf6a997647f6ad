"""The Maven 2 layout: every path that a client writes is read back as what it meant."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pakhus.formats.maven.layout import CHECKSUMS, SIGNATURES, Gav, Place, parse, stamp

WORD = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
GROUP = st.lists(st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True), min_size=1, max_size=4).map(".".join)
ARTIFACT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
RELEASE = st.from_regex(r"[0-9][0-9A-Za-z_.-]{0,10}", fullmatch=True).filter(lambda v: not v.endswith("SNAPSHOT"))
CLASSIFIER = st.just("") | st.from_regex(r"[a-z][a-z0-9_.-]{0,8}[a-z0-9]", fullmatch=True)
EXTENSION = st.sampled_from(["jar", "pom", "war", "module", "tar.gz", "tar.bz2", "zip", "7z", "spdx.json", "cpio.gz"])
STAMP = st.from_regex(r"20[0-9]{6}\.[0-9]{6}-[0-9]{1,4}", fullmatch=True)


@st.composite
def gavs(draw: st.DrawFn) -> Gav:
    base = version = draw(RELEASE)
    if draw(st.booleans()):
        base, version = (
            f"{version}-SNAPSHOT",
            draw(st.just(f"{version}-SNAPSHOT") | STAMP.map(f"{version}-{{}}".format)),
        )
    classifier, extension = draw(CLASSIFIER), draw(EXTENSION)
    # `x.tar` + `gz` and `x` + `tar.gz` are one path: the layout itself cannot tell them apart.
    assume(not classifier.endswith((".tar", ".cpio", ".spdx", ".cdx")))
    signature = draw(st.sampled_from(["", *SIGNATURES]))
    return Gav(draw(GROUP), draw(ARTIFACT), base, version, extension, classifier, signature)


@given(gavs())
def test_every_artifact_path_is_read_back(gav: Gav) -> None:
    assert parse(gav.path) == gav


@given(gavs(), st.sampled_from(CHECKSUMS))
def test_a_checksum_is_no_artifact(gav: Gav, algorithm: str) -> None:
    assert parse(f"{gav.path}.{algorithm}") is None


@given(st.text(alphabet="ab/.-1SNAPHOT", max_size=60))
def test_what_is_read_writes_the_same_path(path: str) -> None:
    gav = parse(path)
    assert gav is None or gav.path == path


@pytest.mark.parametrize(
    "path",
    [
        "app-1.0.jar",
        "1.0/app-1.0.jar",
        "app/1.0/app-1.0.jar",
        "org/acme/app/1.0/other-1.0.jar",
        "org/acme/app/1.0/app-2.0.jar",
        "org/acme/app/1.0/app-1.0.1.jar",
        "org/acme/app/1.0/app-1.0",
        "org/acme/app/1.0/app-1.0-",
        "org/acme/app/1.0/app-1.0-.jar",
        "org/acme/app/1.0/app-1.0.",
        "org/acme/app/1.0/app-1.0.asc",
        "org/acme/app/1.0/app-1.0-20240101.120000-1.jar/x",
        "org.acme/app/1.0/app-1.0.jar",
        "org/acme/app/1.0/maven-metadata.xml",
        "org/acme/app/1.0/",
        ".index/app/1.0/app-1.0.jar",
        "",
    ],
)
def test_anything_else_has_no_coordinates(path: str) -> None:
    assert parse(path) is None


def test_a_timestamped_snapshot_keeps_both_versions() -> None:
    gav = parse("org/acme/app/1.0-SNAPSHOT/app-1.0-20240102.030405-7-sources.jar.asc")
    assert gav is not None
    assert (gav.base_version, gav.version) == ("1.0-SNAPSHOT", "1.0-20240102.030405-7")
    assert (gav.classifier, gav.full_extension) == ("sources", "jar.asc")
    assert stamp(gav.version) == ("20240102.030405", 7)


def test_a_timestamp_in_a_release_folder_is_a_classifier() -> None:
    gav = parse("org/acme/app/1.0/app-1.0-20240102.030405-7.jar")
    assert gav is not None
    assert gav.version == "1.0"
    assert gav.classifier == "20240102.030405-7"


def test_a_snapshot_folder_refuses_the_build_of_another_version() -> None:
    assert parse("org/acme/app/1.0-SNAPSHOT/app-1.1-20240102.030405-7.jar") is None


def test_a_metadata_folder_knows_its_levels() -> None:
    version = Place("org/acme/app/1.0-SNAPSHOT")
    assert version.is_version
    assert (version.artifact, version.version) == (("org.acme", "app"), "1.0-SNAPSHOT")
    artifact = Place("org/acme/app")
    assert not artifact.is_version
    assert (artifact.artifact, artifact.group) == (("org.acme", "app"), "org.acme.app")
    assert Place("acme").artifact == ("", "acme")
