"""The settings of the section `http`: each is flipped, and the behaviour changes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pakhus.database import assets
from tests.contract.serving import Serving, serving
from tests.integration.wire import LOGIN, connected
from tests.samples import sample

FORWARDED = {
    "X-Forwarded-For": "203.0.113.7, 127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "packages.example.org",
    "X-Forwarded-Prefix": "/nexus",
}


async def tarball(server: Serving, headers: dict[str, str]) -> str:
    """Where the server says that the sample's file is, to a client that sends these headers."""
    packages = sample("npm")
    if server.application.services.catalog.find("npm") is None:
        await server.create("npm", "hosted", "npm")
        for request in packages.first.publish:
            assert (await server.ask("npm", request)).is_success
    path = next(iter(packages.first.files))
    document = (await server.get("npm", path.partition("/-/")[0], headers=headers)).text
    version = next(iter(json.loads(document)["versions"].values()))
    return str(version["dist"]["tarball"]).removesuffix(path)


async def uploader(server: Serving, headers: dict[str, str]) -> str:
    """The address from which the server thinks that a file came."""
    services = server.application.services
    if services.catalog.find("raw") is None:
        await server.create("raw", "hosted", "raw")
    await server.http.put(server.at("raw", "x"), content=b"x", headers=headers)
    repository = services.catalog.get("raw")
    asset = await services.database.read(assets.by_path, repository.id, "raw", "x")
    assert asset is not None
    return asset.uploader_ip


async def test_forwarded_headers_are_believed_from_trusted_proxies_only(tmp_path: Path) -> None:
    """`http.trusted_proxies`."""
    async with serving(tmp_path / "nobody") as server:
        assert await tarball(server, FORWARDED) == f"{server.url}/repository/npm/"
        assert await uploader(server, FORWARDED) == "127.0.0.1"
    async with serving(tmp_path / "others", {"PAKHUS_HTTP_TRUSTED_PROXIES": "10.0.0.0/8"}) as server:
        assert await tarball(server, FORWARDED) == f"{server.url}/repository/npm/"
    async with serving(tmp_path / "known", {"PAKHUS_HTTP_TRUSTED_PROXIES": "10.0.0.0/8,127.0.0.1"}) as server:
        assert await tarball(server, FORWARDED) == "https://packages.example.org/nexus/repository/npm/"
        assert await tarball(server, {}) == f"{server.url}/repository/npm/"
        assert await uploader(server, FORWARDED) == "203.0.113.7"
        spoofed = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
        assert await uploader(server, spoofed) == "203.0.113.7"


async def test_the_base_url_is_what_links_begin_with(tmp_path: Path) -> None:
    """`http.base_url`, whatever the client or a proxy says."""
    settings = {"PAKHUS_HTTP_BASE_URL": "https://repo.example.org/x", "PAKHUS_HTTP_TRUSTED_PROXIES": "127.0.0.1"}
    async with serving(tmp_path / "data", settings) as server:
        for headers in ({}, FORWARDED, {"Host": "elsewhere"}):
            assert await tarball(server, headers) == "https://repo.example.org/x/repository/npm/"


@pytest.mark.parametrize("seconds", (1, 60))
async def test_a_client_that_takes_nothing_is_cut(tmp_path: Path, seconds: int) -> None:
    """`http.write_timeout_sec`, on the first answer and on one that is replayed."""
    body = bytes(24 << 20)
    async with serving(tmp_path / "data", {"PAKHUS_HTTP_WRITE_TIMEOUT_SEC": str(seconds)}) as server:
        await server.create("raw", "hosted", "raw")
        await server.http.put(server.at("raw", "large"), content=body)
        async with connected(server.url) as first, connected(server.url) as second:
            for wire in (first, second):
                await wire.send(f"GET /repository/raw/large HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n\r\n")
                await wire.reader.readuntil(b"\r\n\r\n")
                wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(3)  # the wait is what is tested
            for wire in (first, second):
                wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
                got = await wire.rest() if seconds == 1 else await wire.reader.readexactly(len(body))
                assert (len(got) == len(body)) is (seconds == 60)
