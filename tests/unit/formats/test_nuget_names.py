"""Identities of NuGet packages, versions and their ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.formats.nuget.names import canonical, full, is_semver2, key, normal, normal_range


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", "1.0.0"),
        ("1.0", "1.0.0"),
        ("1.00.1", "1.0.1"),
        ("1.2.3.0", "1.2.3"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.0.0-Beta.1", "1.0.0-Beta.1"),
        ("1.0.0+build.5", "1.0.0"),
        ("1.0.0-", None),
        ("v1.0", None),
        ("1.0.0.0.0", None),
        ("", None),
    ],
)
def test_a_version_has_one_normal_form(written: str, expected: str | None) -> None:
    assert normal(written) == expected


versions = st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,4}){0,3}(-[A-Za-z][0-9A-Za-z.]{0,5}[a-z])?(\+[a-z]{1,4})?\Z")


@given(versions)
def test_normalising_again_changes_nothing(written: str) -> None:
    found = normal(written)
    assert found is None or normal(found) == found
    assert key(key(written)) == key(written)
    assert full(full(written)) == full(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.0", "[1.0.0, )"),
        ("[1.0]", "[1.0.0]"),
        ("[1.0,2.0)", "[1.0.0, 2.0.0)"),
        ("(,2.0]", "(, 2.0.0]"),
        ("", "(, )"),
        ("1.*", "1.*"),
    ],
)
def test_a_range_is_told_in_interval_notation(written: str, expected: str) -> None:
    assert normal_range(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1.0.0-beta", False), ("1.0.0-beta.1", True), ("1.0.0+x", True), ("1.0.0", False), ("nonsense", False)],
)
def test_dots_in_prereleases_and_build_metadata_take_semver2(written: str, expected: bool) -> None:
    assert is_semver2(written) is expected


NUPKG = "v3/content/foo.bar/1.0.0-beta/foo.bar.1.0.0-beta.nupkg"


@pytest.mark.parametrize(
    "path",
    [
        NUPKG,
        "Foo.Bar/1.0-Beta",
        "Foo.Bar/1.0-Beta/",
        "package/Foo.Bar/1.0-Beta",
        "api/v2/package/Foo.Bar/1.0-Beta",
        "api/v2/Foo.Bar/1.0-Beta",
        "v3/content/Foo.Bar/1.0-Beta/Foo.Bar.1.0-Beta.nupkg",
    ],
)
def test_a_package_has_one_path(path: str) -> None:
    assert canonical(path) == NUPKG


@pytest.mark.parametrize("path", ["", "api/v2", "api/v2/", "package/", "api/v2/package/", "package"])
def test_the_root_has_one_path(path: str) -> None:
    assert canonical(path) == ""


def test_another_versions_file_is_not_taken_for_the_package() -> None:
    path = "v3/content/foo/1.0.0/foo.2.0.0.nupkg"
    assert canonical(path) == path


@given(st.text(max_size=60))
def test_canonical_paths_are_canonical(path: str) -> None:
    assert canonical(canonical(path)) == canonical(path)
