"""Forms are read as they arrive: files stream to drafts, fields are bounded, and a broken form leaves no draft."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid, TooLarge
from pakhus.kit.wire import FormData, read_form
from tests.unit.kit.bodies import SIZES, Shelf, cut, stream

BOUNDARY = "--limit"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
NAME = st.text("abcø:.-_ ", min_size=1, max_size=8)
TRICKY = st.lists(
    st.sampled_from([b"\r\n----limit", b"\r\n--", b"\r", b"\n", b"-", b"x", b"\r\n----limi\r\n"]), max_size=8
)
FILE_BODY = st.one_of(
    st.binary(max_size=60), TRICKY.map(b"".join).map(lambda b: b.replace(b"\r\n----limit", b"\r\n---"))
)
PART = st.tuples(NAME, st.one_of(st.tuples(st.none(), st.text(max_size=20)), st.tuples(NAME, FILE_BODY)))


def part(disposition: str, body: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def read(body: bytes, shelf: Shelf, sizes: Sequence[int] = (), content_type: str = TYPE) -> FormData:
    return await read_form(stream(cut(body, sizes)), content_type, shelf.keep)


@given(st.lists(PART, max_size=5), SIZES)
async def test_a_form_reads_back_however_it_is_cut(
    parts: list[tuple[str, tuple[str | None, str | bytes]]], sizes: list[int]
) -> None:
    written, fields, files = [], [], []
    for name, (filename, body) in parts:
        if isinstance(body, str):
            written.append(part(f'name="{name}"', body.encode()))
            fields.append((name, body))
        else:
            written.append(part(f'name="{name}"; filename="{filename}"', body, "Content-Type: application/x-tar"))
            files.append((name, filename, body))
    shelf = Shelf()
    found = await read(form(*written), shelf, sizes)
    assert list(found.fields) == fields
    assert [(f.name, f.filename, f.draft.open().read()) for f in found.files] == files
    assert {f.content_type for f in found.files} <= {"application/x-tar"}


@given(SIZES, st.data())
async def test_a_truncated_form_is_refused_and_leaves_no_draft(sizes: list[int], data: st.DataObject) -> None:
    whole = form(part('name="a"; filename="f"', b"12345"), part('name="b"; filename="g"', b"67890")).rstrip(b"\r\n")
    body = whole[: data.draw(st.integers(0, len(whole) - 1))]
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read(body, shelf, sizes)
    assert shelf.left == []


@given(st.binary(max_size=80), SIZES)
async def test_no_bytes_make_a_form_fail_otherwise(body: bytes, sizes: list[int]) -> None:
    start = f"--{BOUNDARY}\r\n".encode()
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read(start + body, shelf, sizes)
    assert shelf.left == []


async def test_a_file_is_not_gathered_before_it_is_kept() -> None:
    shelf = Shelf()
    chunk = b"x" * 65536
    head = part('name="f"; filename="big"', b"").removesuffix(b"\r\n")
    body = [head, *[chunk] * 200, b"\r\n", form()]
    found = await read_form(stream(body), TYPE, shelf.keep)
    assert found.files[0].draft.size == 200 * 65536
    assert shelf.largest_chunk <= 65536


async def test_the_last_field_of_a_name_counts_and_all_are_there() -> None:
    found = await read(form(part('name="a"', b"1"), part('name="b"', b""), part('name="a"', b"2")), Shelf())
    assert (found.get("a"), found.all("a"), found.get("b"), found.get("c")) == ("2", ["1", "2"], "", None)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="f"; filename="a.txt"', "a.txt"),
        ("name=f; filename=a.txt", "a.txt"),
        ('name="f"; filename="../../etc/passwd"', "passwd"),
        (r'name="f"; filename="C:\temp\a.txt"', "a.txt"),
        (r'name="f"; filename="a\"b;c.txt"', 'a"b;c.txt'),
        ('name="f"; filename="grød.txt"', "grød.txt"),
        ('name="f"; filename="x"; filename*=UTF-8\'\'gr%C3%B8d%20x.txt', "grød x.txt"),
        ("name=\"f\"; filename*=iso-8859-1'da'gr%F8d.txt", "grød.txt"),
        ("name=\"f\"; filename*=utf-8''..%2F..%2Fx", "x"),
        ("name=\"f\"; filename*=nonsense''x; filename=y", "y"),
        ('name="f"; filename=""', ""),
        ('NAME="f"; FileName="a"', "a"),
    ],
)
async def test_file_names_come_in_every_spelling_and_without_folders(disposition: str, filename: str) -> None:
    found = await read(form(part(disposition, b"x")), Shelf())
    assert [(f.name, f.filename) for f in found.files] == [("f", filename)]


async def test_a_field_may_be_declared_a_file_by_its_name_or_type() -> None:
    body = form(
        part('name="content"', b"1"), part('name="x"', b"2", "Content-Type: application/gzip"), part("name=y", b"3")
    )
    shelf = Shelf()
    found = await read_form(
        stream([body]), TYPE, shelf.keep, file_fields=lambda name, type: name == "content" or type == "application/gzip"
    )
    assert [(f.name, f.filename, f.draft.size) for f in found.files] == [("content", "", 1), ("x", "", 1)]
    assert found.fields == (("y", "3"),)


async def test_a_field_is_read_in_its_charset() -> None:
    latin = part('name="a"', "grød".encode("latin-1"), "Content-Type: text/plain; charset=ISO-8859-1")
    assert (await read(form(latin, part('name="b"', "grød".encode())), Shelf())).fields == (
        ("a", "grød"),
        ("b", "grød"),
    )


@pytest.mark.parametrize(
    "body",
    [
        form(part('name="a"', b"\xff")),
        form(part('name="a"', b"x", "Content-Type: text/plain; charset=hex")),
        form(part('name="a"', b"x", "Content-Transfer-Encoding: base64")),
        form(part("nam=a", b"x")),
        f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        form(part('name="a"', b"x", *[f"X-{i}: 1" for i in range(100)])),
        form(part('name="a"', b"x", "X: " + "y" * 100_000)),
        b"",
        b"hello",
    ],
)
async def test_a_malformed_form_is_refused(body: bytes) -> None:
    shelf = Shelf()
    with pytest.raises(Invalid):
        await read(form(part('name="f"; filename="kept"', b"x")).removesuffix(form()) + body, shelf)
    assert shelf.left == []


@pytest.mark.parametrize(
    "content_type", ["", "multipart/form-data", "multipart/form-data; boundary=", "application/json", TYPE + "é"]
)
async def test_a_content_type_without_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(Invalid):
        await read(form(), Shelf(), (), content_type)


async def test_an_empty_form_is_a_form() -> None:
    assert await read(form(), Shelf()) == FormData((), ())


async def test_limits_of_a_form_hold() -> None:
    async def limited(body: bytes, shelf: Shelf) -> FormData:
        return await read_form(stream([body]), TYPE, shelf.keep, field_limit=10, fields=20)

    file, field = part('name="f"; filename="f"', b"x" * 100), part('name="a"', b"x" * 10)
    assert len((await limited(form(file, *[field] * 16), Shelf())).fields) == 16
    for body in (
        form(file, part('name="a"', b"x" * 11)),
        form(file, *[field] * 17),
        form(file, *[part('name="a"', b"")] * 20),
    ):
        shelf = Shelf()
        with pytest.raises(TooLarge):
            await limited(body, shelf)
        assert shelf.left == []


async def test_when_keeping_a_file_fails_the_others_are_cancelled() -> None:
    shelf = Shelf(limit=10)
    with pytest.raises(TooLarge):
        await read(form(part('name="a"; filename="a"', b"x"), part('name="b"; filename="b"', b"x" * 11)), shelf)
    assert [draft.cancelled for draft in shelf.drafts] == [True]


async def test_what_is_left_of_a_file_is_not_taken_for_the_next_part() -> None:
    shelf = Shelf(greed=1)
    body = form(part('name="a"; filename="a"', b"x" * 500), part('name="b"', b"y"))
    assert (await read(body, shelf, [100] * 10)).fields == (("b", "y"),)


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5), SIZES)
async def test_a_url_encoded_form_reads_back(fields: list[tuple[str, str]], sizes: list[int]) -> None:
    body = urlencode(fields).encode()
    found = await read(body, Shelf(), sizes, "application/x-www-form-urlencoded; charset=utf-8")
    assert found == FormData(tuple(fields), ())


async def test_limits_of_a_url_encoded_form_hold() -> None:
    for body, error in (
        (b"&".join([b"a=1"] * 21), TooLarge),
        (b"a" * 161, TooLarge),
        (b"a=%ff", Invalid),
        (b"\xff", Invalid),
    ):
        with pytest.raises(error):
            await read_form(
                stream([body]), "application/x-www-form-urlencoded", Shelf().keep, field_limit=10, fields=20
            )
