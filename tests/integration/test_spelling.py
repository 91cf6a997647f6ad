"""Names are shown as their authors spell them, and found however they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.serving import ADMIN, Serving, serving
from tests.samples import sample

LOGIN = {"httpClient": {"authentication": {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        yield found


@pytest.mark.parametrize(("format", "name"), [("nuget", "Alpha.Lib"), ("cargo", "Beta")])
async def test_a_name_keeps_its_spelling_and_is_found_in_any(server: Serving, format: str, name: str) -> None:
    await server.create(format, "hosted", "hosted")
    await server.create(format, "proxy", "proxy", proxy={"remoteUrl": server.at("hosted")}, **LOGIN)
    releases = sample(format)
    for release in (releases.first, releases.other):
        for sent in release.publish:
            assert (await server.ask("hosted", sent)).is_success
        for path in release.files:
            assert (await server.get("proxy", path)).status_code == 200

    for repository in ("hosted", "proxy"):
        for written in (name, name.lower(), name.upper()):
            where = f"{server.url}/service/rest/v1/search?repository={repository}&name={written}"
            items = (await server.http.get(where, auth=ADMIN)).json()["items"]

            assert [item["name"] for item in items] == [name]
