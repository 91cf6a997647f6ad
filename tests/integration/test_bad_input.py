"""What a hostile client can put on the wire: a clear refusal in the protocol's shape, and nothing stored."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from pakhus.database import assets
from tests.contract.serving import Serving, serving
from tests.integration.wire import LOGIN, Wire, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 1 << 20
TIMEOUT = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """Hosted repositories `raw`, `npm`, `pypi` and `maven2`; bodies up to a mebibyte, patience of a second."""
    settings = {"PAKHUS_HTTP_MAX_BODY_MB": "1", "PAKHUS_HTTP_READ_TIMEOUT_SEC": f"{TIMEOUT:.0f}"}
    async with serving(tmp_path_factory.mktemp("bad") / "data", settings) as running:
        for format in ("raw", "npm", "pypi", "maven2"):
            await running.create(format, "hosted", format)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def wire(server: Serving) -> AsyncIterator[Wire]:
    async with connected(server.url) as connection:
        yield connection


async def stored(server: Serving) -> list[str]:
    """The paths of everything in every repository."""
    services = server.application.services
    return [
        asset.path
        for each in services.catalog.everything()
        for asset in await services.database.read(assets.page, each.id, each.name, after=0, limit=100)
    ]


async def assert_nothing_stored(server: Serving) -> None:
    """No row, no draft, and the server still answers."""
    assert await stored(server) == []
    await drafts_gone(server)
    assert (await server.get("raw", "absent")).status_code == 404


async def drafts_gone(server: Serving) -> None:
    """A draft of a cut upload goes when the server notices the cut, soon after."""
    store = server.application.services.stores.get("default")
    async with asyncio.timeout(10):
        while await store.drafts():
            await asyncio.sleep(0.01)


# -- paths ---------------------------------------------------------------------------------------------------------

TRAVERSALS = (
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "./x",
    "a/./x",
    "%2e%2e/x",
    "%2E%2E%2Fx",
    "..%2fx",
    "a/%2e%2e/%2e%2e/etc/passwd",
    "..%5cx",
    "a%5c..%5cx",
    "..\\x",
    "%c0%ae%c0%ae/x",
    "%e0%80%ae%e0%80%ae/x",
    "..%00/x",
    "x%00.jar",
    "a%0ab",
    "a%0d%0aSet-Cookie:%20x",
    "%7f",
    "a//b",
    "//a",
    "%2f%2fa",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a%2f%2fb",
    "%ff%fe",
    "%ed%a0%80",
    "a" * 3000,
    "a/" * 5000 + "b",
)


@pytest.mark.parametrize("path", TRAVERSALS, ids=[repr(path[:24]) for path in TRAVERSALS])
@pytest.mark.parametrize("method", ("PUT", "GET", "DELETE"))
async def test_a_path_with_a_flaw_is_refused(server: Serving, wire: Wire, method: str, path: str) -> None:
    answer = await wire.ask(f"{method} /repository/raw/{path} HTTP/1.1", "Content-Length: 1", body=b"x")
    assert answer.status == 400
    assert answer.body
    await assert_nothing_stored(server)


@pytest.mark.parametrize("path", ("%", "%zz", "%2", "\xff", "caf\xe9", "a\x00b"))
async def test_a_target_that_is_no_url_is_refused_or_taken_literally(server: Serving, wire: Wire, path: str) -> None:
    answer = await wire.ask(f"GET /repository/raw/{path} HTTP/1.1")
    assert answer.status in (400, 404)
    await assert_nothing_stored(server)


async def test_an_encoded_percent_sign_is_decoded_once(server: Serving) -> None:
    """`%252e%252e` is a file named `%2e%2e`, and no way up."""
    put = await server.http.put(f"{server.url}/repository/raw/a/%252e%252e/x", content=b"here")
    assert put.status_code == 201
    assert await stored(server) == ["a/%2e%2e/x"]
    assert (await server.http.get(f"{server.url}/repository/raw/a/%252e%252e/x")).content == b"here"
    assert (await server.http.delete(f"{server.url}/repository/raw/a/%252e%252e/x")).status_code == 204


async def test_an_encoded_slash_is_a_slash(server: Serving) -> None:
    await server.http.put(f"{server.url}/repository/raw/one%2Ftwo", content=b"same")
    assert (await server.http.get(f"{server.url}/repository/raw/one/two")).content == b"same"
    assert (await server.http.delete(f"{server.url}/repository/raw/one/two")).status_code == 204


@pytest.mark.parametrize("name", ("..", "%2e%2e", "", ".", "no%00ne", "raw%2f..", "x" * 5000))
async def test_a_repository_name_leads_nowhere_else(server: Serving, wire: Wire, name: str) -> None:
    answer = await wire.ask(f"PUT /repository/{name}/x HTTP/1.1", "Content-Length: 1", body=b"x")
    assert answer.status in (400, 404, 405)
    await assert_nothing_stored(server)


async def test_nothing_outside_of_the_data_directory_was_written(server: Serving, wire: Wire) -> None:
    data = server.application.settings.data
    before = sorted(path.name for path in data.parent.iterdir())
    for path in TRAVERSALS[:10]:
        await wire.ask(f"PUT /repository/raw/{path} HTTP/1.1", "Content-Length: 1", body=b"x")
    assert sorted(path.name for path in data.parent.iterdir()) == before


# -- request lines and headers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_line",
    (
        "GET /repository/raw/x HTTP/9.9",
        "GET/repository/raw/x HTTP/1.1",
        "GET  HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http://pakhus HTTP/1.1",
        "BREW /repository/raw/x HTTP/1.1",
        "CONNECT pakhus:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "\x16\x03\x01\x02",
        "nonsense",
    ),
)
async def test_a_request_line_that_makes_no_sense_is_refused(server: Serving, wire: Wire, request_line: str) -> None:
    answer = await wire.ask(request_line)
    assert 400 <= answer.status < 500
    assert (await server.get("raw", "absent")).status_code == 404


async def test_an_absolute_target_is_understood(server: Serving, wire: Wire) -> None:
    answer = await wire.ask("GET http://elsewhere/repository/raw/absent HTTP/1.1")
    assert answer.status == 404
    assert b"absent" in answer.body


@pytest.mark.parametrize("host", ("a b", "a/b", "a@b", 'a"b', "a<b", "a\\b", "a?b", "a#b"))
async def test_a_host_that_is_none_is_refused(server: Serving, wire: Wire, host: str) -> None:
    assert (await wire.ask("GET /repository/raw/x HTTP/1.1", host=host)).status == 400


@pytest.mark.parametrize(
    "headers",
    (["X-Large: " + "a" * (1 << 20)], [f"X-{number}: {'a' * 1000}" for number in range(1100)]),
    ids=("one", "many"),
)
async def test_a_megabyte_of_headers_is_431(server: Serving, wire: Wire, headers: list[str]) -> None:
    answer = await wire.ask("GET /repository/raw/x HTTP/1.1", *headers)
    assert answer.status == 431
    assert answer.headers["connection"] == "close"
    assert await wire.rest() == b""


async def test_headers_without_end_are_cut(server: Serving, wire: Wire) -> None:
    await wire.send("GET /repository/raw/x HTTP/1.1\r\nX-Endless: ")
    sending = asyncio.create_task(wire.send(*[b"a" * 65536] * 200))
    assert (await wire.answer()).status == 431
    await wire.rest()
    await sending


async def test_a_target_without_end_is_414(server: Serving, wire: Wire) -> None:
    await wire.send("GET /repository/raw/" + "a" * (1 << 20) + " HTTP/1.1\r\nHost: pakhus\r\n\r\n")
    assert (await wire.answer()).status == 414


async def test_trailers_without_end_are_cut(server: Serving, wire: Wire) -> None:
    head = f"PUT /repository/raw/x HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\nTransfer-Encoding: chunked\r\n\r\n"
    await wire.send(head, "1\r\nx\r\n0\r\n", *[f"X-{number}: {'a' * 1000}\r\n" for number in range(200)])
    assert (await wire.answer()).status == 431
    await assert_nothing_stored(server)


@pytest.mark.parametrize(
    "authorization",
    (
        "Basic",
        "Basic é",
        "Basic ====",
        "Basic bm9jb2xvbg==",
        "Basic /////w==",
        "Bearer",
        "Bearer \xff",
        "Nothing x",
        "x",
    ),
)
async def test_credentials_that_are_none_are_challenged(server: Serving, wire: Wire, authorization: str) -> None:
    await wire.send(f"GET /repository/raw/x HTTP/1.1\r\nHost: pakhus\r\nAuthorization: {authorization}\r\n\r\n")
    answer = await wire.answer()
    assert answer.status == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    "header",
    (
        "Accept: ;;;q=x,/,*/*;q=nan",
        "Accept: " + "a/b," * 5000,
        "If-None-Match: " + '"a",' * 5000,
        "X-Request-Id: a b\x80",
    ),
)
async def test_odd_headers_are_no_incident(server: Serving, wire: Wire, header: str) -> None:
    for path in ("/repository/raw/x", "/repository/npm/x", "/repository/pypi/simple/x/"):
        assert (await wire.ask(f"GET {path} HTTP/1.1", header)).status == 404


# -- framing -------------------------------------------------------------------------------------------------------

PUT = f"PUT /repository/raw/x HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n"


@pytest.mark.parametrize(
    "framing",
    (
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: 4, 4\r\n\r\nabcd",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +4\r\n\r\nabcd",
        "Content-Length: 0x4\r\n\r\nabcd",
        "Content-Length: 99999999999999999999999\r\n\r\nabcd",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-4\r\nabcd\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nabcdef\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
        "Content-Length: 4\r\nBad Header: x\r\n\r\nabcd",
        "Content-Length : 4\r\n\r\nabcd",
    ),
)
async def test_a_body_of_doubtful_length_is_refused(server: Serving, wire: Wire, framing: str) -> None:
    """Request smuggling (RFC 9112, section 11.2): whatever follows is never read as a second request."""
    await wire.send(PUT + framing, "GET /repository/raw/smuggled HTTP/1.1\r\nHost: pakhus\r\n\r\n")
    assert (await wire.answer()).status == 400
    assert await wire.rest() == b""
    await assert_nothing_stored(server)


@pytest.mark.parametrize(
    "begin", ("Content-Length: 100000\r\n\r\nabcd", "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n")
)
async def test_an_upload_that_is_cut_leaves_nothing(server: Serving, begin: str) -> None:
    async with connected(server.url) as wire:
        await wire.send(PUT + begin)
        await begun(server)
    await assert_nothing_stored(server)


async def begun(server: Serving) -> None:
    """The server has taken up the upload: its log line would come at the end, its draft is in memory yet."""
    async with asyncio.timeout(10):
        while server.seen[-1:] != ["PUT /repository/raw/x"]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("begin", ("Content-Length: 100000\r\n\r\nabcd", "Content-Length: 4\r\nX-Slow: "))
async def test_a_client_that_stops_half_way_is_cut_with_408(server: Serving, wire: Wire, begin: str) -> None:
    """`http.read_timeout_sec`."""
    await wire.send(PUT + begin)
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert await wire.rest() == b""
    await assert_nothing_stored(server)


async def test_a_client_that_says_nothing_is_cut(server: Serving, wire: Wire) -> None:
    assert await wire.rest() == b""


async def test_a_slow_but_steady_client_is_not_cut(server: Serving, wire: Wire) -> None:
    await wire.send(PUT + "Content-Length: 6\r\n\r\n")
    for _ in range(6):
        await asyncio.sleep(TIMEOUT / 3)
        await wire.send("a")
    assert (await wire.answer()).status == 201
    assert (await wire.ask("DELETE /repository/raw/x HTTP/1.1")).status == 204


async def test_pipelined_requests_are_answered_in_order(server: Serving, wire: Wire) -> None:
    for number in range(3):
        await wire.send(f"GET /repository/raw/absent-{number} HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n\r\n")
    for number in range(3):
        assert f"absent-{number}".encode() in (await wire.answer()).body


# -- limits --------------------------------------------------------------------------------------------------------


async def test_a_body_over_the_limit_is_413(server: Serving, wire: Wire) -> None:
    """`http.max_body_mb`. The answer arrives although the client sends everything first."""
    answer = await wire.ask("PUT /repository/raw/x HTTP/1.1", f"Content-Length: {8 * LIMIT}", body=b"x" * 8 * LIMIT)
    assert answer.status == 413
    assert (await wire.ask("GET /repository/raw/absent HTTP/1.1")).status == 404
    await assert_nothing_stored(server)


@pytest.mark.parametrize("path", ("raw/x", "npm/package", "pypi/"))
async def test_a_chunked_body_over_the_limit_is_413_too(server: Serving, wire: Wire, path: str) -> None:
    method, kind = ("POST", "multipart/form-data; boundary=b") if path == "pypi/" else ("PUT", "application/json")
    head = f"{method} /repository/{path} HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\nContent-Type: {kind}\r\n"
    begin = {
        "raw/x": b"",
        "npm/package": b'{"name": "',
        "pypi/": b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    }
    chunks = [begin[path] or b"x", *[b"x" * 65536] * 20]
    await wire.send(head, "Transfer-Encoding: chunked\r\n\r\n")
    await wire.send(*(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks), "0\r\n\r\n")
    assert (await wire.answer()).status == 413
    await assert_nothing_stored(server)


async def test_a_body_up_to_the_limit_is_taken(server: Serving) -> None:
    assert (await server.http.put(server.at("raw", "x"), content=b"x" * LIMIT)).status_code == 201
    assert (await server.http.delete(server.at("raw", "x"))).status_code == 204


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("raw/x", f"Content-Length: {2 * LIMIT}", 413),
        ("absent/x", "Content-Length: 10", 404),
        ("raw/a//b", "Content-Length: 10", 400),
        ("npm/-/x.tgz", "Content-Length: 10", 404),
    ],
)
async def test_a_refusal_does_not_ask_for_the_body(
    server: Serving, wire: Wire, path: str, header: str, status: int
) -> None:
    """`Expect: 100-continue` (RFC 9110, section 10.1.1). The connection ends, for what comes next could be the body."""
    answer = await wire.ask(f"PUT /repository/{path} HTTP/1.1", header, "Expect: 100-continue")
    assert (answer.status, answer.headers.get("connection")) == (status, "close")
    assert await wire.rest() == b""


async def test_a_stranger_is_refused_before_the_body(server: Serving, wire: Wire) -> None:
    await wire.send(
        "PUT /repository/raw/x HTTP/1.1\r\nHost: pakhus\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await wire.answer()).status == 401


async def test_a_body_that_is_wanted_is_asked_for(server: Serving, wire: Wire) -> None:
    answer = await wire.ask("PUT /repository/raw/x HTTP/1.1", "Content-Length: 2", "Expect: 100-continue")
    assert answer.status == 100
    await wire.send("ok")
    assert (await wire.answer()).status == 201
    assert (await wire.ask("DELETE /repository/raw/x HTTP/1.1")).status == 204


# -- packages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", (b"", b"{", b"[]", b"null", b'"x"', b'{"a":' * 20000, b"\xff\xfe", b'{"name": NaN}', b"1e999999")
)
async def test_malformed_json_is_a_400_in_json(server: Serving, body: bytes) -> None:
    answer = await server.http.put(
        server.at("npm", "package"), content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert json.loads(answer.content)["error"]
    await assert_nothing_stored(server)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"--b\r\n\r\n--b--"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"nothing of the kind"),
        (
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=content; filename=x\r\n\r\ncut",
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: " + b"a" * 500_000 + b"\r\n\r\n--b--\r\n"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"x"),
        ("application/json", b"{}"),
        ("", b"x"),
    ],
)
async def test_a_malformed_form_is_a_400(server: Serving, kind: str, body: bytes) -> None:
    answer = await server.http.post(server.at("pypi", ""), content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text
    assert answer.content
    await assert_nothing_stored(server)


def zip_bomb() -> bytes:
    """A wheel whose METADATA inflates to 300 MiB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        metadata = b"Metadata-Version: 2.1\nName: bomb\nVersion: 1.0\n\n"
        archive.writestr("bomb-1.0.dist-info/METADATA", metadata + bytes(300 << 20))
    return packed.getvalue()


def tar_bomb() -> bytes:
    """A tarball whose package.json says that it has a tebibyte, and that begins to."""
    member = tarfile.TarInfo("package/package.json")
    member.size = 1 << 40
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(
        [squeezed.compress(member.tobuf()), *(squeezed.compress(bytes(1 << 20)) for _ in range(200)), squeezed.flush()]
    )


async def test_a_zip_bomb_is_refused(server: Serving) -> None:
    bomb = zip_bomb()
    assert len(bomb) < LIMIT
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "name": "bomb",
        "version": "1.0",
        "filetype": "bdist_wheel",
    }
    answer = await server.http.post(
        server.at("pypi", ""), data=fields, files={"content": ("bomb-1.0-py3-none-any.whl", bomb)}
    )
    assert answer.status_code == 400, answer.text
    await assert_nothing_stored(server)


async def test_a_tar_bomb_is_refused(server: Serving) -> None:
    bomb = tar_bomb()
    assert len(bomb) < LIMIT
    manifest = {"name": "bomb", "version": "1.0.0", "dist": {}}
    body = {
        "name": "bomb",
        "versions": {"1.0.0": manifest},
        "dist-tags": {"latest": "1.0.0"},
        "_attachments": {"bomb-1.0.0.tgz": {"data": base64.b64encode(bomb).decode(), "length": len(bomb)}},
    }
    answer = await server.http.put(server.at("npm", "bomb"), json=body)
    assert answer.status_code == 400, answer.text
    await assert_nothing_stored(server)


async def test_the_blob_store_holds_nothing_in_the_end(server: Serving) -> None:
    """After all of the above: the sweep of unused blobs leaves an empty store."""
    await server.application.services.sweep.run(grace=timedelta(0))
    blobs = server.application.settings.blob_path
    assert [path for path in Path(blobs).rglob("*") if path.is_file()] == []
