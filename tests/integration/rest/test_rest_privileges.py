"""Privileges and roles through REST: what is shown, what is refused, and what they allow."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest

PATH = "security/privileges"
SHAPES: dict[str, dict[str, Any]] = {
    "application": {"domain": "users", "actions": ["READ", "EDIT", "ADD", "DELETE", "START", "STOP", "ASSOCIATE"]},
    "wildcard": {"pattern": "nexus:repository-view:*:*:read"},
    "repository-view": {"format": "raw", "repository": "files", "actions": ["BROWSE", "READ"]},
    "repository-admin": {"format": "*", "repository": "*", "actions": ["ALL"]},
    "repository-content-selector": {
        "format": "raw",
        "repository": "files",
        "actions": ["READ", "BROWSE"],
        "contentSelector": "public",
    },
    "script": {"scriptName": "*", "actions": ["RUN", "READ"]},
}
types = pytest.mark.parametrize("type", SHAPES)


@pytest.fixture
async def made(rest: Rest, admin: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """An administrator of a server with a repository and a selector."""
    await rest.hosted("files")
    selector = {"name": "public", "expression": 'path =^ "/public/"', "description": "for all"}
    assert (await admin.post("security/content-selectors", json=selector)).status_code == 204
    return admin


async def create(admin: httpx2.AsyncClient, type: str, name: str = "mine", **change: Any) -> httpx2.Response:
    return await admin.post(f"{PATH}/{type}", json={"name": name, "description": "d", **SHAPES[type], **change})


@types
async def test_privilege_is_made_shown_changed_and_removed(made: httpx2.AsyncClient, type: str) -> None:
    answer = await create(made, type)
    shown = await made.get(f"{PATH}/mine")

    assert (answer.status_code, answer.content) == (201, b"")
    assert shown.json() == {"type": type, "name": "mine", "description": "d", "readOnly": False, **SHAPES[type]}
    assert shown.json() in (await made.get(PATH)).json()

    changed = await made.put(f"{PATH}/{type}/mine", json={"name": "mine", "description": "new", **SHAPES[type]})
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await made.get(f"{PATH}/mine")).json()["description"] == "new"

    gone = await made.delete(f"{PATH}/mine")
    assert (gone.status_code, gone.content) == (204, b"")
    missing = await made.get(f"{PATH}/mine")
    assert (missing.status_code, missing.json()) == (404, "Privilege 'mine' not found.")


@types
async def test_privilege_is_not_made_twice_and_keeps_name_and_type(made: httpx2.AsyncClient, type: str) -> None:
    await create(made, type)

    again = await create(made, type)
    renamed = await made.put(f"{PATH}/{type}/other", json={"name": "mine", **SHAPES[type]})
    missing = await made.put(f"{PATH}/{type}/other", json={"name": "other", **SHAPES[type]})
    other = "wildcard" if type != "wildcard" else "script"
    retyped = await made.put(f"{PATH}/{other}/mine", json={"name": "mine", **SHAPES[other]})

    assert (again.status_code, again.json()) == (400, "Privilege 'mine' already exists, use a unique name.")
    assert (renamed.status_code, missing.status_code, retyped.status_code) == (409, 404, 400)


@pytest.mark.parametrize(
    ("type", "change", "field"),
    [
        ("application", {"actions": []}, "actions"),
        ("application", {"actions": ["FLY"]}, "actions.0"),
        ("application", {"domain": ""}, "domain"),
        ("application", {"domain": "users:read"}, "domain"),
        ("application", {"domain": "users,roles"}, "domain"),
        ("wildcard", {"pattern": ""}, "pattern"),
        ("wildcard", {"pattern": "nexus::read"}, "pattern"),
        ("repository-view", {"repository": "nowhere"}, "repository"),
        ("repository-view", {"repository": "*-npm"}, "repository"),
        ("repository-view", {"repository": "files:read"}, "repository"),
        ("repository-view", {"format": "tape"}, "format"),
        ("repository-view", {"format": "npm"}, "format"),
        ("repository-admin", {"repository": "nowhere"}, "repository"),
        ("repository-content-selector", {"contentSelector": "nowhere"}, "contentSelector"),
        ("repository-content-selector", {"repository": "nowhere"}, "repository"),
        ("script", {"scriptName": "a:b"}, "scriptName"),
        ("script", {"name": "_odd"}, "name"),
    ],
)
async def test_bad_privilege_is_refused(
    made: httpx2.AsyncClient, type: str, change: dict[str, Any], field: str
) -> None:
    answer = await create(made, type, **change)

    assert answer.status_code == 400
    assert [each["id"] for each in answer.json()] == [field]


async def test_actions_are_taken_in_any_case_and_in_their_order(made: httpx2.AsyncClient) -> None:
    await create(made, "repository-view", actions=["read", "Browse", "READ", "RUN"])
    await create(made, "application", "app", actions=["BROWSE", "edit", "RUN"])

    assert (await made.get(f"{PATH}/mine")).json()["actions"] == ["READ", "BROWSE"]
    assert (await made.get(f"{PATH}/app")).json()["actions"] == ["EDIT"]


@pytest.mark.parametrize(
    "expected",
    [
        {
            "type": "application",
            "name": "nx-wonderland-all",
            "description": "All permissions for Wonderland",
            "readOnly": True,
            "domain": "wonderland",
            "actions": ["ALL"],
        },
        {
            "type": "script",
            "name": "nx-script-*-add",
            "description": "Add permissions for Scripts",
            "readOnly": True,
            "scriptName": "*",
            "actions": ["ADD", "READ"],
        },
        {
            "type": "repository-view",
            "name": "nx-repository-view-npm-*-browse",
            "description": "Browse privilege for all 'npm'-format repository views",
            "readOnly": True,
            "format": "npm",
            "repository": "*",
            "actions": ["BROWSE"],
        },
        {
            "type": "wildcard",
            "name": "nx-all",
            "description": "All permissions",
            "readOnly": True,
            "pattern": "nexus:*",
        },
    ],
    ids=lambda expected: str(expected["name"]),
)
async def test_built_in_privilege_is_shown_and_stays(made: httpx2.AsyncClient, expected: dict[str, Any]) -> None:
    assert (await made.get(f"{PATH}/{expected['name']}")).json() == expected
    assert (await made.delete(f"{PATH}/{expected['name']}")).status_code == 400
    changed = await made.put(f"{PATH}/{expected['type']}/{expected['name']}", json=expected)
    assert changed.status_code == 400
    assert (await create(made, "wildcard", expected["name"])).status_code == 400
    assert (await create(made, "wildcard", "nx-repository-view-raw-later-read")).status_code == 400


async def test_list_is_sorted_and_names_each_once(made: httpx2.AsyncClient) -> None:
    names = [each["name"] for each in (await made.get(PATH)).json()]

    assert names == sorted(set(names))
    assert {"nx-all", "nx-users-create", "nx-search-read", "nx-repository-admin-*-*-*"} <= set(names)


async def test_privileges_come_and_go_with_their_repository(rest: Rest, made: httpx2.AsyncClient) -> None:
    own = "nx-repository-view-raw-files-read"
    expected = {f"nx-repository-{kind}-raw-files-{action}" for kind in ("view", "admin")
                for action in ("*", "browse", "read", "edit", "add", "delete")}  # fmt: skip
    role = {"id": "reader", "name": "reader", "privileges": [own, "nx-search-read"], "roles": []}
    assert (await made.post("security/roles", json=role)).status_code == 200
    assert expected == {each["name"] for each in (await made.get(PATH)).json() if "-raw-files-" in each["name"]}

    await made.delete("repositories/files")

    assert (await made.get(f"{PATH}/{own}")).status_code == 404
    assert (await made.get("security/roles/reader")).json()["privileges"] == ["nx-search-read"]
    refused = await made.post("security/roles", json={**role, "id": "other"})
    assert refused.json() == [{"id": "privileges", "message": f"Unable to locate privilegeId: {own}"}]


async def test_removed_privilege_leaves_its_roles(made: httpx2.AsyncClient) -> None:
    await create(made, "wildcard")
    await made.post("security/roles", json={"id": "r", "name": "r", "privileges": ["mine", "nx-search-read"]})

    await made.delete(f"{PATH}/mine")

    assert (await made.get("security/roles/r")).json()["privileges"] == ["nx-search-read"]


READS = [
    ("repository-view", {"format": "raw", "repository": "files", "actions": ["READ"]}, True),
    ("repository-view", {"format": "*", "repository": "files", "actions": ["ALL"]}, True),
    ("repository-view", {"format": "raw", "repository": "*", "actions": ["READ"]}, True),
    ("repository-view", {"format": "*", "repository": "*-raw", "actions": ["READ"]}, True),
    ("repository-view", {"format": "*", "repository": "*-npm", "actions": ["READ"]}, False),
    ("repository-view", {"format": "npm", "repository": "*", "actions": ["READ"]}, False),
    ("repository-view", {"format": "raw", "repository": "other", "actions": ["READ"]}, False),
    ("repository-view", {"format": "raw", "repository": "files", "actions": ["BROWSE", "EDIT", "ADD"]}, False),
    ("repository-admin", {"format": "raw", "repository": "files", "actions": ["ALL"]}, False),
    ("repository-content-selector",
     {"format": "raw", "repository": "files", "actions": ["READ"], "contentSelector": "public"}, True),
    ("repository-content-selector",
     {"format": "*", "repository": "*-raw", "actions": ["READ"], "contentSelector": "public"}, True),
    ("repository-content-selector",
     {"format": "raw", "repository": "files", "actions": ["READ"], "contentSelector": "secret"}, False),
    ("wildcard", {"pattern": "nexus:*"}, True),
    ("wildcard", {"pattern": "*"}, True),
    ("wildcard", {"pattern": "nexus:repository-view:raw:files:read, browse"}, True),
    ("wildcard", {"pattern": "nexus:repository-view:raw:other:*"}, False),
    ("wildcard", {"pattern": "repository-view:*"}, False),
    ("script", {"scriptName": "*", "actions": ["ALL"]}, False),
    ("application", {"domain": "repository-view", "actions": ["ALL"]}, True),
    ("application", {"domain": "*", "actions": ["RUN"]}, False),
]  # fmt: skip


@pytest.mark.parametrize(("type", "body", "allowed"), READS)
async def test_privilege_allows_what_it_says(
    rest: Rest, made: httpx2.AsyncClient, type: str, body: dict[str, Any], allowed: bool
) -> None:
    await rest.hosted("other")
    await rest.put("files", "public/a.txt", b"a")
    await made.post("security/content-selectors", json={"name": "secret", "expression": 'path =^ "/secret/"'})
    assert (await made.post(f"{PATH}/{type}", json={"name": "mine", **body})).status_code == 201

    async with await rest.user("ann", "mine") as ann:
        answer = await ann.get(f"{BASE}/repository/files/public/a.txt")

    assert answer.status_code == (200 if allowed else 403)


async def test_application_actions_are_the_servers_own(rest: Rest, made: httpx2.AsyncClient) -> None:
    await create(made, "application", actions=["READ", "ADD"], domain="roles")
    role = {"id": "new", "name": "new", "privileges": [], "roles": []}

    async with await rest.user("ann", "mine") as ann:
        assert (await ann.get("security/roles")).status_code == 200
        assert (await ann.post("security/roles", json=role)).status_code == 200
        assert (await ann.delete("security/roles/new")).status_code == 403
        assert (await ann.put("security/roles/new", json=role)).status_code == 403
        assert (await ann.get("security/users")).status_code == 403


@BOTH
async def test_changed_right_counts_at_once(rest: Rest, made: httpx2.AsyncClient) -> None:
    await rest.put("files", "public/a.txt", b"a")
    await rest.put("files", "secret/a.txt", b"a")
    await create(made, "repository-content-selector")

    async with await rest.user("ann", "mine") as ann:

        async def statuses() -> list[int]:
            paths = ("public/a.txt", "secret/a.txt")
            return [(await ann.get(f"{BASE}/repository/files/{path}")).status_code for path in paths]

        assert await statuses() == [200, 403]
        await made.put("security/content-selectors/public", json={"expression": 'path =^ "/secret/"'})
        assert await statuses() == [403, 200]
        browsing = {"name": "mine", **SHAPES["repository-content-selector"], "actions": ["BROWSE"]}
        await made.put(f"{PATH}/repository-content-selector/mine", json=browsing)
        assert await statuses() == [403, 403]
        await create(made, "repository-view", "whole")
        role = {"id": "ann-role", "name": "ann-role", "privileges": ["whole"], "roles": []}
        await made.put("security/roles/ann-role", json=role)
        assert await statuses() == [200, 200]
        await made.delete(f"{PATH}/whole")
        assert await statuses() == [403, 403]


async def test_roles_nest_and_never_in_circles(rest: Rest, made: httpx2.AsyncClient) -> None:
    inner = {"id": "inner", "name": "inner", "privileges": ["nx-roles-read"], "roles": []}
    for number, inside in ((1, "inner"), (2, "outer1"), (3, "outer2")):
        await made.post("security/roles", json=inner)
        body = {"id": f"outer{number}", "name": "outer", "privileges": [], "roles": [inside]}
        assert (await made.post("security/roles", json=body)).status_code == 200

    circle = await made.put("security/roles/inner", json={**inner, "roles": ["outer3"]})
    itself = await made.put("security/roles/inner", json={**inner, "roles": ["inner"]})

    assert (circle.status_code, itself.status_code) == (400, 400)
    async with await rest.user("ann") as ann:
        assert (await ann.get("security/roles")).status_code == 403
        role = {"id": "ann-role", "name": "ann-role", "privileges": [], "roles": ["outer3"]}
        assert (await made.put("security/roles/ann-role", json=role)).status_code == 204
        assert (await ann.get("security/roles")).status_code == 200
        await made.delete("security/roles/outer1")
        assert (await ann.get("security/roles")).status_code == 403


async def test_role_is_complete_and_its_errors_are_nexus_ones(made: httpx2.AsyncClient) -> None:
    role = {"id": "r", "name": "R", "description": "x", "privileges": ["nx-search-read"], "roles": ["nx-anonymous"]}
    shown = {**role, "source": "default", "readOnly": False}

    assert (await made.post("security/roles", json=role)).json() == shown
    assert (await made.get("security/roles/r", params={"source": "default"})).json() == shown
    again = await made.post("security/roles", json=role)
    assert (again.status_code, again.json()) == (400, "Role 'r' already exists, use a unique roleId.")
    bad_role = await made.post("security/roles", json={**role, "id": "s", "roles": ["none"]})
    assert (bad_role.status_code, bad_role.json()) == (
        400,
        [{"id": "roles", "message": "Unable to locate roleId: none"}],
    )
    for builtin in ("nx-admin", "nx-anonymous"):
        found = (await made.get(f"security/roles/{builtin}")).json()
        assert found["readOnly"] is True
        assert (await made.put(f"security/roles/{builtin}", json=found)).status_code == 400
        assert (await made.delete(f"security/roles/{builtin}")).status_code == 400
    assert (await made.put("security/roles/q", json=role)).status_code == 409
    assert (await made.put("security/roles/q", json={**role, "id": "q"})).status_code == 404
    assert (await made.delete("security/roles/q")).json() == "Role 'q' not found."


async def test_only_who_may_sees_and_changes_privileges(rest: Rest, made: httpx2.AsyncClient) -> None:
    async with await rest.user("ann", "nx-privileges-read") as ann:
        assert (await ann.get(PATH)).status_code == 200
        assert (await create(ann, "wildcard")).status_code == 403
        assert (await ann.delete(f"{PATH}/nx-all")).status_code == 403
    async with rest.caller() as stranger:
        assert (await stranger.get(PATH)).status_code == 401
    async with rest.caller(*ADMIN) as admin:
        assert (await admin.get(PATH)).status_code == 200


async def test_administrator_of_a_repository_administers_that_one(rest: Rest, made: httpx2.AsyncClient) -> None:
    await made.post(f"{PATH}/wildcard", json={"name": "team", "pattern": "nexus:repository-admin:raw:team-a:*"})
    storage = {"blobStoreName": "default", "strictContentTypeValidation": False, "writePolicy": "ALLOW"}

    async with await rest.user("ann", "team") as ann:

        async def create_repository(name: str, format: str = "raw") -> int:
            return (
                await ann.post(f"repositories/{format}/hosted", json={"name": name, "storage": storage})
            ).status_code

        assert await create_repository("team-b") == 403
        assert await create_repository("team-a", "npm") == 403
        assert await create_repository("team-a") == 201
        assert [each["name"] for each in (await ann.get("repositories")).json()] == ["team-a"]
        assert [each["name"] for each in (await ann.get("repositorySettings")).json()] == ["team-a"]
        for name, status in (("team-a", 200), ("files", 403)):
            assert (await ann.get(f"repositories/{name}")).status_code == status
            found = await ann.get(f"repositories/raw/hosted/{name}")
            assert found.status_code == status
            body = {"name": name, "storage": storage}
            changed = await ann.put(f"repositories/raw/hosted/{name}", json=body)
            assert changed.status_code == (204 if status == 200 else 403)
            assert (await ann.delete(f"repositories/{name}")).status_code == (204 if status == 200 else 403)
        assert (await made.get("repositories/files")).status_code == 200


@pytest.mark.parametrize(
    ("action", "allowed"), [("browse", "list"), ("read", "get"), ("edit", "put"), ("delete", "del")]
)
async def test_actions_on_a_repository_are_apart(
    rest: Rest, made: httpx2.AsyncClient, action: str, allowed: str
) -> None:
    storage = {"blobStoreName": "default", "strictContentTypeValidation": False, "writePolicy": "ALLOW"}

    async with await rest.user("ann", f"nx-repository-admin-raw-files-{action}") as ann:
        done = {
            "list": bool((await ann.get("repositories")).json()),
            "get": (await ann.get("repositories/raw/hosted/files")).status_code == 200,
            "put": (
                await ann.put("repositories/raw/hosted/files", json={"name": "files", "storage": storage})
            ).status_code
            == 204,
            "del": (await ann.delete("repositories/files")).status_code == 204,
        }

    assert done == {name: name == allowed for name in done}
