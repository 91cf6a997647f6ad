"""Raw through curl: what a person with a terminal sees, in every shape, with everything private."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology

BODY = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(4096))
LOGIN = ("-u", f"{ADMIN[0]}:{ADMIN[1]}")


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("raw")


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    file = tmp_path / "artifact.bin"
    file.write_bytes(BODY)
    return file


def status(curl: Program, *args: str | Path, head: Path) -> tuple[int, dict[str, str]]:
    """The status and the headers of the last answer that curl got."""
    curl.run("-sS", "-o", head.with_suffix(".body"), "-D", head, *args).ok()
    lines = head.read_text().strip().split("\n\n")[-1].splitlines()
    headers = dict(line.rstrip().lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), headers


def upload(curl: Program, shapes: Topology, shape: str, path: str, file: Path) -> Result:
    """Put the file where a read through `shape` has to find it."""
    return curl.run("-sS", "-f", *LOGIN, "-T", file, shapes.url(shapes.source(shape), path)).ok()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_curl_uploads_is_what_curl_downloads(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("raw", "curl", shape)
    path = f"releases/{shape}/artifact.bin"
    upload(curl, shapes, shape, path, artifact)
    copy = tmp_path / "copy.bin"

    curl.run("-sS", "-f", *LOGIN, "-o", copy, shapes.url(shape, path)).ok()

    assert copy.read_bytes() == BODY


@pytest.mark.parametrize("shape", SHAPES)
def test_head_says_what_get_sends(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("raw", "curl", shape)
    upload(curl, shapes, shape, f"head/{shape}.bin", artifact)
    url = shapes.url(shape, f"head/{shape}.bin")

    of_head = status(curl, "-I", *LOGIN, url, head=tmp_path / "head")
    of_get = status(curl, *LOGIN, url, head=tmp_path / "get")

    compared = ("content-length", "content-type", "etag", "last-modified", "accept-ranges")
    assert of_head[0] == of_get[0] == 200
    assert {name: of_head[1].get(name) for name in compared} == {name: of_get[1].get(name) for name in compared}
    assert of_get[1]["content-length"] == str(len(BODY))
    assert of_get[1]["etag"]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_interrupted_download_is_continued(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("raw", "curl", shape)
    upload(curl, shapes, shape, f"range/{shape}.bin", artifact)
    partial = tmp_path / "partial.bin"
    partial.write_bytes(BODY[:1000])

    curl.run("-sS", "-f", *LOGIN, "-C", "-", "-o", partial, shapes.url(shape, f"range/{shape}.bin")).ok()

    assert partial.read_bytes() == BODY


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("0-0", BODY[:1]), ("100-199", BODY[100:200]), ("-50", BODY[-50:]), ("131000-", BODY[131000:])],
)
def test_a_range_is_exactly_what_was_asked_for(
    asked: str, expected: bytes, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    upload(curl, shapes, "hosted", "range/exact.bin", artifact)

    code, headers = status(curl, *LOGIN, "-r", asked, shapes.url("hosted", "range/exact.bin"), head=tmp_path / "answer")

    assert code == 206
    assert headers["content-range"].endswith(f"/{len(BODY)}")
    assert (tmp_path / "answer.body").read_bytes() == expected


def test_a_range_beyond_the_end_says_how_long_the_file_is(
    curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    upload(curl, shapes, "hosted", "range/beyond.bin", artifact)

    code, headers = status(
        curl, *LOGIN, "-r", "9999999-", shapes.url("hosted", "range/beyond.bin"), head=tmp_path / "answer"
    )

    assert (code, headers["content-range"]) == (416, f"bytes */{len(BODY)}")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_unchanged_file_is_not_sent_again(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("raw", "curl", shape)
    upload(curl, shapes, shape, f"etag/{shape}.bin", artifact)
    url, etags, copy = shapes.url(shape, f"etag/{shape}.bin"), tmp_path / "etag", tmp_path / "copy.bin"
    curl.run("-sS", "-f", *LOGIN, "--etag-save", etags, "-o", copy, url).ok()
    assert copy.read_bytes() == BODY

    code, _ = status(curl, *LOGIN, "--etag-compare", etags, url, head=tmp_path / "answer")

    assert code == 304
    assert not (tmp_path / "answer.body").exists() or (tmp_path / "answer.body").read_bytes() == b""


def test_a_deleted_file_is_gone_from_the_groups_too(
    curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    upload(curl, shapes, "hosted", "gone/artifact.bin", artifact)
    before = [
        status(curl, *LOGIN, shapes.url(shape, "gone/artifact.bin"), head=tmp_path / "h")[0]
        for shape in ("group", "nested")
    ]

    curl.run("-sS", "-f", *LOGIN, "-X", "DELETE", shapes.url("hosted", "gone/artifact.bin")).ok()

    read = [
        status(curl, *LOGIN, shapes.url(shape, "gone/artifact.bin"), head=tmp_path / "h")[0]
        for shape in ("hosted", "group", "nested")
    ]
    assert before == [200, 200]
    assert read == [404, 404, 404]


@pytest.mark.parametrize("shape", ["proxy", "proxies", "group", "nested"])
def test_what_was_read_once_is_there_without_the_upstream(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    path, copy = f"offline/{shape}.bin", tmp_path / "copy.bin"
    upload(curl, shapes, "proxy", path, artifact)
    curl.run("-sS", "-f", *LOGIN, "-o", copy, shapes.url(shape, path)).ok()
    copy.unlink()

    with shapes.cut_off():
        curl.run("-sS", "-f", *LOGIN, "-o", copy, shapes.url(shape, path)).ok()

    assert copy.read_bytes() == BODY


def test_what_was_never_read_is_a_bad_gateway_while_the_upstream_is_down(
    curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    upload(curl, shapes, "proxy", "offline/never-read.bin", artifact)

    with shapes.cut_off():
        code, _ = status(curl, *LOGIN, shapes.url("proxy", "offline/never-read.bin"), head=tmp_path / "answer")

    # 502: this request tried and failed. 404: the upstream is auto-blocked after an earlier failure.
    assert code in (502, 404)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_credentials_curl_is_asked_for_them(
    shape: str, curl: Program, shapes: Topology, tmp_path: Path
) -> None:
    code, headers = status(curl, shapes.url(shape, "any/thing.bin"), head=tmp_path / "answer")

    assert code == 401
    assert headers["www-authenticate"].startswith("basic realm=")


def test_wrong_credentials_are_refused_even_for_a_read(curl: Program, shapes: Topology, tmp_path: Path) -> None:
    code, _ = status(curl, "-u", "admin:wrong", shapes.url("hosted", "any.bin"), head=tmp_path / "answer")

    assert code == 401


def test_a_reader_may_not_write(curl: Program, shapes: Topology, artifact: Path, tmp_path: Path) -> None:
    name, password = shapes.near.reader("raw-reader", "raw", shapes.name("hosted"))
    login, url = ("-u", f"{name}:{password}"), shapes.url("hosted", "kept/artifact.bin")
    upload(curl, shapes, "hosted", "kept/artifact.bin", artifact)
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")

    put = status(curl, *login, "-T", other, url, head=tmp_path / "put")[0]
    delete = status(curl, *login, "-X", "DELETE", url, head=tmp_path / "delete")[0]
    get = status(curl, *login, url, head=tmp_path / "get")[0]

    assert (put, delete, get) == (403, 403, 200)
    assert (tmp_path / "get.body").read_bytes() == BODY


def test_a_right_on_the_group_is_not_one_on_its_members(
    curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    name, password = shapes.near.reader("raw-group-only", "raw", shapes.name("group"))
    upload(curl, shapes, "hosted", "secret/artifact.bin", artifact)
    login = ("-u", f"{name}:{password}")

    direct = status(curl, *login, shapes.url("hosted", "secret/artifact.bin"), head=tmp_path / "direct")[0]

    assert direct == 403


def test_an_unknown_path_and_an_unknown_repository_are_not_found(
    curl: Program, shapes: Topology, tmp_path: Path
) -> None:
    path = status(curl, *LOGIN, shapes.url("hosted", "no/such.bin"), head=tmp_path / "path")[0]
    repository = status(curl, *LOGIN, shapes.near.at("no-such-repository", "a"), head=tmp_path / "repository")[0]

    assert (path, repository) == (404, 404)


@pytest.mark.parametrize("shape", ["proxy", "group"])
def test_only_a_hosted_repository_takes_an_upload(
    shape: str, curl: Program, shapes: Topology, artifact: Path, tmp_path: Path
) -> None:
    code, headers = status(curl, *LOGIN, "-T", artifact, shapes.url(shape, "new.bin"), head=tmp_path / "answer")

    assert code == 405
    assert headers["allow"] == "get, head"


def test_a_write_once_repository_keeps_the_first_upload(
    curl: Program, server: Server, artifact: Path, tmp_path: Path
) -> None:
    server.create("raw", "hosted", "raw-once", storage={"writePolicy": "ALLOW_ONCE"})
    other = tmp_path / "other.bin"
    other.write_bytes(b"other")
    url = server.at("raw-once", "release.bin")
    curl.run("-sS", "-f", *LOGIN, "-T", artifact, url).ok()

    again = status(curl, *LOGIN, "-T", other, url, head=tmp_path / "again")[0]

    assert again == 400
    assert "does not allow updating assets" in (tmp_path / "again.body").read_text()
    assert server.get(url).content == BODY


def test_names_with_blanks_umlauts_and_percent_signs_survive(curl: Program, shapes: Topology, artifact: Path) -> None:
    path = "odd/a%20b%2Bc%C3%BC%25.bin"
    curl.run("-sS", "-f", *LOGIN, "-T", artifact, shapes.url("hosted", path)).ok()

    answer = shapes.near.get(shapes.url("group", path))

    assert answer.status_code == 200
    assert answer.content == BODY


def test_an_upload_survives_a_power_cut(curl: Program, pakhus_server: Callable[..., Server], artifact: Path) -> None:
    server = pakhus_server("durable")
    url = server.create("raw", "hosted", "raw-durable") + "kept.bin"
    curl.run("-sS", "-f", *LOGIN, "-T", artifact, url).ok()

    server.stop(signal.SIGKILL)
    server.start()

    assert server.get(url).content == BODY
