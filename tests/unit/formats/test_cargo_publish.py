"""What `cargo publish` sends: the framing, the index entry made of it, and the crate file that came with it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Attributes, Component, Coordinates, Query
from pakhus.domain.errors import AlreadyExists, BadPackage, Invalid, TooLarge
from pakhus.formats.cargo.crate import facts, read_crate
from pakhus.formats.cargo.publish import Framed, Release, claimed, index_entry
from tests.samples.cargo import crate, framed

MANIFEST = """
[package]
name = "web"
version = "1.0.0"
description = "A web"
license-file = "LICENSE"
keywords = ["a", "b"]
authors = ["Ann <ann@example.org>"]
rust-version = "1.70"

[dependencies]
serde = "1"

[dependencies.alias]
version = "0.3"
package = "real"

[dev-dependencies]
only-tests = "1"

[target."cfg(unix)".dependencies.libc]
version = "0.2"
"""


async def chunked(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 7, limit: int = 1000) -> tuple[bytes, bytes]:
    parts = Framed(chunked(body, size))
    first = await parts.part(limit=limit)
    return first, b"".join([piece async for piece in parts.stream()])


@given(st.binary(max_size=50), st.binary(max_size=200), st.integers(1, 60))
def test_both_parts_arrive_however_the_body_is_cut(first: bytes, second: bytes, size: int) -> None:
    assert asyncio.run(read(framed(first, second), size)) == (first, second)


@given(st.data())
def test_a_body_of_another_length_than_it_says_is_refused(data: st.DataObject) -> None:
    body = framed(b"{}", b"a crate")
    cut = data.draw(st.integers(0, len(body) - 1))
    for wrong in (body[:cut], body + b"x"):
        with pytest.raises(Invalid):
            asyncio.run(read(wrong))


async def test_metadata_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        await read(b"\xff\xff\xff\xff", limit=1000)


def entry(**more: Any) -> dict[str, Any]:
    return index_entry(json.loads(json.dumps({"name": "web", "vers": "1.0.0", "deps": [], "features": {}, **more})))


def test_a_dependency_has_the_name_that_it_has_in_the_code() -> None:
    sent = {
        "name": "real",
        "version_req": "^1",
        "features": ["std"],
        "optional": True,
        "default_features": False,
        "target": "cfg(unix)",
        "kind": "build",
        "registry": "https://other.example/index",
        "explicit_name_in_toml": "alias",
        "artifact": ["bin"],
    }
    (kept,) = entry(deps=[sent])["deps"]
    assert kept == {
        "name": "alias",
        "package": "real",
        "req": "^1",
        "features": ["std"],
        "optional": True,
        "default_features": False,
        "target": "cfg(unix)",
        "kind": "build",
        "registry": "https://other.example/index",
        "artifact": ["bin"],
    }


def test_missing_members_of_a_dependency_get_their_defaults() -> None:
    (kept,) = entry(deps=[{"name": "real", "version_req": "^1"}])["deps"]
    assert kept == {
        "name": "real",
        "req": "^1",
        "features": [],
        "optional": False,
        "default_features": True,
        "target": None,
        "kind": "normal",
        "registry": None,
    }


def test_features_in_the_new_syntax_stand_apart() -> None:
    made = entry(features={"old": ["a", "a/b"], "new": ["dep:a"], "weak": ["a?/b"]})
    assert made["features"] == {"old": ["a", "a/b"]}
    assert made["features2"] == {"new": ["dep:a"], "weak": ["a?/b"]}
    assert made["v"] == 2
    assert "v" not in entry(features={"old": []})


def test_links_and_rust_version_are_kept_where_they_are_stated() -> None:
    made = entry(links="z", rust_version="1.70")
    assert (made["links"], made["rust_version"]) == ("z", "1.70")
    assert not entry(links=None).keys() & {"links", "rust_version"}


@pytest.mark.parametrize(
    "sent",
    [
        {"deps": {"serde": "1"}},
        {"deps": ["serde"]},
        {"deps": [{"name": "a", "version_req": ""}]},
        {"features": ["a"]},
        {"features": {"a": [1]}},
        {"links": 1},
        {"name": None},
        {"vers": "1"},
    ],
)
def test_malformed_metadata_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        entry(**sent)


class Holding:
    """What finding needs of a hosted repository: some components."""

    def __init__(self, *held: Component) -> None:
        self._held = held

    async def find(self, query: Query) -> list[Component]:
        return [c for c in self._held if c.name == query.name and query.version in (None, c.version)]


def component(crate_name: str, version: str, /, **attributes: Any) -> Component:
    assets: Any = (object(),) if version else ()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Component(1, "cargo", Coordinates(crate_name, version), attributes, assets, moment, moment)


async def claim(name: str, version: str, *held: Component) -> Callable[[Attributes], Attributes]:
    release = Release(name, version, {}, {}, None)  # type: ignore[arg-type]
    return await claimed(Holding(*held), release)  # type: ignore[arg-type]


HELD = (component("one-name", "", name="One-Name", owners=["ann"]), component("one-name", "1.0.0+a"))


async def test_a_name_in_another_spelling_is_taken() -> None:
    for name in ("one-name", "one_name", "One_Name"):
        with pytest.raises(AlreadyExists, match="One-Name"):
            await claim(name, "2.0.0", *HELD)
    assert (await claim("One-Name", "2.0.0", *HELD))({"owners": ["ann"]}) == {"owners": ["ann"], "name": "One-Name"}


async def test_a_name_is_free_again_when_its_versions_are_gone() -> None:
    assert (await claim("one_name", "2.0.0", HELD[0]))({"name": "One-Name"})["name"] == "one_name"


async def test_the_faster_of_two_publications_gets_the_name() -> None:
    taking = await claim("one_name", "1.0.0")
    with pytest.raises(AlreadyExists):
        taking({"name": "one-name"})


async def test_a_version_that_differs_in_build_metadata_only_is_refused() -> None:
    with pytest.raises(AlreadyExists, match="build metadata"):
        await claim("One-Name", "1.0.0+b", *HELD)
    await claim("One-Name", "1.0.0+a", *HELD)


def test_facts_are_those_of_the_manifest() -> None:
    packed = read_crate(io.BytesIO(crate("web", "1.0.0", manifest=MANIFEST)))
    assert packed.folder == "web-1.0.0"
    assert facts(packed) == {
        "name": "web",
        "description": "A web",
        "license": "LICENSE",
        "keywords": ["a", "b"],
        "authors": ["Ann <ann@example.org>"],
        "rustVersion": "1.70",
        "dependencies": {"serde": "1", "real": "0.3", "libc": "0.2"},
        "readme": "# web\n",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no archive",
        crate("web", "1.0.0")[:-120],
        crate("web", "1.0.0", files={"/etc/passwd": b""}),
        crate("web", "1.0.0", files={"/web-1.0.0": b""}),
        crate("web", "1.0.0", files={"../out": b""}),
        crate("web", "1.0.0", manifest="[package"),
        crate("web", "1.0.0", manifest="a = " + "[" * 5000),
        crate("web", "1.0.0", folder="web-1.0.0/inner"),
    ],
)
def test_what_is_no_crate_is_refused(body: bytes) -> None:
    with pytest.raises(BadPackage):
        read_crate(io.BytesIO(body))


def test_a_readme_beyond_all_bounds_is_left_out() -> None:
    packed = read_crate(io.BytesIO(crate("web", "1.0.0", files={"README.md": b"x" * (5 << 20)})))
    assert packed.readme == ""
    assert packed.package["name"] == "web"
