"""npm names, versions, tags and paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Coordinates
from pakhus.domain.errors import Invalid
from pakhus.formats.npm import Npm, names
from pakhus.formats.npm.packument import Packument
from pakhus.formats.npm.tarball import Tarball

WORD = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
NAMES = st.one_of(WORD, st.tuples(WORD, WORD).map(lambda pair: f"@{pair[0]}/{pair[1]}"))
VERSIONS = st.from_regex(r"(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.0(-[a-z]{1,5}\.[1-9])?", fullmatch=True)


@given(NAMES, VERSIONS)
def test_tarball_paths_tell_name_and_version(name: str, version: str) -> None:
    route, params = Npm().match("GET", names.tarball_path(name, version))
    assert isinstance(route, Tarball)
    assert params["name"] == name
    assert names.version_of(name, params["file"]) == version


@given(NAMES)
def test_coordinates_give_the_full_name_back(name: str) -> None:
    assert names.full(names.coordinates(name, "1.0.0")) == name


def test_scope_is_the_namespace_without_its_at() -> None:
    assert names.coordinates("@acme/web", "1.0.0") == Coordinates("web", "1.0.0", "acme")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("@acme%2fweb", "@acme/web"),
        ("@acme%2Fweb/-/web-1.0.0.tgz", "@acme/web/-/web-1.0.0.tgz"),
        ("@acme/web/-/@acme/web-1.0.0.tgz", "@acme/web/-/web-1.0.0.tgz"),
        ("@acme/web/-/@acme/web-1.0.0.tgz/-rev/3-a", "@acme/web/-/web-1.0.0.tgz/-rev/3-a"),
        ("repository/npm/-/npm/v1/attestations/web@1.0.0", "-/npm/v1/attestations/web@1.0.0"),
        ("web", "web"),
    ],
)
def test_every_spelling_of_a_path_is_one_path(written: str, meant: str) -> None:
    assert Npm().canonical(written) == meant
    assert Npm().canonical(meant) == meant


@pytest.mark.parametrize("path", ["web", "@acme/web", "-", "Legacy", "a.b"])
def test_packument_paths_are_names(path: str) -> None:
    route, params = Npm().match("GET", path)
    assert isinstance(route, Packument)
    assert params == {"name": path}


def test_package_called_hyphen_has_files() -> None:
    route, params = Npm().match("GET", "-/-/--0.0.1.tgz")
    assert isinstance(route, Tarball)
    assert names.version_of(params["name"], params["file"]) == "0.0.1"


@pytest.mark.parametrize("name", ["a", "lodash.merge", "@acme/web", "x" * 214, "@a~b/c"])
def test_valid_names_may_be_published(name: str) -> None:
    names.check_name(name, new=True)


@pytest.mark.parametrize(
    "name",
    ["", ".a", "_a", "a b", "a%2fb", "ä", "Web", "node_modules", "@/a", "@a/", "@a/.b", "x" * 215, "a?b", "@../a"],
)
def test_invalid_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        names.check_name(name, new=True)


def test_capitals_live_on_in_packages_that_exist() -> None:
    names.check_name("JSONStream", new=False)


@pytest.mark.parametrize("version", ["1.0.0", "0.0.0-alpha.1", "1.2.3-rc.1+build.5", "10.20.30"])
def test_semantic_versions_are_versions(version: str) -> None:
    names.check_version(version)


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0/..", "x", "1" * 300]
)
def test_other_texts_are_not(version: str) -> None:
    with pytest.raises(Invalid):
        names.check_version(version)


@pytest.mark.parametrize("tag", ["latest", "next", "beta-2", "v-next", "rc"])
def test_words_are_tags(tag: str) -> None:
    names.check_tag(tag)


@pytest.mark.parametrize("tag", ["", "1.0.0", "1.x", "v2", "^1", ">=2", "*", "a/b", "..", "x"])
def test_tags_that_read_as_ranges_are_refused(tag: str) -> None:
    with pytest.raises(Invalid):
        names.check_tag(tag)


@pytest.mark.parametrize("written", ["1.0.0", "v1.0.0", " =1.0.0 ", "1.0.0+build"])
def test_what_clients_clean_is_the_same_version(written: str) -> None:
    assert names.same_version("1.0.0", written)


@pytest.mark.parametrize("written", ["1.0.1", "", None, 1, "1.0.0-rc"])
def test_another_version_is_not(written: object) -> None:
    assert not names.same_version("1.0.0", written)
