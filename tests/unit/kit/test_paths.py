"""Path templates write what they match; unsafe paths are refused in every spelling."""

import posixpath
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.kit.paths import MAX_PATH, expand, flaw, quoted, template

SEGMENT = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=12)
LITERAL = st.text("abz019-._+()[]*?^$|", min_size=1, max_size=6)
SAFE_SEGMENT = SEGMENT.filter(lambda s: s not in (".", "..") and not re.search(r"[\x00-\x1f\x7f\\]", s))


@given(st.lists(st.one_of(LITERAL, st.just("{}")), min_size=1, max_size=6), st.data())
def test_what_a_template_expands_to_it_matches_with_the_same_parameters(parts: list[str], data: st.DataObject) -> None:
    names = [f"p{i}" for i in range(len(parts))]
    written = "/".join(f"{{{name}}}" if part == "{}" else part for name, part in zip(names, parts, strict=True))
    params = {name: data.draw(SEGMENT) for name, part in zip(names, parts, strict=True) if part == "{}"}
    assert template(written).match(expand(written, **params)) == params


@given(SEGMENT, st.lists(SEGMENT, min_size=1, max_size=4).map("/".join))
def test_a_rest_takes_slashes_and_a_segment_does_not(name: str, rest: str) -> None:
    path = expand("{name}/-/{file:path}", name=name, file=rest)
    assert template("{name}/-/{file:path}").match(path) == {"name": name, "file": rest}
    assert (template("{name}/-/{file}").match(path) is None) == ("/" in rest)


def test_a_regular_expression_may_have_its_own_braces_groups_and_colons() -> None:
    digest = template("blobs/{digest:(?:sha256|sha512):[0-9a-f]{4,8}}")
    assert digest.match("blobs/sha256:00ff") == {"digest": "sha256:00ff"}
    assert digest.match("blobs/sha256:00f") is None
    assert expand(digest.text, digest="sha512:abcd") == "blobs/sha512:abcd"


def test_a_name_that_stands_twice_is_the_same_text_twice() -> None:
    tarball = template("{name}/-/{name}-{version}.tgz")
    assert tarball.match("left-pad/-/left-pad-1.0.tgz") == {"name": "left-pad", "version": "1.0"}
    assert tarball.match("left-pad/-/right-pad-1.0.tgz") is None
    assert tarball.expand({"name": "x", "version": "2"}) == "x/-/x-2.tgz"


def test_literal_text_is_not_a_pattern() -> None:
    assert template("a.b+/{x}").match("aXbb/1") is None
    assert template("a.b+/{x}").match("a.b+/1") == {"x": "1"}


@given(st.text("a./\\%\x00é", max_size=12))
def test_a_path_without_flaw_is_its_own_normal_form(path: str) -> None:
    if flaw(path) is None and path:
        assert posixpath.normpath("/" + path) == "/" + path.rstrip("/") or path == "/"
        assert not path.startswith("/")
        assert "\\" not in path


@given(st.lists(SAFE_SEGMENT, min_size=1, max_size=5))
def test_ordinary_segments_have_no_flaw(segments: list[str]) -> None:
    assert flaw("/".join(segments)) is None
    assert flaw("/".join(segments) + "/") is None


@pytest.mark.parametrize(
    "path",
    [
        "..",
        ".",
        "../x",
        "a/../b",
        "a/..",
        "a/./b",
        "./a",
        "/a",
        "//",
        "/",
        "a//b",
        "a//",
        "a\\..\\b",
        "..\\a",
        "a\x00b",
        "a\nb",
        "a\r\nb",
        "a\x7f",
        "\ud800",
        "a/\udcff",
        "x" * (MAX_PATH + 1),
        "é" * (MAX_PATH // 2 + 1),
    ],
)
def test_unsafe_paths_have_a_flaw(path: str) -> None:
    assert flaw(path)


@given(st.lists(SAFE_SEGMENT, min_size=1, max_size=4), st.sampled_from(["..", "."]), st.integers(0, 4))
def test_traversal_has_a_flaw_wherever_it_stands(segments: list[str], dots: str, position: int) -> None:
    segments.insert(position, dots)
    assert flaw("/".join(segments))


@given(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join))
def test_a_quoted_path_reads_back_and_stays_in_the_url_s_path(path: str) -> None:
    written = quoted(path)
    assert unquote(written) == path
    assert not re.search(r"[?#\s\"<>\\^`{|}]|[^\x21-\x7e]", written)
