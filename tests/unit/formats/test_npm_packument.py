"""The packument: built, parsed, merged, dumped."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from pakhus.domain.errors import NotFound, PakhusError
from pakhus.formats.npm.packument import ABBREVIATED, Package, Packument, changed_at, instant
from pakhus.formats.npm.tarball import Tarball
from tests.unit.formats.npm_packages import BASE, START, component, context, dist, own

DOCUMENT = Packument()
INTEGRITY = "sha512-" + "A" * 86 + "=="


def built(*components: Any, name: str = "web") -> Package:
    package = DOCUMENT.build(context(name), components)
    assert package is not None
    return package


def dumped(package: Package, *, accept: str = "application/json", name: str = "web") -> Any:
    return json.loads(DOCUMENT.dump(context(name, accept=accept), package))


def upstream(name: str = "web", **versions: str) -> dict[str, Any]:
    """A packument with a tarball URL for each version (`v1_0_0=url`)."""
    numbers = {key.removeprefix("v").replace("_", "."): url for key, url in versions.items()}
    return {
        "name": name,
        "dist-tags": {"latest": next(iter(numbers))},
        "versions": {
            version: {"name": name, "version": version, "dist": {"tarball": url, "shasum": "a" * 40}}
            for version, url in numbers.items()
        },
        "time": dict.fromkeys(numbers, "2020-01-01T00:00:00.000Z"),
    }


def parsed(document: object, name: str = "web") -> Package:
    return DOCUMENT.parse(context(name), json.dumps(document).encode())


def test_manifest_is_kept_as_published() -> None:
    odd = {"exports": {".": "./a.js"}, "_npmUser": {"name": "x"}, "peerDependenciesMeta": {"a": {"optional": True}}}
    signatures = {**dist(b"x"), "signatures": [{"keyid": "k", "sig": "s"}], "fileCount": 3}
    package = built(component("web", "1.0.0", manifest={**odd, "dist": signatures}))
    version = dumped(package)["versions"]["1.0.0"]
    assert {key: version[key] for key in odd} == odd
    assert version["dist"] == {**signatures, "tarball": BASE + "web/-/web-1.0.0.tgz"}


def test_scoped_tarballs_are_linked_below_the_scoped_name() -> None:
    package = built(component("@acme/web", "1.0.0"), name="@acme/web")
    version = dumped(package, name="@acme/web")["versions"]["1.0.0"]
    assert version["dist"]["tarball"] == BASE + "@acme/web/-/web-1.0.0.tgz"


def test_dist_is_computed_where_it_was_not_published() -> None:
    version = dumped(built(component("web", "1.0.0", manifest={"dist": {}})))["versions"]["1.0.0"]
    assert version["dist"] == {**dist(b"web@1.0.0"), "tarball": BASE + "web/-/web-1.0.0.tgz"}


def test_latest_is_the_newest_release_while_nobody_set_it() -> None:
    package = built(component("web", "2.0.0-rc.1"), component("web", "1.9.0"), component("web", "1.10.0"))
    assert package.tags == {"latest": "1.10.0"}


def test_latest_of_prereleases_is_the_newest() -> None:
    assert built(component("web", "1.0.0-a"), component("web", "1.0.0-b")).tags == {"latest": "1.0.0-b"}


def test_set_tags_are_given_unless_their_version_is_gone() -> None:
    package = built(
        component("web", "1.0.0"), component("web", "2.0.0"), own("web", tags={"latest": "1.0.0", "old": "0.1.0"})
    )
    assert package.tags == {"latest": "1.0.0"}


def test_times_have_every_version_and_both_ends() -> None:
    package = built(component("web", "1.1.0", minutes=5), component("web", "1.0.0"), own("web", minutes=9))
    assert dumped(package)["time"] == {
        "created": "2026-01-02T03:04:05.678Z",
        "modified": "2026-01-02T03:13:05.678Z",
        "1.0.0": "2026-01-02T03:04:05.678Z",
        "1.1.0": "2026-01-02T03:09:05.678Z",
    }


def test_package_members_are_those_of_latest() -> None:
    manifest = {"description": "old", "author": {"name": "Ann"}, "license": "MIT"}
    package = built(
        component("web", "1.0.0", manifest=manifest, readme="# Web"),
        component("web", "2.0.0", manifest={"description": "new"}),
        own("web", tags={"latest": "1.0.0"}, maintainers=[{"name": "bob", "email": "b@c"}]),
    )
    document = dumped(package)
    assert document["description"] == "old"
    assert document["author"] == {"name": "Ann"}
    assert document["readme"] == "# Web"
    assert document["maintainers"] == [{"name": "bob", "email": "b@c"}]
    assert document["_id"] == "web"


def test_uploader_is_the_maintainer_of_an_unowned_package() -> None:
    assert dumped(built(component("web", "1.0.0")))["maintainers"] == [{"name": "ann", "email": ""}]


def test_deprecation_is_what_was_last_said() -> None:
    package = built(
        component("web", "1.0.0", deprecated="use 2"),
        component("web", "1.1.0", deprecated="", manifest={"deprecated": "as published"}),
    )
    assert package.versions["1.0.0"]["deprecated"] == "use 2"
    assert "deprecated" not in package.versions["1.1.0"]


def test_package_without_tarballs_is_absent() -> None:
    assert DOCUMENT.build(context("web"), [own("web", tags={"latest": "1.0.0"})]) is None


def test_abbreviated_form_has_what_installers_need_and_no_more() -> None:
    manifest = {
        "description": "long",
        "scripts": {"postinstall": "node x"},
        "dependencies": {"a": "1"},
        "bin": {"w": "w.js"},
        "engines": {"node": ">=20"},
        "libc": ["glibc"],
        "_hasShrinkwrap": False,
        "gitHead": "abc",
    }
    document = dumped(built(component("web", "1.0.0", manifest=manifest)), accept=ABBREVIATED)
    assert set(document) == {"name", "modified", "dist-tags", "versions"}
    version = document["versions"]["1.0.0"]
    assert version["hasInstallScript"] is True
    assert {"description", "scripts", "gitHead"}.isdisjoint(version)
    assert {"dependencies", "bin", "engines", "libc", "_hasShrinkwrap", "dist", "name", "version"} <= set(version)


def test_version_without_install_script_does_not_claim_one() -> None:
    manifest = {"scripts": {"test": "x", "install": ""}}
    version = dumped(built(component("web", "1.0.0", manifest=manifest)), accept=ABBREVIATED)["versions"]["1.0.0"]
    assert "hasInstallScript" not in version


def test_attestations_are_linked_into_the_repository() -> None:
    attestations = {"url": "https://elsewhere/-/npm/v1/attestations/web@1.0.0", "provenance": {"predicateType": "p"}}
    package = built(component("web", "1.0.0", manifest={"dist": {"attestations": attestations}}))
    assert dumped(package)["versions"]["1.0.0"]["dist"]["attestations"] == {
        "url": BASE + "-/npm/v1/attestations/web@1.0.0",
        "provenance": {"predicateType": "p"},
    }


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("web", "http://up/web/-/web-1.0.0.tgz"),
        ("web", "http://cdn.elsewhere/archive/1234"),
        ("@acme/web", "http://up/download/@acme/web/1.0.0/0123456789abcdef"),
        ("@acme/web", "http://up/@acme/web/-/@acme/web-1.0.0.tgz"),
        ("@acme/web", "http://up/@acme%2fweb/-/web-1.0.0.tgz?token=x"),
    ],
)
async def test_tarballs_of_any_upstream_layout_are_found_again(name: str, url: str) -> None:
    package = parsed(upstream(name, v1_0_0=url), name)
    path = package.versions["1.0.0"]["dist"]["tarball"]
    assert path == f"{name}/-/web-1.0.0.tgz"
    assert url not in DOCUMENT.dump(context(name), package).decode()
    origin = await Tarball().origin(context(path), Holding(package))
    assert origin.location == url
    assert origin.digests == {"sha1": "a" * 40}


async def test_lock_files_may_use_the_upstream_file_name() -> None:
    package = parsed(upstream(v1_0_0="http://up/web/-/web-v1.0.0-odd.tgz"))
    origin = await Tarball().origin(context("web/-/web-v1.0.0-odd.tgz"), Holding(package))
    assert origin.location == "http://up/web/-/web-v1.0.0-odd.tgz"


async def test_version_newer_than_the_kept_packument_is_asked_for_by_its_path() -> None:
    package = parsed(upstream(v1_0_0="http://up/web/-/web-1.0.0.tgz"))
    origin = await Tarball().origin(context("web/-/web-1.0.1.tgz"), Holding(package))
    assert (origin.location, origin.digests) == ("web/-/web-1.0.1.tgz", {})


async def test_file_that_is_no_tarball_of_the_package_is_not_found() -> None:
    package = parsed(upstream(v1_0_0="http://up/web/-/web-1.0.0.tgz"))
    with pytest.raises(NotFound):
        await Tarball().origin(context("web/-/other.tgz"), Holding(package))


async def test_origin_promises_digests_and_publication() -> None:
    document = upstream(v1_0_0="web/-/web-1.0.0.tgz")
    document["versions"]["1.0.0"]["dist"]["integrity"] = INTEGRITY
    origin = await Tarball().origin(context("web/-/web-1.0.0.tgz"), Holding(parsed(document)))
    assert origin.location == "http://up/r/web/-/web-1.0.0.tgz"
    assert origin.digests == {"sha512": "0" * 128, "sha1": "a" * 40}
    assert origin.published == instant("2020-01-01T00:00:00Z")


class Holding:
    """An upstream whose packument is known."""

    def __init__(self, package: Package) -> None:
        self._package = package

    async def model(self, document: Any, **params: str) -> Any:
        assert params == {"name": self._package.name}
        return self._package

    async def post(self, path: str, body: bytes, headers: Any) -> bytes:
        raise AssertionError


@pytest.mark.parametrize(
    "versions",
    [
        None,
        [],
        {"1.0.0": None},
        {"1.0.0": {}},
        {"1.0.0": {"dist": {}}},
        {"1.0.0": {"dist": {"tarball": 1}}},
        {"../1": {"dist": {"tarball": "http://up/x.tgz"}}},
    ],
)
def test_unusable_versions_of_an_upstream_are_left_out(versions: object) -> None:
    assert parsed({"name": "web", "versions": versions, "dist-tags": {"latest": "1.0.0"}}).versions == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'"x"', b"\xff"])
def test_what_is_no_packument_is_an_error(body: bytes) -> None:
    with pytest.raises(PakhusError):
        DOCUMENT.parse(context("web"), body)


def test_missing_ends_of_upstream_times_are_filled_in() -> None:
    document = upstream(v1_0_0="http://up/a.tgz", v1_1_0="http://up/b.tgz")
    document["time"] = {"1.1.0": "2020-01-01T00:00:00+02:00", "1.0.0": "2019-12-31T23:00:00Z"}
    times = parsed(document).times
    assert times["created"] == "2020-01-01T00:00:00+02:00"
    assert times["modified"] == "2019-12-31T23:00:00Z"


def test_first_member_wins_per_version_and_per_tag() -> None:
    first = built(component("web", "1.0.0", manifest={"description": "ours"}), own("web", tags={"beta": "1.0.0"}))
    second = parsed(upstream(v1_0_0="http://up/a.tgz", v2_0_0="http://up/b.tgz"))
    merged = DOCUMENT.merge(context("web"), [first, second])
    assert set(merged.versions) == {"1.0.0", "2.0.0"}
    assert merged.versions["1.0.0"]["description"] == "ours"
    assert merged.tags == {"latest": "1.0.0", "beta": "1.0.0"}
    assert merged.times["created"] == "2020-01-01T00:00:00.000Z"
    assert merged.times["1.0.0"] == "2026-01-02T03:04:05.678Z"
    assert merged.times["modified"] == first.times["modified"]
    assert dumped(merged)["versions"]["2.0.0"]["dist"]["tarball"] == BASE + "web/-/web-2.0.0.tgz"


def test_merging_one_model_changes_nothing() -> None:
    package = built(component("web", "1.0.0"), own("web", tags={"beta": "1.0.0"}))
    merged = DOCUMENT.merge(context("web"), [package])
    assert dumped(merged) == dumped(package)


def test_revision_tells_when_the_package_was_read() -> None:
    package = built(component("web", "1.0.0", minutes=7))
    seen_until = changed_at(package.revision)
    assert START + timedelta(minutes=7) <= seen_until < START + timedelta(minutes=7, milliseconds=2)


def test_foreign_revision_says_nothing_of_time() -> None:
    assert changed_at("1-967a00dff5e02add41819138abb3284d").year == 9999
    assert changed_at("undefined").year == 9999


@pytest.mark.timeout(20)
def test_five_thousand_versions_take_seconds_at_most() -> None:
    components = [component("web", f"1.{n // 100}.{n % 100}", minutes=n) for n in range(5000)]
    started = time.process_time()
    package = built(*components)
    document = DOCUMENT.dump(context("web"), package)
    again = DOCUMENT.parse(context("web"), document)
    merged = DOCUMENT.merge(context("web"), [again, package])
    DOCUMENT.dump(context("web", accept=ABBREVIATED), merged)
    assert len(merged.versions) == 5000
    assert time.process_time() - started < 5
