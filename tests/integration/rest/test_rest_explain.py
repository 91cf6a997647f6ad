"""Explanations: they say what requests are answered, and what they propose changes the answer."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, BOTH, Rest

EXPLAIN = f"{BASE}/api/v1/explain"
METHODS = {"read": "GET", "add": "PUT", "edit": "PUT", "delete": "DELETE"}
PATHS = {"read": "public/a.txt", "add": "public/new.txt", "edit": "public/a.txt", "delete": "public/a.txt"}
VIEW = "nx-repository-view-raw"


@pytest.fixture
async def world(rest: Rest, admin: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """`files` in `group` in `nested`, `writable` that writes to `files`, a proxy, a write-once repository."""
    for name, policy in (("files", "ALLOW"), ("other", "ALLOW"), ("once", "ALLOW_ONCE"), ("frozen", "DENY")):
        await rest.hosted(name, policy="ALLOW")
        await rest.put(name, "public/a.txt", b"a")
        await put_settings(admin, name, writePolicy=policy)
    await rest.proxy("mirror")
    await rest.group("group", ["other", "files"])
    await rest.group("nested", ["group"])
    body = {"memberNames": ["files"], "writableMember": "files"}
    storage = {"blobStoreName": "default", "strictContentTypeValidation": False}
    await admin.post("repositories/raw/group", json={"name": "writable", "storage": storage, "group": body})
    await admin.post("security/content-selectors", json={"name": "public", "expression": 'path =^ "/public/"'})
    await admin.post("security/content-selectors", json={"name": "secret", "expression": 'path =^ "/secret/"'})
    for selector in ("public", "secret"):
        what = {"format": "raw", "repository": "files", "actions": ["ALL"], "contentSelector": selector}
        made = await admin.post("security/privileges/repository-content-selector", json={"name": selector, **what})
        assert made.status_code == 201
    return admin


async def put_settings(admin: httpx2.AsyncClient, name: str, **storage: Any) -> None:
    found = (await admin.get(f"repositories/raw/hosted/{name}")).json()
    online = storage.pop("online", found["online"])
    body = {**found, "online": online, "storage": {**found["storage"], **storage}}
    assert (await admin.put(f"repositories/raw/hosted/{name}", json=body)).status_code == 204


async def explained(admin: httpx2.AsyncClient, user: str, action: str, repository: str, path: str) -> dict[str, Any]:
    asked = {"user": user, "action": action, "repository": repository, "path": path}
    answer = await admin.get(EXPLAIN, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def done(client: httpx2.AsyncClient, action: str, repository: str, path: str) -> bool:
    answer = await client.request(METHODS[action], f"{BASE}/repository/{repository}/{path}",
                                  content=b"new" if METHODS[action] == "PUT" else None)  # fmt: skip
    assert answer.status_code in (200, 201, 204, 400, 401, 403, 404, 405, 503), answer.text
    return answer.status_code < 300


async def make(admin: httpx2.AsyncClient, change: dict[str, Any], user: str) -> None:
    """Do what an explanation proposes."""
    about = change["about"]
    match change["kind"]:
        case "privilege":
            role = (await admin.get(f"security/roles/{about['role']}")).json()
            body = {**role, "privileges": [*role["privileges"], about["privilege"]]}
            assert (await admin.put(f"security/roles/{about['role']}", json=body)).status_code == 204
        case "role":
            body = {"id": "granted", "name": "granted", "privileges": [about["privilege"]], "roles": []}
            known = await admin.get("security/roles/granted")
            if known.status_code == 200:
                body["privileges"] = [*known.json()["privileges"], about["privilege"]]
                assert (await admin.put("security/roles/granted", json=body)).status_code == 204
            else:
                assert (await admin.post("security/roles", json=body)).status_code == 200
            await update_user(admin, user, roles=["granted"])
        case "content-selector":
            url = f"security/content-selectors/{about['contentSelector']}"
            found = (await admin.get(url)).json()
            wider = f'({found["expression"]}) or path == "{about["path"]}"'
            assert (await admin.put(url, json={"expression": wider})).status_code == 204
        case "account":
            await update_user(admin, user, status="active")
        case "anonymous":
            body = {"enabled": True, "userId": "anonymous", "realmName": "NexusAuthorizingRealm"}
            assert (await admin.put("security/anonymous", json=body)).status_code == 200
        case "online":
            await put_settings(admin, about["repository"], online=True)
        case "write-policy":
            await put_settings(admin, about["repository"], writePolicy="ALLOW")
        case "routing-rule":
            rule = {"name": about["routingRule"], "description": "", "mode": "BLOCK", "matchers": ["/never"]}
            assert (await admin.put(f"routing-rules/{about['routingRule']}", json=rule)).status_code == 204
        case kind:
            pytest.fail(f"{kind} cannot be done")


async def update_user(admin: httpx2.AsyncClient, user: str, *, roles: Any = (), **change: Any) -> None:
    found = (await admin.get("security/users", params={"userId": user})).json()[0]
    body = {**found, **change, "roles": [*found["roles"], *roles]}
    assert (await admin.put(f"security/users/{user}", json=body)).status_code == 204


CASES = [
    (["nx-all"], "read", "files"),
    (["nx-search-read"], "read", "files"),
    ([f"{VIEW}-files-read"], "read", "files"),
    ([f"{VIEW}-files-read"], "add", "files"),
    ([f"{VIEW}-files-add"], "add", "files"),
    ([f"{VIEW}-files-add"], "edit", "files"),
    ([f"{VIEW}-files-edit"], "edit", "files"),
    ([f"{VIEW}-files-edit"], "delete", "files"),
    ([f"{VIEW}-files-delete"], "delete", "files"),
    ([f"{VIEW}-other-*"], "read", "files"),
    (["public"], "read", "files"),
    (["public"], "add", "files"),
    (["secret"], "read", "files"),
    (["secret"], "add", "files"),
    ([f"{VIEW}-group-read"], "read", "group"),
    ([f"{VIEW}-files-read"], "read", "group"),
    ([f"{VIEW}-group-read", f"{VIEW}-files-read"], "read", "group"),
    ([f"{VIEW}-group-read", "secret"], "read", "group"),
    ([f"{VIEW}-nested-read", f"{VIEW}-files-read"], "read", "nested"),
    ([f"{VIEW}-nested-read", f"{VIEW}-group-read"], "read", "nested"),
    (["nx-search-read"], "read", "nested"),
    (["nx-all"], "add", "group"),
    (["nx-all"], "add", "mirror"),
    (["nx-all"], "add", "writable"),
    ([f"{VIEW}-writable-edit", f"{VIEW}-files-add"], "add", "writable"),
    ([f"{VIEW}-writable-add"], "add", "writable"),
    ([f"{VIEW}-files-add"], "add", "writable"),
    (["nx-all"], "edit", "once"),
    (["nx-all"], "add", "once"),
    (["nx-search-read"], "edit", "once"),
    (["nx-all"], "add", "frozen"),
    (["nx-all"], "delete", "frozen"),
]


@pytest.mark.parametrize(("privileges", "action", "repository"), CASES)
async def test_explanation_is_what_a_request_meets_and_its_changes_flip_it(
    rest: Rest, world: httpx2.AsyncClient, privileges: list[str], action: str, repository: str
) -> None:
    path = PATHS[action]
    async with await rest.user("ann", *privileges) as ann:
        said = await explained(world, "ann", action, repository, path)

        assert await done(ann, action, repository, path) is said["allowed"]
        assert (said["changes"] == []) is (said["allowed"] or (repository in ("group", "mirror") and action == "add"))
        if not said["changes"]:
            return
        for change in said["changes"]:
            await make(world, change, "ann")
        assert (await explained(world, "ann", action, repository, path))["allowed"]
        assert await done(ann, action, repository, path)


async def test_no_smaller_change_would_do(rest: Rest, world: httpx2.AsyncClient) -> None:
    async with await rest.user("ann", "nx-search-read") as ann:
        said = await explained(world, "ann", "read", "nested", "public/a.txt")
        assert len(said["changes"]) == 3
        for change in said["changes"]:
            assert not await done(ann, "read", "nested", "public/a.txt")
            await make(world, change, "ann")
        assert await done(ann, "read", "nested", "public/a.txt")


async def test_accounts_that_cannot_log_in_are_explained(rest: Rest, world: httpx2.AsyncClient) -> None:
    async with await rest.user("ann", f"{VIEW}-files-read") as ann:
        await update_user(world, "ann", status="disabled")
        said = await explained(world, "ann", "read", "files", "public/a.txt")
        assert not said["allowed"]
        assert said["steps"][0]["reason"] == "user 'ann' is disabled"
        assert [each["kind"] for each in said["changes"]] == ["account"]
        await make(world, said["changes"][0], "ann")
        assert await done(ann, "read", "files", "public/a.txt")

    async with rest.caller() as stranger:
        said = await explained(world, "", "read", "files", "public/a.txt")
        assert not said["allowed"]
        assert [each["kind"] for each in said["changes"]] == ["anonymous"]
        assert not await done(stranger, "read", "files", "public/a.txt")
        await make(world, said["changes"][0], "anonymous")
        assert await done(stranger, "read", "files", "public/a.txt")


async def test_offline_repositories_and_routing_rules_are_explained(rest: Rest, world: httpx2.AsyncClient) -> None:
    rule = {"name": "closed", "description": "", "mode": "BLOCK", "matchers": ["/public/.*"]}
    assert (await world.post("routing-rules", json=rule)).status_code == 204
    found = (await world.get("repositories/raw/hosted/files")).json()
    await world.put("repositories/raw/hosted/files", json={**found, "online": False, "routingRule": "closed"})

    async with await rest.user("ann", f"{VIEW}-files-read") as ann:
        said = await explained(world, "ann", "read", "files", "public/a.txt")
        assert [each["kind"] for each in said["changes"]] == ["online", "routing-rule"]
        assert not await done(ann, "read", "files", "public/a.txt")
        await world.put("repositories/raw/hosted/files", json={**found, "online": True, "routingRule": "closed"})
        assert not await done(ann, "read", "files", "public/a.txt")
        await make(world, said["changes"][1], "ann")
        assert await done(ann, "read", "files", "public/a.txt")


@BOTH
async def test_explanation_names_the_privileges_that_were_asked(rest: Rest, world: httpx2.AsyncClient) -> None:
    async with await rest.user("ann", "secret", f"{VIEW}-other-*"):
        said = await explained(world, "ann", "read", "files", "/public/a.txt")

    permission = next(each for each in said["steps"] if each["rule"] == "permission")
    assert permission["details"] == [
        {
            "rule": "privilege secret",
            "allowed": False,
            "reason": "would allow it, but its content selector 'secret' does not select this path",
        }
    ]
    assert said["changes"] == [
        {
            "kind": "content-selector",
            "text": "let content selector 'secret' (of privilege 'secret') select /public/a.txt",
            "about": {"contentSelector": "secret", "path": "/public/a.txt"},
        }
    ]


async def test_bad_questions_are_refused(rest: Rest, world: httpx2.AsyncClient) -> None:
    good = {"user": "admin", "action": "read", "repository": "files", "path": "a"}

    async def status(client: httpx2.AsyncClient, **change: str) -> int:
        return (await client.get(EXPLAIN, params={**good, **change})).status_code

    assert await status(world) == 200
    assert await status(world, user="nobody") == 404
    assert await status(world, repository="nowhere") == 404
    assert await status(world, action="fly") == 400
    trick = await explained(world, "admin", "read", "files", "a/../b")
    assert not trick["allowed"]
    async with await rest.user("ann", "nx-users-read") as ann, rest.caller() as stranger:
        assert (await status(ann), await status(stranger)) == (403, 401)


async def test_explaining_does_not_tell_what_is_there_to_who_may_not_browse(
    rest: Rest, world: httpx2.AsyncClient
) -> None:
    async with await rest.user("ann", "nx-privileges-read") as ann:
        asked = {"user": "admin", "action": "edit", "repository": "once"}
        there = (await ann.get(EXPLAIN, params={**asked, "path": "public/a.txt"})).json()
        missing = (await ann.get(EXPLAIN, params={**asked, "path": "public/b.txt"})).json()

    assert [step["allowed"] for step in there["steps"]] == [step["allowed"] for step in missing["steps"]]
