"""The express lane replays decisions: it must never answer what the normal path would not answer now."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from pakhus.database import assets
from pakhus.database.audit import Sought
from pakhus.services.audit import AuditSettings
from tests.contract.serving import Serving, serving
from tests.samples import Request

REPLAYED = "GET, replayed"
OWN = ("x-request-id", "date")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await found.create("raw", "hosted", "files")
        await found.ask("files", Request("PUT", "a", b"first"))
        yield found


async def replayed(server: Serving, path: str = "a", **options: object) -> httpx2.Response:
    """An answer that came by the express lane."""
    await server.get("files", path)
    before = server.seen.count(REPLAYED)
    answer = await server.get("files", path, **options)
    assert server.seen.count(REPLAYED) == before + 1
    return answer


async def test_a_replay_says_what_the_first_answer_said(server: Serving) -> None:
    first = await server.get("files", "a")
    again = await replayed(server)

    assert again.content == first.content
    assert {k: v for k, v in again.headers.items() if k not in OWN} == {
        k: v for k, v in first.headers.items() if k not in OWN
    }
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_large_file_is_replayed_whole(server: Serving) -> None:
    body = bytes(range(256)) * 8192
    await server.ask("files", Request("PUT", "large", body))

    assert (await replayed(server, "large")).content == body
    assert (await replayed(server, "large")).content == body


async def test_new_bytes_are_seen_at_once(server: Serving) -> None:
    await replayed(server)
    await server.ask("files", Request("PUT", "a", b"second"))

    assert (await server.get("files", "a")).content == b"second"


async def test_what_is_removed_is_gone_at_once(server: Serving) -> None:
    await replayed(server)
    await server.ask("files", Request("DELETE", "a"))

    assert (await server.get("files", "a")).status_code == 404


async def test_a_revoked_token_is_refused_at_once(server: Serving) -> None:
    tokens = server.application.services.tokens
    token, _ = await tokens.create("admin", "short-lived")
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(trust_env=False, headers=headers) as client:
        for _ in range(3):
            assert (await client.get(server.at("files", "a"))).status_code == 200
        await tokens.revoke("admin", "short-lived")

        assert (await client.get(server.at("files", "a"))).status_code == 401


async def test_a_ticket_is_for_its_credentials_only(server: Serving) -> None:
    await replayed(server)

    async with httpx2.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.get(server.at("files", "a"))).status_code == 401


async def test_a_known_etag_is_replayed_as_unmodified(server: Serving) -> None:
    etag = (await replayed(server)).headers["etag"]
    answer = await replayed(server, headers={"If-None-Match": etag})

    assert answer.status_code == 304
    assert answer.content == b""


async def test_a_range_takes_the_normal_path(server: Serving) -> None:
    await replayed(server)
    answer = await server.get("files", "a", headers={"Range": "bytes=1-2"})

    assert (answer.status_code, answer.content) == (206, b"ir")


async def test_replays_are_counted(server: Serving) -> None:
    for _ in range(3):
        await replayed(server)
    services = server.application.services
    await services.downloads.flush()
    repository = services.catalog.get("files")
    found = await services.database.read(assets.by_path, repository.id, "files", "a")
    figures = (await server.http.get(f"{server.url}/service/metrics/prometheus")).text
    gets = re.findall(r'pakhus_http_requests_total\{format="raw",.*method="GET".*\} (\d+)', figures)

    assert found is not None
    assert found.downloads == 6
    assert [float(number) for number in gets] == [6.0]


async def test_a_replay_is_written_down_like_any_download(server: Serving) -> None:
    services = server.application.services
    await services.audit.configure(AuditSettings(downloads=True))
    await services.download_log.refresh()

    answer = await replayed(server)
    await services.download_log.flush()

    found = (await services.audit.downloads(Sought(repository="files"))).items
    assert [(each.user, each.credential, each.path, each.size) for each in found] == [("admin", "password", "a", 5)] * 2
    assert found[0].request_id == answer.headers["x-request-id"]
