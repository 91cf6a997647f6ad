"""Repositories through REST: what is made is what is read, in Nexus's shapes and codes."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import ADMIN, BASE, STORAGE, Rest

PROXY: dict[str, Any] = {
    "name": "mirror",
    "online": True,
    "storage": STORAGE,
    "proxy": {"remoteUrl": "https://upstream.invalid/files", "contentMaxAge": -1, "metadataMaxAge": 10},
    "negativeCache": {"enabled": True, "timeToLive": 5},
    "httpClient": {"blocked": False, "autoBlock": True},
}


async def test_hosted_repository_reads_as_it_was_made(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files", policy="allow_once")

    answer = await admin.get("repositories/raw/hosted/files")

    assert answer.status_code == 200
    assert answer.json() == {
        "name": "files",
        "url": f"{BASE}/repository/files",
        "online": True,
        "storage": {**STORAGE, "writePolicy": "allow_once"},
        "cleanup": None,
        "raw": {"contentDisposition": "ATTACHMENT"},
        "component": None,
        "format": "raw",
        "type": "hosted",
    }


async def test_proxy_shows_every_member_and_no_secret(rest: Rest, admin: httpx2.AsyncClient) -> None:
    rule = {"name": "no-tmp", "description": "", "mode": "BLOCK", "matchers": ["^/tmp/.*"]}
    assert (await admin.post("routing-rules", json=rule)).status_code == 204
    login = {"type": "username", "username": "me", "password": "hidden-word"}
    client = {**PROXY["httpClient"], "connection": {"timeout": 30}, "authentication": login}
    body = {**PROXY, "httpClient": client, "routingRule": "no-tmp"}
    assert (await admin.post("repositories/raw/proxy", json=body)).status_code == 201

    answer = await admin.get("repositories/raw/proxy/mirror")

    assert "hidden-word" not in answer.text
    assert answer.json() == {
        "name": "mirror",
        "url": f"{BASE}/repository/mirror",
        "online": True,
        "storage": STORAGE,
        "cleanup": None,
        "proxy": PROXY["proxy"],
        "negativeCache": PROXY["negativeCache"],
        "httpClient": {
            "blocked": False,
            "autoBlock": True,
            "connection": {
                "retries": None,
                "userAgentSuffix": None,
                "timeout": 30,
                "enableCircularRedirects": False,
                "enableCookies": False,
                "useTrustStore": False,
            },
            "authentication": {"type": "username", "username": "me", "ntlmHost": None, "ntlmDomain": None},
        },
        "routingRuleName": "no-tmp",
        "replication": None,
        "raw": {"contentDisposition": "ATTACHMENT"},
        "format": "raw",
        "type": "proxy",
    }


async def test_proxy_sent_back_as_it_was_read_keeps_its_password(rest: Rest, admin: httpx2.AsyncClient) -> None:
    login = {"type": "username", "username": "me", "password": "hidden-word"}
    body = {**PROXY, "httpClient": {**PROXY["httpClient"], "authentication": login}}
    await admin.post("repositories/raw/proxy", json=body)
    read = (await admin.get("repositories/raw/proxy/mirror")).json()

    assert (await admin.put("repositories/raw/proxy/mirror", json=read)).status_code == 204

    remote = rest.application.services.catalog.get("mirror").remote
    assert remote is not None and remote.authentication is not None
    assert remote.authentication.password == "hidden-word"


async def test_kept_password_does_not_follow_to_another_server(rest: Rest, admin: httpx2.AsyncClient) -> None:
    login = {"type": "username", "username": "me", "password": "hidden-word"}
    body = {**PROXY, "httpClient": {**PROXY["httpClient"], "authentication": login}}
    await admin.post("repositories/raw/proxy", json=body)
    read = (await admin.get("repositories/raw/proxy/mirror")).json()
    read["proxy"]["remoteUrl"] = "https://elsewhere.invalid/files"

    assert (await admin.put("repositories/raw/proxy/mirror", json=read)).status_code == 204

    remote = rest.application.services.catalog.get("mirror").remote
    assert remote is not None and remote.authentication is not None
    assert remote.authentication.password == ""


async def test_group_keeps_the_order_of_its_members(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("b")
    await rest.hosted("a")
    await rest.group("all", ["b", "a"])

    answer = await admin.get("repositories/raw/group/all")

    assert answer.json() == {
        "name": "all",
        "url": f"{BASE}/repository/all",
        "online": True,
        "storage": STORAGE,
        "group": {"memberNames": ["b", "a"]},
        "raw": {"contentDisposition": "ATTACHMENT"},
        "format": "raw",
        "type": "group",
    }


async def test_list_shows_what_the_caller_may_browse(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.proxy("mirror")
    reader = await rest.user("reader", "nx-repository-view-raw-files-browse")

    everything = (await admin.get("repositories")).json()
    seen = (await reader.get("repositories")).json()

    files = {"name": "files", "format": "raw", "type": "hosted", "url": f"{BASE}/repository/files", "attributes": {}}
    assert seen == [files]
    assert [each["name"] for each in everything] == ["files", "mirror"]
    assert everything[1]["attributes"] == {"proxy": {"remoteUrl": "https://upstream.invalid/files"}}
    assert (await reader.get("repositories/files")).json() == files
    assert (await reader.get("repositories/mirror")).status_code == 403
    assert (await reader.get("repositories/none")).status_code == 404


async def test_change_is_kept_and_renaming_is_refused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    body = (await admin.get("repositories/raw/hosted/files")).json()

    changed = await admin.put("repositories/raw/hosted/files", json={**body, "online": False})
    renamed = await admin.put("repositories/raw/hosted/files", json={**body, "name": "other"})
    missing = await admin.put("repositories/raw/hosted/none", json={**body, "name": "none"})
    moved = await admin.put(
        "repositories/raw/hosted/files", json={**body, "storage": {**body["storage"], "blobStoreName": "second"}}
    )

    assert (changed.status_code, changed.content) == (204, b"")
    assert (await admin.get("repositories/raw/hosted/files")).json()["online"] is False
    assert (renamed.status_code, renamed.json()) == (400, "Renaming a repository is not supported")
    assert (missing.status_code, missing.content) == (404, b"")
    assert (moved.status_code, moved.json()) == (400, "Blob store not found")


async def test_other_format_or_type_is_not_found(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")

    answer = await admin.get("repositories/raw/proxy/files")

    assert (answer.status_code, answer.json()) == (404, "Repository not found")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "_x"}, [{"id": "name", "message": "Only letters, digits, underscores(_), hyphens(-), and dots(.) "
          "are allowed and may not start with underscore or dot."}]),
        ({"name": "FILES"}, [{"id": "name", "message": "Name is already used, must be unique (ignoring case)"}]),
        ({"name": "new", "storage": {"blobStoreName": "none"}}, "Blob store not found"),
    ],
)  # fmt: skip
async def test_bad_hosted_is_refused(
    rest: Rest, admin: httpx2.AsyncClient, body: dict[str, Any], expected: object
) -> None:
    await rest.hosted("files")

    answer = await admin.post("repositories/raw/hosted", json={"online": True, "storage": STORAGE, **body})

    assert (answer.status_code, answer.json()) == (400, expected)


async def test_bad_group_is_refused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.group("all", ["files"])

    async def made(members: list[str], name: str = "more") -> Any:
        body = {"name": name, "online": True, "storage": STORAGE, "group": {"memberNames": members}}
        if name == "all":
            return (await admin.put("repositories/raw/group/all", json=body)).json()
        return (await admin.post("repositories/raw/group", json=body)).json()

    assert await made(["none"]) == [{"id": "memberNames", "message": "Member repository does not exist: none"}]
    assert (await made([]))[0]["id"] == "group.memberNames"
    assert await made(["all"], "all") == [
        {
            "id": "group.memberNames",
            "message": "Group 'all' has a member repository 'all' and cannot be added to this list.",
        }
    ]


async def test_bad_bodies_are_told_apart(admin: httpx2.AsyncClient) -> None:
    empty = await admin.post("repositories/raw/hosted")
    broken = await admin.post("repositories/raw/hosted", content=b'{"name":')

    assert empty.status_code == 400 and isinstance(empty.json(), list)
    assert broken.status_code == 400 and broken.json()["id"] == "*"
    assert broken.json()["message"].startswith("Could not process the input: ")
    assert broken.headers["x-siesta-faultid"]


async def test_deleted_repository_leaves_its_groups(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("a")
    await rest.hosted("b")
    await rest.group("all", ["a", "b"])

    gone = await admin.delete("repositories/a")

    assert (gone.status_code, gone.content) == (204, b"")
    assert (await admin.get("repositories/raw/group/all")).json()["group"]["memberNames"] == ["b"]
    assert (await admin.delete("repositories/a")).status_code == 404


async def test_index_and_cache_are_refused_where_there_is_none(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.proxy("mirror")
    await rest.group("all", ["files", "mirror"])

    async def asked(name: str, what: str) -> tuple[int, object]:
        answer = await admin.post(f"repositories/{name}/{what}")
        return answer.status_code, answer.json() if answer.content else None

    assert await asked("files", "rebuild-index") == (204, None)
    assert await asked("all", "rebuild-index") == (
        400, "You can rebuild search index of hosted or proxy repository only",
    )  # fmt: skip
    assert await asked("mirror", "invalidate-cache") == (204, None)
    assert await asked("all", "invalidate-cache") == (204, None)
    assert await asked("files", "invalidate-cache") == (
        400, "You can invalidate cache of proxy or group repository only",
    )  # fmt: skip
    assert await asked("none", "rebuild-index") == (404, None)


async def test_all_settings_are_listed_at_once(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")

    listed = (await admin.get("repositorySettings")).json()

    assert listed == [(await admin.get("repositories/raw/hosted/files")).json()]


async def test_old_clients_find_the_api_as_beta(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")

    answer = await admin.get(f"{BASE}/service/rest/beta/repositories", auth=ADMIN)

    assert [each["name"] for each in answer.json()] == ["files"]


async def test_administrator_of_one_repository_touches_no_other(rest: Rest) -> None:
    await rest.hosted("mine")
    await rest.hosted("other")
    keeper = await rest.user("keeper", "nx-repository-admin-raw-mine-*")

    assert (await keeper.get("repositories/raw/hosted/mine")).status_code == 200
    assert (await keeper.get("repositories/raw/hosted/other")).status_code == 403
    assert (await keeper.delete("repositories/other")).status_code == 403
    assert (await keeper.delete("repositories/mine")).status_code == 204
