"""What a file is, by its name and by what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.cli.outcome import Failure
from pakhus.cli.upload.kinds import Kind, in_layout, kind
from tests.unit.cli.packages import POM, PROPERTIES, mixed, plain, tar, zipped


def test_each_kind_is_recognised(tmp_path: Path) -> None:
    folder = mixed(tmp_path)
    found = {
        file.relative_to(folder).as_posix(): kind(file, file.relative_to(folder).as_posix())
        for file in folder.rglob("*")
        if file.is_file()
    }
    assert found == {
        "demo-1.0-py3-none-any.whl": Kind("pypi"),
        "demo-1.0.tar.gz": Kind("pypi"),
        "acme-demo-1.0.0.tgz": Kind("npm"),
        "chart-0.1.0.tgz": Kind("helm"),
        "lib-1.5.jar": Kind("maven2", "com/acme/lib/1.5/lib-1.5.jar"),
        "tool.pom": Kind("maven2", "com/acme/tool/2.0/tool-2.0.pom"),
        "m2/org/x/y/1.0/y-1.0.jar": Kind("maven2", "m2/org/x/y/1.0/y-1.0.jar"),
        "m2/org/x/y/1.0/y-1.0.jar.sha1": Kind("maven2", skip="the server computes checksums"),
        "m2/org/x/y/1.0/_remote.repositories": Kind("maven2", skip="written by the server itself"),
        "notes/read me.txt": Kind("raw", "notes/read me.txt"),
    }


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.nupkg", "nuget"), ("a-1.gem", "rubygems"), ("a_1_amd64.deb", "apt"), ("a.rpm", "yum"), ("a-1.crate", "cargo")],
)
def test_names_that_leave_nothing_open_are_not_opened(tmp_path: Path, name: str, format: str) -> None:
    assert kind(tmp_path / name, name).format == format


def test_tarball_that_is_no_package_is_raw(tmp_path: Path) -> None:
    assert kind(tar(tmp_path / "site-1.0.tar.gz", {"index.html": ""}), "site-1.0.tar.gz").format == "raw"
    assert kind(tar(tmp_path / "x.tgz", {"data/x": ""}), "x.tgz").format == "raw"
    assert kind(plain(tmp_path / "broken.tgz"), "broken.tgz").format == "raw"


def test_classifier_of_a_jar_is_kept(tmp_path: Path) -> None:
    jar = zipped(tmp_path / "lib-1.5-sources.jar", {"META-INF/maven/com.acme/lib/pom.properties": PROPERTIES})
    assert kind(jar, jar.name).path == "com/acme/lib/1.5/lib-1.5-sources.jar"


def test_jar_that_bundles_others_does_not_take_their_coordinates(tmp_path: Path) -> None:
    places = [f"META-INF/maven/com.acme/{name}/pom.properties" for name in ("a", "b")]
    jar = zipped(tmp_path / "app.jar", dict.fromkeys(places, PROPERTIES))
    assert kind(jar, "app.jar") == Kind("raw", "app.jar")


def test_pom_without_coordinates_is_refused(tmp_path: Path) -> None:
    pom = plain(tmp_path / "x.pom", POM.replace("<version>2.0</version>", "<version>${revision}</version>"))
    with pytest.raises(Failure, match="does not say"):
        kind(pom, "x.pom")


def test_checksum_of_a_plain_file_is_a_file(tmp_path: Path) -> None:
    plain(tmp_path / "disk.iso")
    assert kind(plain(tmp_path / "disk.iso.sha256"), "disk.iso.sha256") == Kind("raw", "disk.iso.sha256")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("org/x/y/1.0/y-1.0.jar", True),
        ("org/x/y/1.0/y-1.0-sources.jar", True),
        ("org/x/y/1.0-SNAPSHOT/y-1.0-SNAPSHOT.jar", True),
        ("org/x/y/1.0-SNAPSHOT/y-1.0-20240102.030405-7-tests.jar", True),
        ("org/x/y/1.0/z-1.0.jar", False),
        ("org/x/y/1.0/y-1.01.jar", False),
        ("y/1.0/y-1.0.jar", False),
        ("y-1.0.jar", False),
    ],
)
def test_maven_layout_is_recognised(path: str, expected: bool) -> None:
    assert in_layout(path) is expected


@given(st.text())
def test_any_path_is_in_the_layout_or_not(path: str) -> None:
    assert in_layout(path) in (True, False)
