"""A document's attachments stream to drafts, however the document is written and cut."""

import base64
import json
import random
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid, TooLarge
from pakhus.kit.wire import read_json_with_attachments
from tests.unit.kit.bodies import SIZES, Shelf, cut, stream

NAME = st.one_of(st.sampled_from(["data", "_attachments", "a-1.0.0.tgz", "", 'q"\\{[', "é😀"]), st.text(max_size=4))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(['{"data":"', "\\", '"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=10,
)
ATTACHMENT = st.tuples(st.binary(max_size=40), st.dictionaries(NAME.filter(lambda n: n != "data"), VALUES, max_size=3))


def written(value: Any, draw: random.Random) -> str:
    """JSON with whitespace and escapes at random, and members in random order."""

    def gap() -> str:
        return draw.choice(["", "", " ", "\n\t", "\r\n  "])

    def string(text: str) -> str:
        plain = json.dumps(text, ensure_ascii=draw.random() < 0.5)
        if draw.random() < 0.5:
            plain = plain.replace("/", draw.choice(["\\/", "\\u002f", "\\u002F"]))
        if draw.random() < 0.3:
            plain = plain.replace("=", "\\u003d").replace("+", "\\u002B")
        return plain

    def value_of(value: Any) -> str:
        if isinstance(value, dict):
            members = list(value.items())
            draw.shuffle(members)
            inner = ",".join(f"{gap()}{string(k)}{gap()}:{gap()}{value_of(v)}{gap()}" for k, v in members)
            return f"{{{gap()}{inner}}}"
        if isinstance(value, list):
            return "[" + ",".join(f"{gap()}{value_of(v)}{gap()}" for v in value) + "]"
        return string(value) if isinstance(value, str) else json.dumps(value)

    return gap() + value_of(value) + gap()


@given(
    st.dictionaries(NAME.filter(lambda n: n != "_attachments"), VALUES, max_size=3),
    st.dictionaries(NAME, ATTACHMENT, max_size=3),
    st.randoms(use_true_random=False),
    SIZES,
)
async def test_a_document_reads_back_however_it_is_written_and_cut(
    rest: dict[str, Any], attachments: dict[str, tuple[bytes, dict[str, Any]]], draw: random.Random, sizes: list[int]
) -> None:
    whole = rest | {
        "_attachments": {n: m | {"data": base64.b64encode(body).decode()} for n, (body, m) in attachments.items()}
    }
    shelf = Shelf()
    document, drafts = await read_json_with_attachments(
        stream(cut(written(whole, draw).encode("utf-8", "surrogatepass"), sizes)), shelf.keep
    )
    assert document == rest | {"_attachments": {name: members for name, (_, members) in attachments.items()}}
    assert {n: d.open().read() for n, d in drafts.items()} == {n: body for n, (body, _) in attachments.items()}


@given(VALUES.filter(lambda v: not (isinstance(v, dict) and "_attachments" in v)), SIZES)
async def test_a_document_without_attachments_is_only_parsed(value: Any, sizes: list[int]) -> None:
    body = json.dumps(value).encode()
    assert await read_json_with_attachments(stream(cut(body, sizes)), Shelf().keep) == (value, {})


@pytest.mark.parametrize(
    "value",
    [
        {"data": "eA=="},
        {"_attachments": {"data": "eA=="}},
        {"_attachments": {"a": {"b": {"data": "eA=="}}}},
        {"_attachments": {"a": {"data": 1}}},
        {"_attachments": {"a": {"data": None}, "b": {"data": ["eA=="]}, "c": {"data": {"data": "eA=="}}}},
        {"_attachments": [{"a": {"data": "eA=="}}]},
        {"_attachments": {"a": [{"data": "eA=="}, "data", "eA=="]}},
        {"x": {"a": {"data": "eA=="}}},
        {"versions": {"_attachments": {"data": "!"}}},
        [{"_attachments": {"a": {"data": "eA=="}}}],
    ],
)
async def test_other_members_called_data_stay(value: Any) -> None:
    shelf = Shelf()
    assert await read_json_with_attachments(stream([json.dumps(value).encode()]), shelf.keep) == (value, {})
    assert shelf.drafts == []


def attached(encoded: str) -> bytes:
    return b'{"_attachments":{"f":{"data":"eA=="},"a":{"data":"' + encoded.encode() + b'"}}}'


@pytest.mark.parametrize(
    "encoded",
    [
        "eA",
        "eA=",
        "e",
        "!!!!",
        "eA==eA==",
        "eA==e",
        "=",
        "====",
        "eA=A",
        "e-_A",
        "eA\\\\",
        'eA\\"A',
        "eA\\u00e9",
        "\\ueeee",
        "eA\\u12",
        "eA\\x41",
        "eéAA",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 4, 1000])
async def test_malformed_base64_is_refused_and_leaves_no_draft(encoded: str, size: int) -> None:
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read_json_with_attachments(stream(cut(attached(encoded), [size] * 200)), shelf.keep)
    assert shelf.left == []


async def test_line_breaks_in_base64_are_skipped() -> None:
    _, drafts = await read_json_with_attachments(stream([attached("aGVs\\nbG8h\\r\\n")]), Shelf().keep)
    assert drafts["a"].open().read() == b"hello!"


@given(st.data(), SIZES)
async def test_a_truncated_document_is_refused_and_leaves_no_draft(data: st.DataObject, sizes: list[int]) -> None:
    whole = attached("aGVsbG8h")
    body = whole[: data.draw(st.integers(0, len(whole) - 1))]
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read_json_with_attachments(stream(cut(body, sizes)), shelf.keep)
    assert shelf.left == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"}",
        b"]]]",
        b"{" * 300,
        attached("eA==") + b"x",
        attached("eA==")[:-1] + b",}",
        b'{"_attachments":{"a":{"data" "eA=="}}}',
        b'{"_attachments":{"a":{"data":"eA==","data":"eA=="}}}',
        b'{"_attachments":{"a":{"data":"eA=="}},"_attachments":{}}',
        b'{"_attachments":{"a":{"data":"eA=="}},"_attachments":{"b":{"data":"eA=="}}}',
        b'{"_attachments":{"a":{"data":"eA=="},"a":1}}',
        b'{"_attachments":{"a":{"data":"eA==","data":1}}}',
        b'{"_attachments":{"\\x":{"data":"eA=="}}}',
        b"{_attachments:{a:{data:'eA=='}}}",
    ],
)
async def test_malformed_json_is_refused_and_leaves_no_draft(body: bytes) -> None:
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read_json_with_attachments(stream([body]), shelf.keep)
    assert shelf.left == []


async def test_the_limit_is_of_all_but_the_attachments() -> None:
    body = attached(base64.b64encode(bytes(9000)).decode())
    await read_json_with_attachments(stream([body]), Shelf().keep, limit=100)
    for padded in (body[:-1] + b',"x":"' + b"y" * 100 + b'"}', b" " * 101 + body):
        shelf = Shelf()
        with pytest.raises(TooLarge):
            await read_json_with_attachments(stream(cut(padded, [50] * 400)), shelf.keep, limit=100)
        assert shelf.left == []


async def test_when_keeping_an_attachment_fails_the_others_are_cancelled() -> None:
    shelf = Shelf(limit=5)
    with pytest.raises(TooLarge):
        await read_json_with_attachments(stream([attached("aGVsbG8h")]), shelf.keep)
    assert [draft.cancelled for draft in shelf.drafts] == [True]


async def test_an_attachment_of_any_size_is_never_held() -> None:
    encoded = base64.b64encode(bytes(range(256)) * 192)
    total = 0

    async def body() -> AsyncIterator[bytes]:
        yield b'{"_attachments":{"a":{"data":"'
        for _ in range(1000):
            yield encoded
        yield b'"}}}'

    async def count(chunks: Any) -> Any:
        nonlocal total
        async for chunk in chunks:
            total += len(chunk)
        return await Shelf().keep(stream([]))

    tracemalloc.start()
    try:
        await read_json_with_attachments(body(), count)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert total == 256 * 192 * 1000


async def test_a_long_text_is_read_in_linear_time() -> None:
    body = json.dumps({"readme": "line \\ \n" * 300_000}).encode()
    started = time.perf_counter()
    document, _ = await read_json_with_attachments(stream(cut(body, [16384] * 400)), Shelf().keep)
    assert len(document["readme"]) == 8 * 300_000
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_attachments_that_are_text_stay_in_the_document(size: int) -> None:
    bundle = json.dumps({"mediaType": "x", "quoted": '"{'})
    body = json.dumps({"_attachments": {"a": {"data": bundle, "length": 1}, "b": {"data": "eA=="}}}).encode()
    document, drafts = await read_json_with_attachments(stream(cut(body, [size] * 400)), Shelf().keep)
    assert document["_attachments"] == {"a": {"data": bundle, "length": 1}, "b": {}}
    assert list(drafts) == ["b"]
