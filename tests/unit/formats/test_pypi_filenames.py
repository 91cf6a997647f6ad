"""Names: one spelling of each, and what a file name tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.formats.pypi import Pypi
from pakhus.formats.pypi.filenames import (
    canonical,
    is_safe,
    media_type,
    normalise,
    normalise_version,
    package_path,
    understand,
)

NAMES = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(
    r"v?([1-9]!)?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3}){0,3}([._-]?(a|beta|RC)[._-]?[0-9])?(\.post[0-9])?(\+[a-z0-9]{1,4})?",
    fullmatch=True,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("simple", "simple/"),
        ("simple/Foo_Bar/", "simple/foo-bar/"),
        ("simple/Foo.-_Bar", "simple/foo-bar/"),
        ("legacy", "legacy/"),
        ("", ""),
        ("packages/Foo_Bar/1.0.RC1/Foo_Bar-1.0rc1.tar.gz", "packages/foo-bar/1.0rc1/Foo_Bar-1.0rc1.tar.gz"),
        ("packages/Foo/strange.exe", "packages/foo/strange.exe"),
        ("pypi/Foo/json", "pypi/foo/json"),
        ("pypi/Foo/1.0-1/json", "pypi/foo/1.0.post1/json"),
        ("pypi/Foo/V1/yank", "pypi/foo/1/yank"),
        ("integrity/Foo/1.0.0/foo-1.0.0.tar.gz/provenance", "integrity/foo/1.0.0/foo-1.0.0.tar.gz/provenance"),
    ],
)
def test_every_path_has_one_spelling(path: str, expected: str) -> None:
    assert canonical(path) == expected


@given(NAMES, VERSIONS)
def test_normalising_twice_changes_nothing(name: str, version: str) -> None:
    for template in (
        "simple/{}/",
        "simple/{}",
        "packages/{}/{}/file.whl",
        "pypi/{}/{}/json",
        "integrity/{}/{}/f/provenance",
    ):
        once = canonical(template.format(name, version))
        assert canonical(once) == once


@given(st.text(max_size=40))
def test_no_path_breaks_the_canonical_spelling(path: str) -> None:
    assert canonical(canonical(path)) == canonical(path)


@given(NAMES, st.sampled_from("-_."), st.integers(1, 3))
def test_names_that_differ_only_in_separators_and_case_are_one(name: str, separator: str, count: int) -> None:
    spelled = name.replace("-", separator * count).replace("_", separator * count).replace(".", separator * count)
    assert normalise(spelled.upper()) == normalise(name)


@given(NAMES, VERSIONS)
def test_an_sdist_of_a_known_project_tells_its_version(name: str, version: str) -> None:
    found = understand(f"{name}-{version}.tar.gz", normalise(name))
    assert found is not None
    assert (found.name, found.version) == (normalise(name), normalise_version(version))


@given(st.text(max_size=60))
def test_no_file_name_breaks_the_reader(filename: str) -> None:
    for ending in ("", ".whl", ".tar.gz", ".egg", ".zip"):
        found = understand(filename + ending, "foo")
        assert found is None or found.name


@pytest.mark.parametrize(
    ("filename", "name", "version", "kind", "platform"),
    [
        ("foo-1.0-py3-none-any.whl", "foo", "1.0", "bdist_wheel", ""),
        ("Foo_Bar-1.0-1-py3-none-any.whl", "foo-bar", "1.0", "bdist_wheel", ""),
        ("foo-1.0+local.1-cp311-cp311-win_amd64.whl", "foo", "1.0+local.1", "bdist_wheel", "win_amd64"),
        ("foo_bar-1.0.tar.gz", "foo-bar", "1.0", "sdist", ""),
        ("foo-bar-1.0.zip", "foo-bar", "1.0", "sdist", ""),
        ("foo-1.0.tar.bz2", "foo", "1.0", "sdist", ""),
        ("foo-1.0-py2.7.egg", "foo", "1.0", "bdist_egg", ""),
        ("foo-1.0-py2.7-linux-x86_64.egg", "foo", "1.0", "bdist_egg", "linux-x86_64"),
    ],
)
def test_a_file_name_tells(filename: str, name: str, version: str, kind: str, platform: str) -> None:
    found = understand(filename)
    assert found is not None
    assert (found.name, found.version, found.kind, found.platform) == (name, version, kind, platform)


@pytest.mark.parametrize(
    "filename", ["foo.whl", "foo-1.0.exe", "foo.tar.gz", "foo-bar.tar.gz", "foo-1.0.rpm", "-1.0.tar.gz", ""]
)
def test_what_is_no_distribution_is_not_understood(filename: str) -> None:
    assert understand(filename) is None


def test_the_project_decides_where_a_dashed_version_begins() -> None:
    found = understand("foo-1.0-1.tar.gz", "foo")
    assert found is not None
    assert found.version == "1.0.post1"


def test_a_file_that_tells_no_version_has_a_path_all_the_same() -> None:
    assert package_path("foo", "foo-1.0.win32-py2.7.exe") == "packages/foo/foo-1.0.win32-py2.7.exe"


@given(NAMES, VERSIONS)
def test_every_package_path_is_canonical_and_routed(name: str, version: str) -> None:
    path = package_path(normalise(name), f"{name}-{version}.tar.gz")
    assert canonical(path) == path
    route, params = Pypi().match("GET", path)
    assert params["name"] == normalise(name)
    assert params["version"] == normalise_version(version)
    assert route.path == "packages/{name}/{version}/{file}"


@pytest.mark.parametrize(
    "filename", ["../foo-1.0.tar.gz", "foo bar-1.0.tar.gz", ".foo-1.0.tar.gz", "foo-1.0.tar.gz\n", "a/b", ""]
)
def test_unsafe_file_names_are_not_safe(filename: str) -> None:
    assert not is_safe(filename)


def test_a_tarball_is_gzip_and_not_an_encoded_tar() -> None:
    assert media_type("packages/foo/1.0/foo-1.0.tar.gz") == "application/gzip"
    assert media_type("packages/foo/1.0/foo-1.0-py3-none-any.whl") == "application/zip"
    assert media_type("packages/foo/1.0/foo-1.0-py3-none-any.whl.metadata").startswith("text/plain")


@given(VERSIONS, VERSIONS)
def test_versions_sort_as_pep_440_says(one: str, other: str) -> None:
    from packaging.version import Version

    key = Pypi().version_key
    assert (key(one) < key(other)) == (Version(one) < Version(other))


def test_prereleases_are_told_apart() -> None:
    assert Pypi().prerelease("1.0rc1")
    assert Pypi().prerelease("1.0.dev1")
    assert not Pypi().prerelease("1.0.post1")
