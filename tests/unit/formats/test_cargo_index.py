"""Index files and names: paths, entries, merging, and where an upstream keeps its crates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPath, Invalid, NotFound, UpstreamDown
from pakhus.formats.cargo import Cargo
from pakhus.formats.cargo.index import CONFIG, INDEX, Config, Entry
from pakhus.formats.cargo.names import canonical, check_name, check_version, folded, prefix_of
from pakhus.kit.context import Context, Settings

CARGO = Cargo()
SUM = "ab" * 32


def context(path: str = "", params: Mapping[str, str] | None = None, *, source: str = "") -> Context:
    link = "https://here.example/repository/cargo/{}".format
    return Context("cargo", path, params or {}, {}, "", Settings(), link, source)


def line(name: str, version: str, **more: Any) -> bytes:
    return json.dumps({"name": name, "vers": version, "cksum": SUM, **more}).encode()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a", "1"), ("ab", "2"), ("abc", "3/a"), ("abcd", "ab/cd"), ("Abcdef", "Ab/cd"), ("a-b_c", "a-/b_")],
)
def test_prefixes_follow_the_length_of_the_name(name: str, prefix: str) -> None:
    assert prefix_of(name) == prefix


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,63}", fullmatch=True))
def test_every_crate_has_its_index_file(name: str) -> None:
    path = CARGO.canonical(f"{prefix_of(name)}/{name}")
    route, params = CARGO.match("GET", path)
    assert route is INDEX
    assert params == {"prefix": prefix_of(name.lower()), "name": name.lower()}
    INDEX.admit(context(path, params))


@given(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True),
    st.from_regex(r"[0-9]\.[0-9]\.[0-9](-[a-zA-Z-]{1,5})?(\+[a-zA-Z-]{1,5})?", fullmatch=True),
)
def test_a_crate_has_one_path(name: str, version: str) -> None:
    wanted = f"crates/{name.lower()}/{name.lower()}-{version}.crate"
    for path in (f"crates/{name}/{name}-{version}.crate", f"api/v1/crates/{name}/{version}/download", wanted):
        assert canonical(path) == wanted
    assert CARGO.match("GET", wanted)[1] == {"name": name.lower(), "version": version}


@given(st.text("aAbB1/-._{}", max_size=30))
def test_a_canonical_path_is_its_own(path: str) -> None:
    assert canonical(canonical(path)) == canonical(path)


@pytest.mark.parametrize("path", ["ab/ce/abcd", "1/ab", "3/b/abc", "2/abc"])
def test_an_index_file_in_the_wrong_folder_is_not_there(path: str) -> None:
    _, params = CARGO.match("GET", path)
    with pytest.raises(BadPath):
        INDEX.admit(context(path, params))


@pytest.mark.parametrize("path", ["crates/a/b-1.0.0.crate", "api/v1/other", "abc/de/x", "3/x", "a"])
def test_other_paths_have_no_route(path: str) -> None:
    with pytest.raises(NotFound):
        CARGO.match("GET", canonical(path))


@pytest.mark.parametrize("name", ["", "1a", "_a", "-a", "a b", "é", "a" * 65, "nul", "COM1", "a/b", "a.b"])
def test_names_that_cargo_could_not_use_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        check_name(name)


@pytest.mark.parametrize("version", ["1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0+", "1.0.0 ", "x"])
def test_what_is_no_semantic_version_is_refused(version: str) -> None:
    with pytest.raises(Invalid):
        check_version(version)


def test_names_that_are_one_in_rust_fold_to_one() -> None:
    assert folded("Foo_Bar") == folded("foo-bar") == "foo-bar"


def test_lines_of_an_upstream_are_relayed_as_they_are() -> None:
    lines = [
        line("Alpha", "1.0.0", v=3, unknown={"x": 1}),
        b'{ "vers": "1.1.0",  "name":"Alpha","cksum":"%s"}' % SUM.encode(),
    ]
    ctx = context("al/ph/alpha", {"prefix": "al/ph", "name": "alpha"})
    model = INDEX.parse(ctx, b"\n".join(lines) + b"\n\n")
    assert INDEX.dump(ctx, model) == b"\n".join(lines) + b"\n"
    assert model["1.0.0"].name == "Alpha"
    assert model["1.1.0"].digests == {"sha256": SUM}


def test_lines_of_other_crates_and_of_none_are_left_out() -> None:
    ctx = context(params={"prefix": "al/ph", "name": "alpha"})
    body = b"\n".join([line("beta", "1.0.0"), b"{", b'{"name": "alpha"}', line("alpha", "1.0.0")])
    assert list(INDEX.parse(ctx, body)) == ["1.0.0"]
    with pytest.raises(UpstreamDown):
        INDEX.parse(ctx, b"<html>\nlog in\n</html>")
    assert INDEX.parse(ctx, b"") == {}


def test_the_first_member_wins_for_each_version() -> None:
    def entry(version: str, said: bytes) -> Entry:
        return Entry("a", version, SUM, said)

    merged = INDEX.merge(context(), [{"1": entry("1", b"own")}, {"1": entry("1", b"other"), "2": entry("2", b"new")}])
    assert INDEX.dump(context(), merged) == b"own\nnew\n"


@pytest.mark.parametrize(
    ("dl", "url"),
    [
        ("https://far.example/api/v1/crates", "https://far.example/api/v1/crates/My_Crate/1.0.0%2Bx/download"),
        ("https://cdn.example/{crate}-{version}.crate", "https://cdn.example/My_Crate-1.0.0%2Bx.crate"),
        ("https://cdn.example/{prefix}/{lowerprefix}", "https://cdn.example/My/_C/my/_c"),
        ("https://cdn.example/{sha256-checksum}?c={crate}", f"https://cdn.example/{SUM}?c=My_Crate"),
        ("https://cdn.example/{other}", "https://cdn.example/{other}/My_Crate/1.0.0%2Bx/download"),
        ("down", "https://far.example/index/down/My_Crate/1.0.0%2Bx/download"),
    ],
)
def test_download_templates_are_filled(dl: str, url: str) -> None:
    ctx = context("config.json", source="https://far.example/index/config.json")
    config = CONFIG.parse(ctx, json.dumps({"dl": dl, "api": "https://far.example/"}).encode())
    assert config.download(Entry("My_Crate", "1.0.0+x", SUM, b"")) == url
    assert config.web("api/v1/crates") == "https://far.example/api/v1/crates"


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"dl": 1}', b'{"dl": ""}'])
def test_a_config_without_downloads_is_none(body: bytes) -> None:
    with pytest.raises(UpstreamDown):
        CONFIG.parse(context(source="https://far.example/config.json"), body)


def test_an_upstream_without_web_api_has_no_owners() -> None:
    with pytest.raises(NotFound):
        Config("https://far.example/dl", "").web("api/v1/crates/a/owners")
