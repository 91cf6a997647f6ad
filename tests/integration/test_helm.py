"""Helm repositories over HTTP: statuses, refusals, what replacing does, and charts on other hosts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pakhus.kit.wire import dump_yaml
from tests.contract.serving import Serving, serving
from tests.integration.upstream import upstream
from tests.samples import Request
from tests.samples.helm import archive, chart, form, provenance

WEB = chart("web", "1.0.0", appVersion="1.25", keywords=["http"])
SIGNED = provenance("web", "1.0.0", WEB)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await found.create("helm", "hosted", "hosted")
        yield found


async def status(server: Serving, method: str, path: str, body: bytes = b"") -> int:
    return (await server.ask("hosted", Request(method, path, body))).status_code


async def test_each_way_to_publish_answers_as_its_clients_expect(server: Serving) -> None:
    assert await status(server, "PUT", "web-1.0.0.tgz", WEB) == 200
    assert await status(server, "PUT", "web-1.0.0.tgz.prov", SIGNED) == 200
    both = await server.ask("hosted", form(chart=WEB, prov=SIGNED))
    assert (both.status_code, both.json()) == (201, {"saved": True})


async def test_a_refusal_says_why_in_chartmuseums_form(server: Serving) -> None:
    response = await server.ask("hosted", Request("POST", "api/charts", archive({"web/values.yaml": b""})))

    assert response.status_code == 400
    assert response.json() == {"error": "the archive is no chart: it has no <name>/Chart.yaml"}


async def test_chartmuseums_api_reads_what_the_index_has(server: Serving) -> None:
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        await server.ask("hosted", Request("POST", "api/charts", chart("web", version)))

    every = (await server.get("hosted", "api/charts")).json()
    assert [each["version"] for each in every["web"]] == ["1.10.0", "1.9.0", "1.0.0"]
    assert (await server.get("hosted", "api/charts/web")).json() == every["web"]
    assert (await server.get("hosted", "api/charts/web/latest")).json() == every["web"][0]
    assert (await server.get("hosted", "api/charts?offset=1&limit=5")).json() == {}
    head = await server.http.head(server.at("hosted", "api/charts/web/1.9.0"))
    assert (head.status_code, head.content) == (200, b"")
    assert (await server.get("hosted", "api/charts/web/2.0.0")).status_code == 404
    assert (await server.get("hosted", "health")).json() == {"healthy": True}


async def test_deleting_a_chart_takes_its_provenance_with_it(server: Serving) -> None:
    for path in ("web-1.0.0.tgz", "api/charts/web/1.0.0"):
        assert (await server.ask("hosted", form(chart=WEB, prov=SIGNED))).status_code == 201

        assert await status(server, "DELETE", path) in (200, 204)

        assert (await server.get("hosted", "web-1.0.0.tgz.prov")).status_code == 404
        assert (await server.get("hosted", "index.yaml")).json()["entries"] == {}
        assert await status(server, "DELETE", path) == 404


async def test_a_replaced_chart_keeps_only_the_provenance_that_is_its_own(server: Serving) -> None:
    await status(server, "PUT", "web-1.0.0.tgz.prov", SIGNED)
    await status(server, "PUT", "web-1.0.0.tgz", WEB)
    assert (await server.get("hosted", "web-1.0.0.tgz.prov")).status_code == 200

    await status(server, "PUT", "web-1.0.0.tgz", chart("web", "1.0.0", icon="another"))

    assert (await server.get("hosted", "web-1.0.0.tgz.prov")).status_code == 404


async def test_the_rest_upload_takes_a_chart_and_search_finds_it(server: Serving) -> None:
    url = f"{server.url}/service/rest/v1/components?repository=hosted"
    for filename, content in (("any.tgz", WEB), ("any.tgz.prov", SIGNED)):
        answer = await server.http.post(url, files={"helm.asset": (filename, content)})
        assert answer.status_code == 204, answer.text

    found = await server.http.get(f"{server.url}/service/rest/v1/search?format=helm&helm.appVersion=1.25")

    (item,) = found.json()["items"]
    assert (item["name"], item["version"]) == ("web", "1.0.0")
    assert sorted(each["path"].lstrip("/") for each in item["assets"]) == ["web-1.0.0.tgz", "web-1.0.0.tgz.prov"]


async def test_a_chart_on_another_host_is_fetched_once_and_checked(server: Serving) -> None:
    async with upstream() as index, upstream() as files:
        good = {
            "version": "1.0.0",
            "urls": [f"{files.url}deep/file.tgz?key=1"],
            "digest": hashlib.sha256(WEB).hexdigest(),
        }
        bad = {**good, "version": "2.0.0"} | {"digest": "00" * 32}
        index.files["index.yaml"] = dump_yaml({"apiVersion": "v1", "entries": {"web": [bad, good]}})
        files.files["deep/file.tgz"] = WEB
        files.files["deep/file.tgz.prov"] = SIGNED
        await server.create("helm", "proxy", "proxy", proxy={"remoteUrl": index.url})

        for _ in range(2):
            assert (await server.get("proxy", "web-1.0.0.tgz")).content == WEB
            assert (await server.get("proxy", "charts/web-1.0.0.tgz.prov")).content == SIGNED

        assert files.seen == ["GET /deep/file.tgz?key=1", "GET /deep/file.tgz.prov?key=1"]
        assert index.seen == ["GET /index.yaml"]
        kept = json.loads((await server.get("proxy", "index.yaml")).content)["entries"]["web"]
        assert [each["urls"] for each in kept] == [["web-2.0.0.tgz"], ["web-1.0.0.tgz"]]
