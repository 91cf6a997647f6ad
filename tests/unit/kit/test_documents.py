"""JSON, XML and YAML: what is malformed or hostile is `Invalid`, and says where."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid, TooLarge
from pakhus.kit.wire import dump_json, dump_yaml, parse_json, parse_xml, parse_yaml, read_body
from tests.unit.kit.bodies import stream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_json_reads_back_what_it_wrote(value: object) -> None:
    assert parse_json(dump_json(value)) == value == json.loads(dump_json(value))


def test_json_is_compact_and_utf8() -> None:
    assert dump_json({"é": [1, None]}) == '{"é":[1,null]}'.encode()
    assert dump_json([math.inf, math.nan]) == b"[null,null]"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1,}',
        b"[1]x",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xff",
        b'"\xff"',
        b"'a'",
        b"9" * 5000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"\\ud800',
        b'"\\x"',
    ],
)
def test_malformed_json_is_refused_with_its_position(body: bytes) -> None:
    with pytest.raises(Invalid, match="line 1 column"):
        parse_json(body)


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert parse_json(rb'["\ud83d\ude00", "\ud83d", "\ude00x", "\\ud83d", "\ud83d\u0041"]') == [
        "😀",
        "\ufffd",
        "\ufffdx",
        "\\ud83d",
        "\ufffdA",
    ]


def test_xml_is_parsed() -> None:
    root = parse_xml(b'<?xml version="1.0"?><a xmlns="urn:x"><b c="d">e</b></a>')
    assert root.tag == "{urn:x}a"
    assert [(child.get("c"), child.text) for child in root] == [("d", "e")]


BOMB = b'<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"text",
        b"\xff\xfe",
        b"<a>\x00</a>",
        BOMB,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<?xml version="1.0" encoding="unknown-9"?><a/>',
        b'<?xml version="1.0" encoding="shift_jis"?><a/>',
        b"<a>" * 1000 + b"</a>" * 1000,
    ],
)
def test_malformed_or_hostile_xml_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_xml(body)


@given(VALUES)
def test_yaml_reads_back_what_it_wrote(value: object) -> None:
    assert parse_yaml(dump_yaml(value)) == value


def test_timestamps_in_yaml_stay_text() -> None:
    body = b"a: 2020-01-01T00:00:00.123456789Z\nb: 2020-01-01\nc: !!timestamp 2020-01-01\n"
    parsed = parse_yaml(body)
    assert parsed == {"a": "2020-01-01T00:00:00.123456789Z", "b": "2020-01-01", "c": "2020-01-01"}
    assert parse_yaml(dump_yaml(parsed)) == parsed


def test_anchors_in_yaml_are_followed() -> None:
    parsed = parse_yaml(b"base: &b {x: 1}\nmore: *b\nmerged: {<<: *b, y: 2}\n")
    assert parsed == {"base": {"x": 1}, "more": {"x": 1}, "merged": {"x": 1, "y": 2}}
    assert b"&" not in dump_yaml(parsed)


def bomb(link: str) -> bytes:
    lines = ["a0: &a0 {x: 1}"] + [f"a{i}: &a{i} {link.replace('@', f'*a{i - 1}')}" for i in range(1, 30)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"a: b: c",
        b"\xff\xfe\xff",
        b"a: *missing",
        b"&a [*a]",
        b"a\n---\nb",
        b"!!python/object:os.system x",
        "!!binary é".encode(),
        b"!!int x",
        b"? [a]\n: b",
        b"? {a: b}\n: c",
        b"\x00",
        b"9" * 5000,
        b"[" * 100_000,
        b"- " * 100_000,
        b"? " * 100_000,
        b"{a: " * 100_000,
        bomb("[@, @, @, @, @, @, @, @, @]"),
        bomb("{<<: [@, @, @, @, @, @, @, @, @]}"),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_malformed_or_hostile_yaml_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_yaml(body)


def test_malformed_yaml_is_refused_with_its_position() -> None:
    with pytest.raises(Invalid, match="line 2 column"):
        parse_yaml(b"a: 1\nb: ]\n")


@given(st.binary(max_size=40))
def test_no_bytes_make_a_parser_fail_otherwise(body: bytes) -> None:
    for parse in (parse_json, parse_xml, parse_yaml):
        try:
            parse(body)
        except Invalid as refusal:
            assert refusal.message


async def test_a_body_is_read_up_to_its_limit() -> None:
    assert await read_body(stream([b"ab", b"", b"c"]), limit=3) == b"abc"
    with pytest.raises(TooLarge):
        await read_body(stream([b"ab", b"cd"]), limit=3)
