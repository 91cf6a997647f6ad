"""Tags and staging: what a search finds is tagged, moved to another repository, removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, BOTH, Rest


async def filled(rest: Rest) -> None:
    await rest.hosted("staging")
    await rest.hosted("releases", policy="ALLOW_ONCE")
    for path in ("lib/1.txt", "lib/2.txt", "app/1.txt"):
        await rest.put("staging", path, path.encode())


async def names(admin: httpx2.AsyncClient, **parameters: str) -> list[str]:
    items = (await admin.get("search", params={"sort": "name", **parameters})).json()["items"]
    return [f"{each['repository']}/{each['name']}" for each in items]


@BOTH
async def test_tag_lives_its_life(admin: httpx2.AsyncClient) -> None:
    made = await admin.post("tags", json={"name": "build-7", "attributes": {"jvm": {"version": 21}}})
    shown = made.json()

    assert made.status_code == 200
    assert list(shown) == ["name", "attributes", "firstCreated", "lastUpdated"]
    assert (shown["name"], shown["attributes"]) == ("build-7", {"jvm": {"version": 21}})
    assert (await admin.get("tags/build-7")).json() == shown
    assert (await admin.get("tags")).json() == {"items": [shown], "continuationToken": None}
    assert (await admin.post("tags", json={"name": "build-7"})).status_code == 400
    assert (await admin.post("tags", json={"name": "_"})).status_code == 400
    changed = (await admin.put("tags/build-7", json={"attributes": {"a": 1}})).json()
    assert (changed["attributes"], changed["firstCreated"]) == ({"a": 1}, shown["firstCreated"])
    assert (await admin.delete("tags/build-7")).status_code == 204
    assert (await admin.get("tags/build-7")).status_code == 404


async def test_tags_are_listed_page_by_page(rest: Rest, admin: httpx2.AsyncClient) -> None:
    for number in range(101):
        await rest.application.services.tags.create(f"tag-{number:03}", {})

    first = (await admin.get("tags")).json()
    second = (await admin.get("tags", params={"continuationToken": first["continuationToken"]})).json()

    assert (len(first["items"]), len(second["items"]), second["continuationToken"]) == (100, 1, None)


@BOTH
async def test_what_a_search_finds_is_tagged_and_found_by_it(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    await admin.post("tags", json={"name": "build-7"})

    answer = await admin.post("tags/associate/build-7", params={"repository": "staging", "group": "/lib"})
    again = await admin.post("tags/associate/build-7", params={"repository": "staging", "name": "lib/1.txt"})

    data = [
        {"group": "/lib", "name": "lib/1.txt", "version": None},
        {"group": "/lib", "name": "lib/2.txt", "version": None},
    ]
    assert answer.json() == {
        "status": 200, "message": "Association successful", "data": {"components associated": data},
    }  # fmt: skip
    assert again.status_code == 200
    assert await names(admin, tag="build-7") == ["staging/lib/1.txt", "staging/lib/2.txt"]
    gone = await admin.delete("tags/associate/build-7", params={"name": "lib/1.txt"})
    assert gone.status_code == 200
    assert await names(admin, tag="build-7") == ["staging/lib/2.txt"]
    assert (await admin.post("tags/associate/none", params={"name": "lib/1.txt"})).status_code == 404
    assert (await admin.post("tags/associate/build-7", params={"name": "none"})).status_code == 404
    assert (await admin.post("tags/associate/build-7")).status_code == 400
    assert (await admin.delete("tags/build-7")).status_code == 204
    assert await names(admin, tag="build-7") == []


@BOTH
async def test_components_move_with_all_that_they_have(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    await admin.post("tags", json={"name": "good"})
    await admin.post("tags/associate/good", params={"group": "/lib"})

    answer = await admin.post("staging/move/releases", params={"repository": "staging", "tag": "good"})

    assert answer.status_code == 200
    assert answer.json()["data"]["destination"] == "releases"
    assert len(answer.json()["data"]["components moved"]) == 2
    assert (await admin.get(f"{BASE}/repository/releases/lib/1.txt")).content == b"lib/1.txt"
    assert (await admin.get(f"{BASE}/repository/staging/lib/1.txt")).status_code == 404
    assert (await admin.get(f"{BASE}/repository/staging/app/1.txt")).status_code == 200
    assert await names(admin) == ["staging/app/1.txt", "releases/lib/1.txt", "releases/lib/2.txt"]


async def test_metadata_follows_what_moves(rest: Rest, admin: httpx2.AsyncClient) -> None:
    maven = {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}
    for name in ("staging", "releases"):
        await rest.hosted(name, format="maven", maven=maven)
    for version in ("1.0", "1.1"):
        url = f"{BASE}/repository/staging/org/acme/lib/{version}/lib-{version}.jar"
        assert (await admin.put(url, content=version.encode())).status_code == 201
    metadata = "org/acme/lib/maven-metadata.xml"
    assert b"1.0" in (await admin.get(f"{BASE}/repository/staging/{metadata}")).content

    await admin.post("staging/move/releases", params={"repository": "staging", "version": "1.0"})

    here = (await admin.get(f"{BASE}/repository/staging/{metadata}")).content
    there = (await admin.get(f"{BASE}/repository/releases/{metadata}")).content
    assert (b"<version>1.0<" in here, b"<version>1.1<" in here) == (False, True)
    assert (b"<version>1.0<" in there, b"<version>1.1<" in there) == (True, False)


async def test_move_needs_both_rights_and_room(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    view = "nx-repository-view-raw-staging"
    reader = await rest.user("reader", "nx-search-read", f"{view}-browse", f"{view}-delete")

    refused = await reader.post("staging/move/releases", params={"name": "lib/1.txt"})
    await rest.put("releases", "lib/1.txt", b"other")
    taken = await admin.post("staging/move/releases", params={"repository": "staging", "name": "lib/1.txt"})
    missing = await admin.post("staging/move/none", params={"name": "lib/1.txt"})

    assert (refused.status_code, taken.status_code, missing.status_code) == (403, 400, 404)
    assert (await admin.get(f"{BASE}/repository/staging/lib/1.txt")).content == b"lib/1.txt"
    assert (await admin.get(f"{BASE}/repository/releases/lib/1.txt")).content == b"other"


async def test_move_between_formats_is_refused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    await rest.hosted("jars", format="maven", maven={"versionPolicy": "MIXED", "layoutPolicy": "STRICT"})

    answer = await admin.post("staging/move/jars", params={"name": "lib/1.txt"})

    assert answer.status_code == 400


async def test_what_a_search_finds_is_removed(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    view = "nx-repository-view-raw-staging"
    reader = await rest.user("reader", "nx-search-read", f"{view}-browse")

    assert (await reader.post("staging/delete", params={"group": "/lib"})).status_code == 403
    assert (await admin.post("staging/delete", params={"group": "/lib"})).status_code == 200
    assert await names(admin) == ["staging/app/1.txt"]


async def test_old_tags_are_cleaned_up(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("tags", json={"name": "old"})
    rest.ahead.by = timedelta(days=5)
    await admin.post("tags", json={"name": "new"})
    task: dict[str, Any] = {"type": "tags.cleanup", "name": "tags", "properties": {"firstCreatedDays": "3"}}
    id = (await admin.post("tasks", json=task)).json()["id"]

    await admin.post(f"tasks/{id}/run")
    await rest.application.services.tasks.settled()

    assert [each["name"] for each in (await admin.get("tags")).json()["items"]] == ["new"]


@pytest.mark.parametrize(
    ("parameters", "status"), [({"q": "li"}, 200), ({"q": "l"}, 400), ({"q": "li", "limit": "21"}, 400), ({}, 400)]
)
async def test_suggestions_need_two_characters(
    rest: Rest, admin: httpx2.AsyncClient, parameters: dict[str, str], status: int
) -> None:
    assert (await admin.get("search/suggest", params=parameters)).status_code == status


async def test_suggestions_have_nexus_members(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    found = (await admin.get("search/suggest", params={"q": "lib", "limit": "1", "format": "raw"})).json()

    assert [list(each) for each in found] == [["id", "format", "group", "name", "version", "repository"]]
    assert found[0]["name"] == "lib/1.txt"
    assert (await admin.get(f"components/{found[0]['id']}")).json()["name"] == "lib/1.txt"
    assert (await admin.get("search/suggest", params={"q": "lib", "format": "npm"})).json() == []


async def test_search_by_the_time_of_the_last_change(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    rest.ahead.by = timedelta(days=2)
    await rest.put("staging", "new.txt", b"x")
    since = (rest.ahead.now() - timedelta(days=1)).isoformat()

    assert await names(admin, lastBlobUpdated=since) == ["staging/new.txt"]
    assert (await admin.get("search", params={"lastBlobUpdated": "yesterday"})).status_code == 400
