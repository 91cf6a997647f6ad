"""Conan: references, revisions, listings, patterns, and what recipes and packages say of themselves."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Blob, Component, Coordinates, Digests
from pakhus.domain.errors import BadPackage, BadPath, Invalid
from pakhus.formats.conan import Conan, info, recipe
from pakhus.formats.conan.files import BuildFile, RecipeFile, check_form
from pakhus.formats.conan.listing import RecipeFiles
from pakhus.formats.conan.packages import PackageSearch
from pakhus.formats.conan.reference import check, coordinates, located, text
from pakhus.formats.conan.revisions import RecipeLatest, RecipeRevisions, Revision, newest_first
from pakhus.formats.conan.search import Pattern, RecipeSearch
from pakhus.kit.context import Context, Settings

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ZLIB = "v2/conans/zlib/1.3/_/_"
PACKAGE = "packages/aaaa"
INFO = (
    "[settings]\nos=Linux\n[options]\nshared=True\n# a comment\n[full_requires]\nbzip2/1.0:bbbb\n[recipe_hash]\ncccc\n"
)


def context(path: str, **query: str) -> Context:
    _, params = Conan().match("GET", path)
    return Context("here", path, params, query, "", Settings(), lambda inner: f"http://host/{inner}")


def asset(path: str, minute: int, **attributes: Any) -> Asset:
    moment = START + timedelta(minutes=minute)
    blob = Blob(1, "default", "key", 1, Digests("", "", f"md5 of {path.rpartition('/')[2]}", ""), moment)
    return Asset(1, "here", path, blob, "text/plain", None, attributes, moment, moment)


def component(*assets: Asset, **attributes: Any) -> Component:
    return Component(1, "here", Coordinates("zlib", "1.3"), attributes, assets, START, START)


def names(document: Mapping[str, Any]) -> list[str]:
    return [entry["revision"] for entry in document["revisions"]]


def params(reference: str) -> dict[str, str]:
    return dict(zip(("name", "version", "user", "channel"), reference.split("/"), strict=True))


@pytest.mark.parametrize(
    ("path", "shown", "group", "version"),
    [
        ("zlib/1.3/_/_", "zlib/1.3", "", "1.3"),
        ("zlib/1.3/acme/stable", "zlib/1.3@acme/stable", "acme", "1.3-stable"),
        ("zlib/1.3/acme/_", "zlib/1.3@acme", "acme", "1.3"),
    ],
)
def test_a_reference_has_as_much_as_there_is(path: str, shown: str, group: str, version: str) -> None:
    assert text(params(path)) == shown
    assert coordinates(params(path)) == Coordinates("zlib", version, group)


@pytest.mark.parametrize("path", ("z b/1.3/_/_", "zlib/1:3/_/_", "-z/1/_/_", "zlib/1.3/a@b/_"))
def test_a_name_that_no_client_would_give_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        check(params(path))


def test_a_path_says_whether_it_is_of_a_recipe_or_of_a_package() -> None:
    of_recipe = located(f"{ZLIB}/revisions/r1/files/metadata/packages/x/revisions/y/files/z")
    of_package = located(f"{ZLIB}/revisions/r1/{PACKAGE}/revisions/p1/files/metadata/log.txt")

    assert of_recipe is not None and "package_id" not in of_recipe
    assert of_package is not None and of_package["package_id"] == "aaaa" and of_package["file"] == "metadata/log.txt"


def test_a_revision_without_its_manifest_is_not_listed() -> None:
    held = component(
        asset(f"{ZLIB}/revisions/r1/files/conanmanifest.txt", 1),
        asset(f"{ZLIB}/revisions/r2/files/conanfile.py", 2),
        asset(f"{ZLIB}/revisions/r3/files/conanmanifest.txt", 3),
        asset(f"{ZLIB}/revisions/r4/{PACKAGE}/revisions/p1/files/conanmanifest.txt", 4),
        asset("v2/conans/zlib/1.3/acme/_/revisions/r5/files/conanmanifest.txt", 5),
    )
    ctx = context(f"{ZLIB}/revisions")
    model = RecipeRevisions().build(ctx, [held])
    assert model is not None
    assert names(json.loads(RecipeRevisions().dump(ctx, model))) == ["r3", "r1"]
    assert RecipeRevisions().build(context("v2/conans/zlib/1.3/other/_/revisions"), [held]) is None


revisions = st.lists(
    st.builds(Revision, st.sampled_from("abcde"), st.integers(0, 9).map(lambda n: START + timedelta(minutes=n))),
    min_size=1,
).map(newest_first)


@given(st.lists(revisions, min_size=1))
def test_the_latest_of_a_group_is_the_first_that_it_lists(members: list[tuple[Revision, ...]]) -> None:
    ctx = context(f"{ZLIB}/latest")
    listed = RecipeRevisions().merge(ctx, members)
    latest = RecipeLatest().merge(ctx, [member[:1] for member in members])

    assert latest[0].time == listed[0].time
    assert len({each.name for each in listed}) == len(listed)
    assert [each.time for each in listed] == sorted((each.time for each in listed), reverse=True)


@given(revisions)
def test_revisions_survive_the_wire(model: tuple[Revision, ...]) -> None:
    ctx = context(f"{ZLIB}/revisions")
    assert RecipeRevisions().parse(ctx, RecipeRevisions().dump(ctx, model)) == model


@pytest.mark.parametrize("time", ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000+0000", "2026-01-02T03:04:05"))
def test_the_times_of_other_servers_are_understood(time: str) -> None:
    body = json.dumps({"revision": "r1", "time": time}).encode()
    assert RecipeLatest().parse(context(f"{ZLIB}/latest"), body) == (Revision("r1", START.replace(microsecond=0)),)


def test_members_that_packed_a_revision_otherwise_are_not_mixed() -> None:
    ctx = context(f"{ZLIB}/revisions/r1/files")
    merged = RecipeFiles().merge(ctx, [{"conan_export.tgz": "1"}, {"conan_export.txz": "2", "metadata/log": "3"}])
    assert merged == {"conan_export.tgz": "1", "metadata/log": "3"}


@pytest.mark.parametrize(
    ("pattern", "reference", "found"),
    [
        ("zlib", "zlib/1.3", True),
        ("zlib*", "zlib/1.3@acme/stable", True),
        ("ZLIB/*", "zlib/1.3", True),
        ("zlib/1.3", "zlib/1.3@acme/stable", True),
        ("zlib/1.?@acme/*", "zlib/1.3@acme/stable", True),
        ("lib", "zlib/1.3", False),
        ("zlib/1", "zlib/1.3", False),
        ("", "zlib/1.3", True),
    ],
)
def test_a_pattern_is_of_the_reference_or_a_leading_part(pattern: str, reference: str, found: bool) -> None:
    assert Pattern(context("v2/conans/search", q=pattern)).matches(reference) is found


@given(st.text("ab/@*?[]", max_size=6), st.text("ab", min_size=1, max_size=4))
def test_a_name_that_matches_has_the_start_of_the_pattern(pattern: str, name: str) -> None:
    wanted = Pattern(context("v2/conans/search", q=pattern))
    assert wanted.start in name or not wanted.matches(f"{name}/b@a/b")


def test_case_counts_when_the_client_says_so() -> None:
    assert not Pattern(context("v2/conans/search", q="ZLIB*", ignorecase="False")).matches("zlib/1.3")


def test_an_endless_pattern_is_refused() -> None:
    with pytest.raises(Invalid):
        Pattern(context("v2/conans/search", q="*a" * 300))


def test_a_recipe_without_manifest_is_not_found() -> None:
    search = RecipeSearch()
    known = {"baseVersion": "1.3", "channel": "_"}
    assert search.build(context("v2/conans/search"), [component(**known)]) == ()
    assert search.build(context("v2/conans/search"), [component(**known, recipe=True)]) == ("zlib/1.3",)


def test_a_package_is_described_by_its_latest_complete_revision() -> None:
    folder = f"{ZLIB}/revisions/r1/{PACKAGE}/revisions"
    held = component(
        asset(f"{folder}/p1/files/conaninfo.txt", 1, info="[settings]\nos=Old"),
        asset(f"{folder}/p1/files/conanmanifest.txt", 2),
        asset(f"{folder}/p2/files/conaninfo.txt", 3, info=INFO),
        asset(f"{folder}/p2/files/conanmanifest.txt", 4),
        asset(f"{folder}/p3/files/conaninfo.txt", 5, info="[settings]\nos=Unfinished"),
    )
    model = PackageSearch().build(context(f"{ZLIB}/revisions/r1/search"), [held])
    assert model is not None
    assert model["aaaa"] == {
        "settings": {"os": "Linux"},
        "options": {"shared": "True"},
        "full_requires": ["bzip2/1.0:bbbb"],
        "recipe_hash": "cccc",
        "content": INFO,
    }


@given(st.text())
def test_any_text_has_a_summary(written: str) -> None:
    assert info.summary(written)["content"] == written


@given(st.binary(max_size=300))
def test_any_bytes_are_an_info_or_a_bad_package(body: bytes) -> None:
    with contextlib.suppress(BadPackage):
        assert info.read(body).encode() == body


def test_a_recipe_is_read_and_not_run() -> None:
    source = b"""
raise SystemExit(1)
class Zlib(ConanFile):
    name = "zlib"
    description = ("A compression "
                   "library")
    license = ("Zlib", "MIT")
    homepage = "https://example.org"
    url = compute()
    topics = ("zip", "deflate")
"""
    assert recipe.facts(source) == {
        "description": "A compression library",
        "license": "Zlib, MIT",
        "homepage": "https://example.org",
        "keywords": ["zip", "deflate"],
    }


@settings(deadline=None)  # the first syntax tree takes its time
@given(st.binary(max_size=200))
def test_no_recipe_is_an_error(source: bytes) -> None:
    assert isinstance(recipe.facts(source), dict)


@pytest.mark.parametrize(
    ("file", "body"),
    [
        ("conanmanifest.txt", b""),
        ("conanmanifest.txt", b"<html></html>"),
        ("conanmanifest.txt", b"1700000000\nconanfile.py"),
        ("conan_package.tgz", b""),
        ("conan_package.tgz", b"<html></html>"),
        ("conan_export.txz", b"\x1f\x8b"),
    ],
)
def test_what_is_not_what_its_name_says_is_refused(file: str, body: bytes) -> None:
    with pytest.raises(BadPackage):
        check_form(file, io.BytesIO(body))


@pytest.mark.parametrize(
    ("path", "fixed"),
    [
        (f"{ZLIB}/revisions/r1/files/conanfile.py", True),
        (f"{ZLIB}/revisions/0/files/conanfile.py", False),
        (f"{ZLIB}/revisions/r1/files/metadata/log.txt", False),
        (f"{ZLIB}/revisions/r1/{PACKAGE}/revisions/p1/files/conan_package.tgz", True),
        (f"{ZLIB}/revisions/r1/{PACKAGE}/revisions/0/files/conan_package.tgz", False),
    ],
)
def test_only_revision_0_and_metadata_change(path: str, fixed: bool) -> None:
    route = BuildFile() if PACKAGE in path else RecipeFile()
    assert route.immutable(context(path)) is fixed
