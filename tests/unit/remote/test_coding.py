"""Content codings that nobody asked for."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import UpstreamDown
from pakhus.remote.coding import PIECE, codings, decoded
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import Handler, Serve, get, remote

PLAIN = b"plain text " * 1000


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw": raw_deflate,
}
CODED = {
    "gzip": gzip.compress(PLAIN),
    "x-gzip": gzip.compress(PLAIN[:10]) + gzip.compress(PLAIN[10:]) + bytes(512),
    "deflate": zlib.compress(PLAIN),
    "Deflate": raw_deflate(PLAIN),
    "gzip, identity": gzip.compress(PLAIN),
    "deflate, gzip": gzip.compress(zlib.compress(PLAIN)),
    "identity": PLAIN,
}


def sends(body: bytes, coding: str, *, status: int = 200, content_type: str = "text/plain") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        headers = {"Content-Encoding": coding, "Content-Type": content_type}
        return web.Response(body=body, status=status, headers=headers)

    return handler


@pytest.mark.parametrize("coding", CODED)
async def test_a_coded_body_arrives_decoded(upstreams: HttpUpstreams, serve: Serve, coding: str) -> None:
    server = await serve(sends(CODED[coding], coding))
    async with upstreams.request(remote(server.url), "file.txt") as response:
        if coding != "identity":
            assert response.size is None
            assert not {"content-encoding", "content-length"} & set(response.headers)
        assert b"".join([chunk async for chunk in response.chunks()]) == PLAIN


@pytest.mark.parametrize("body", [gzip.compress(PLAIN)[:-4], gzip.compress(PLAIN)[:20], PLAIN, b"\x1f\x8b" + PLAIN])
async def test_a_body_that_is_not_what_it_says_is_down(upstreams: HttpUpstreams, serve: Serve, body: bytes) -> None:
    server = await serve(sends(body, "gzip"))
    with pytest.raises(UpstreamDown, match=r"127\.0\.0\.1"):
        await get(upstreams, remote(server.url))


@pytest.mark.parametrize(("coding", "status"), [("br", 200), ("gzip, x", 200), ("gzip," * 9, 200), ("gzip", 206)])
async def test_what_cannot_be_decoded_is_down(upstreams: HttpUpstreams, serve: Serve, coding: str, status: int) -> None:
    server = await serve(sends(CODED["gzip"], coding, status=status))
    with pytest.raises(UpstreamDown):
        await get(upstreams, remote(server.url))


@pytest.mark.parametrize(("path", "kind"), [("a.tar.gz", "application/x-tar"), ("a", "application/x-gzip")])
async def test_a_gzip_file_that_is_labelled_as_coded_stays_a_gzip_file(
    upstreams: HttpUpstreams, serve: Serve, path: str, kind: str
) -> None:
    file = gzip.compress(random.Random(1).randbytes(100_000))
    for sent in (file, gzip.compress(file)):  # the label is the file's own, or the server really compressed it
        server = await serve(sends(sent, "gzip", content_type=kind))
        assert (await get(upstreams, remote(server.url), path))[1] == file


async def test_a_bomb_does_not_grow_memory() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(256)) + compressor.flush()
    twice = gzip.compress(bomb)

    async def chunks() -> AsyncIterator[bytes]:
        yield twice

    size = largest = 0
    tracemalloc.start()
    async for piece in decoded(chunks(), ("gzip", "gzip"), "up.test", gzip_file=False):
        size, largest = size + len(piece), max(largest, len(piece))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (size, largest) == (256 << 20, PIECE)
    assert peak < 8 << 20


@given(
    st.lists(st.binary(max_size=2000), min_size=1, max_size=3),
    st.sampled_from(["gzip", "deflate", "raw"]),
    st.lists(st.integers(1, 50), min_size=1),
    st.booleans(),
)
async def test_however_the_chunks_are_cut_the_body_is_the_same(
    members: list[bytes], how: str, lengths: list[int], padded: bool
) -> None:
    compress = COMPRESS[how]
    members = members if how == "gzip" else members[:1]
    coded = b"".join(compress(member) for member in members) + (bytes(100) if padded else b"")
    name = "gzip" if how == "gzip" else "deflate"

    async def chunks() -> AsyncIterator[bytes]:
        position = number = 0
        while position < len(coded):
            yield coded[position : position + lengths[number % len(lengths)]]
            position += lengths[number % len(lengths)]
            number += 1

    got = [piece async for piece in decoded(chunks(), (name,), "up.test", gzip_file=False)]
    assert b"".join(got) == b"".join(members)


def test_identity_is_no_coding() -> None:
    assert codings("") == codings("identity, ") == ()
    assert codings("GZIP , deflate") == ("gzip", "deflate")
