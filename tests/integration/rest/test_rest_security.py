"""Users, roles, passwords, anonymous access and tokens through REST."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.services.bootstrap import PASSWORD_FILE, keep_password
from tests.integration.rest.conftest import ADMIN, BASE, Rest

JANE: dict[str, Any] = {
    "userId": "jane",
    "firstName": "Jane",
    "lastName": "Doe",
    "emailAddress": "jane@example.org",
    "status": "active",
    "roles": ["nx-admin"],
    "password": "janes-own-password",
}
SHOWN = {name: value for name, value in JANE.items() if name != "password"} | {
    "source": "default",
    "readOnly": False,
    "externalRoles": [],
}
NATIVE = f"{BASE}/api/v1"


async def test_user_is_shown_in_full_but_for_the_password(admin: httpx2.AsyncClient) -> None:
    made = await admin.post("security/users", json=JANE)
    listed = await admin.get("security/users", params={"userId": "ja"})

    assert (made.status_code, made.json()) == (200, SHOWN)
    assert list(made.json()) == [
        "userId", "firstName", "lastName", "emailAddress", "source", "status", "readOnly", "roles", "externalRoles",
    ]  # fmt: skip
    assert listed.json() == [SHOWN]
    assert [each["userId"] for each in (await admin.get("security/users")).json()] == ["admin", "anonymous", "jane"]
    assert (await admin.get("security/users", params={"source": "none"})).status_code == 404
    sources = [{"id": "default", "name": "Local"}, {"id": "LDAP", "name": "LDAP"}]
    assert (await admin.get("security/user-sources")).json() == sources


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"password": " "}, "A non-empty password is required."),
        ({"roles": ["none"]}, [{"id": "roles", "message": "Unable to locate roleId: none"}]),
        ({"userId": "admin"}, "User admin already exists."),
        ({"password": "x" * 1025}, [{"id": "password", "message": "Password must have at most 1024 characters"}]),
        ({"password": "short"}, [{"id": "password", "message": "Password must have at least 8 characters"}]),
    ],
)
async def test_bad_user_is_refused(admin: httpx2.AsyncClient, change: dict[str, Any], expected: object) -> None:
    answer = await admin.post("security/users", json={**JANE, **change})

    assert (answer.status_code, answer.json()) == (400, expected)


@pytest.mark.parametrize("missing", ["userId", "firstName", "lastName", "emailAddress", "password", "status", "roles"])
async def test_user_without_a_required_member_is_refused(admin: httpx2.AsyncClient, missing: str) -> None:
    answer = await admin.post("security/users", json={name: value for name, value in JANE.items() if name != missing})

    assert answer.status_code == 400
    assert [each["id"] for each in answer.json()] == [missing]


async def test_user_changes_and_keeps_the_password(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)

    changed = await admin.put("security/users/jane", json={**SHOWN, "firstName": "Janet"})
    other = await admin.put("security/users/john", json=SHOWN)
    missing = await admin.put("security/users/john", json={**SHOWN, "userId": "john"})
    bad_role = await admin.put("security/users/jane", json={**SHOWN, "roles": ["none"]})

    assert (changed.status_code, changed.content) == (204, b"")
    assert other.status_code == 400
    assert (missing.status_code, missing.json()) == (404, "User 'john' not found.")
    assert bad_role.json() == [{"id": "roles", "message": "Unable to locate roleId: none"}]
    async with rest.caller("jane", JANE["password"]) as jane:
        assert (await jane.get("security/users", params={"userId": "jane"})).json()[0]["firstName"] == "Janet"


async def test_disabled_user_cannot_log_in(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)
    await admin.put("security/users/jane", json={**SHOWN, "status": "DISABLED"})

    async with rest.caller("jane", JANE["password"]) as jane:
        assert (await jane.get("repositories")).status_code == 401


async def test_nobody_deletes_oneself_or_the_anonymous_user(admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)
    await admin.put("security/anonymous", json={"enabled": True, "userId": "anonymous"})

    oneself = await admin.delete("security/users/admin")
    nobody = await admin.delete("security/users/anonymous")
    jane = await admin.delete("security/users/jane")
    again = await admin.delete("security/users/jane")

    assert oneself.status_code == 500
    assert oneself.headers["content-type"].startswith("text/plain")
    assert "Can not delete currently signed in user" in oneself.text
    assert nobody.status_code == 500
    assert jane.status_code == 204
    assert (again.status_code, again.json()) == (404, "User 'jane' not found.")


async def test_new_password_replaces_the_old_one_and_ends_its_logins(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)
    login = {"username": "jane", "password": JANE["password"]}
    session = {"authorization": f"Bearer {(await admin.post(f'{NATIVE}/login', json=login)).json()['token']}"}
    assert (await rest.caller().get("security/users", headers=session)).status_code == 200

    changed = await admin.put("security/users/jane/change-password", content="another-password")

    assert (changed.status_code, changed.content) == (204, b"")
    assert (await rest.caller().get("security/users", headers=session)).status_code == 401
    assert (await rest.caller("jane", JANE["password"]).get("repositories")).status_code == 401
    assert (await rest.caller("jane", "another-password").get("repositories")).status_code == 200
    assert (await admin.put("security/users/jane/change-password", content=" ")).status_code == 400
    assert (await admin.put("security/users/none/change-password", content="another-one")).status_code == 404


async def test_generated_password_file_goes_with_the_password(
    rest: Rest, admin: httpx2.AsyncClient, tmp_path: Path
) -> None:
    keep_password(tmp_path / "data", ADMIN[1])
    await admin.post("security/users", json=JANE)
    await admin.put("security/users/jane/change-password", content="another-password")
    assert (tmp_path / "data" / PASSWORD_FILE).exists()

    await admin.put("security/users/admin/change-password", content="another-password")

    assert not (tmp_path / "data" / PASSWORD_FILE).exists()


async def test_role_is_read_as_it_was_made(admin: httpx2.AsyncClient) -> None:
    body = {
        "id": "dev",
        "name": "Dev",
        "description": None,
        "privileges": ["nx-search-read"],
        "roles": ["nx-anonymous"],
    }
    shown = {
        "id": "dev",
        "source": "default",
        "name": "Dev",
        "description": "",
        "readOnly": False,
        "privileges": ["nx-search-read"],
        "roles": ["nx-anonymous"],
    }

    made = await admin.post("security/roles", json=body)

    assert (made.status_code, made.json()) == (200, shown)
    assert (await admin.get("security/roles/dev")).json() == shown
    assert [each["id"] for each in (await admin.get("security/roles")).json()] == ["dev", "nx-admin", "nx-anonymous"]
    assert (await admin.get("security/roles", params={"source": "LDAP"})).json() == []
    assert (await admin.put("security/roles/dev", json={**body, "name": "Developers"})).status_code == 204
    assert (await admin.get("security/roles/dev")).json()["name"] == "Developers"
    assert (await admin.delete("security/roles/dev")).status_code == 204
    assert (await admin.get("security/roles/dev")).status_code == 404


async def test_bad_roles_are_refused(admin: httpx2.AsyncClient) -> None:
    body: dict[str, Any] = {"id": "dev", "name": "Dev", "description": "", "privileges": [], "roles": []}
    await admin.post("security/roles", json=body)
    await admin.post("security/roles", json={**body, "id": "ops", "roles": ["dev"]})

    twice = await admin.post("security/roles", json=body)
    unknown = await admin.post("security/roles", json={**body, "id": "x", "privileges": ["nx-none"]})
    circle = await admin.put("security/roles/dev", json={**body, "roles": ["ops"]})
    other = await admin.put("security/roles/dev", json={**body, "id": "ops"})
    fixed = await admin.put("security/roles/nx-admin", json={**body, "id": "nx-admin"})

    assert (twice.status_code, twice.json()) == (400, "Role 'dev' already exists, use a unique roleId.")
    assert (unknown.status_code, unknown.json()[0]["id"]) == (400, "privileges")
    assert circle.status_code == 400
    assert (other.status_code, fixed.status_code) == (409, 400)
    assert (await admin.delete("security/roles/nx-admin")).status_code == 400


async def test_anonymous_access_follows_its_switch(
    rest: Rest, admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    await rest.hosted("files")
    off = {"enabled": False, "userId": "anonymous", "realmName": "NexusAuthorizingRealm"}
    assert (await admin.get("security/anonymous")).json() == off
    assert (await anonymous.get("repositories")).json() == []
    refused = await anonymous.get("repositories/files")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'BASIC realm="Sonatype Nexus Repository Manager"'

    on = await admin.put("security/anonymous", json={"enabled": True})

    assert (on.status_code, on.json()) == (200, {**off, "enabled": True})
    assert (await anonymous.get("repositories/files")).status_code == 200
    assert (await admin.put("security/anonymous", json={**off, "realmName": "none"})).status_code == 400


async def test_realms_keep_their_order(admin: httpx2.AsyncClient) -> None:
    available = [each["id"] for each in (await admin.get("security/realms/available")).json()]
    wanted = ["NexusAuthorizingRealm", "NexusAuthenticatingRealm", "NpmToken"]

    assert set(wanted) <= set(available)
    assert (await admin.put("security/realms/active", json=wanted)).status_code == 204
    assert (await admin.get("security/realms/active")).json() == wanted
    bad = await admin.put("security/realms/active", json=["none"])
    assert (bad.status_code, bad.json()) == (400, "Unknown realmIds: [none]")


async def test_token_is_made_listed_used_and_revoked(rest: Rest, admin: httpx2.AsyncClient) -> None:
    made = await admin.post(f"{NATIVE}/tokens", json={"name": "ci", "scopes": ["read"], "expires_days": 3})
    token = made.json()["token"]
    bearer = {"authorization": f"Bearer {token}"}
    await rest.hosted("files")

    assert made.status_code == 201
    assert (await rest.caller().get("repositories/files", headers=bearer)).status_code == 200
    assert (await rest.caller("admin", token).get("repositories/files")).status_code == 200
    assert (await rest.caller().get("security/users", headers=bearer)).status_code == 403
    (listed,) = (await admin.get(f"{NATIVE}/tokens")).json()
    assert listed["name"] == "ci" and listed["scopes"] == ["read"] and listed["expires"] and "token" not in listed
    assert (await admin.delete(f"{NATIVE}/tokens/ci")).status_code == 204
    assert (await rest.caller().get("repositories/files", headers=bearer)).status_code == 401
    assert (await admin.delete(f"{NATIVE}/tokens/ci")).status_code == 404


async def test_scoped_token_makes_no_token_that_may_more(rest: Rest, admin: httpx2.AsyncClient) -> None:
    made = await admin.post(f"{NATIVE}/tokens", json={"name": "ci", "scopes": ["read"]})
    bearer = {"authorization": f"Bearer {made.json()['token']}"}

    answer = await rest.caller().post(f"{NATIVE}/tokens", json={"name": "more"}, headers=bearer)

    assert answer.status_code == 403
    assert "scoped" in answer.json()["message"]


async def test_tokens_of_others_are_for_administrators(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json={**JANE, "roles": ["nx-anonymous"]})
    jane = rest.caller("jane", JANE["password"])

    made = await admin.post(f"{NATIVE}/tokens", params={"user": "jane"}, json={"name": "ci"})

    assert made.status_code == 201
    assert [each["name"] for each in (await jane.get(f"{NATIVE}/tokens")).json()] == ["ci"]
    assert (await jane.get(f"{NATIVE}/tokens", params={"user": "admin"})).status_code == 403
    assert (await admin.get(f"{NATIVE}/tokens", params={"user": "none"})).status_code == 404
    assert (await rest.caller().get(f"{NATIVE}/tokens")).status_code == 401


async def test_user_token_stands_for_name_and_password(rest: Rest, admin: httpx2.AsyncClient) -> None:
    made = await admin.post("security/users/admin/default/user-token")
    token = made.json()

    assert made.status_code == 201
    assert token["nameCode"] != "admin"
    assert (await rest.caller(token["nameCode"], token["passCode"]).get("security/users")).status_code == 200
    assert (await rest.caller("admin", token["passCode"]).get("security/users")).status_code == 401
    assert (await admin.post("security/users/admin/default/user-token")).status_code == 409
    assert (await admin.delete("security/users/admin/default/user-token")).status_code == 204


async def test_wrong_login_is_refused(anonymous: httpx2.AsyncClient) -> None:
    answer = await anonymous.post(f"{NATIVE}/login", json={"username": "admin", "password": "wrong"})

    assert answer.status_code == 401
    assert answer.json()["message"] == "wrong username, password or token"


async def test_user_token_settings_are_in_force(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    token = (await admin.post("security/users/admin/default/user-token")).json()
    file = f"{BASE}/repository/files/a.txt"
    on = {"enabled": True, "protectContent": False, "expirationEnabled": False, "expirationDays": 30}
    assert (await admin.get("security/user-tokens")).json() == on

    async def read(*login: str) -> int:
        async with rest.caller(*login) as caller:
            return (await caller.get(file)).status_code

    codes = (token["nameCode"], token["passCode"])
    assert (await read(*codes), await read(*ADMIN)) == (200, 200)
    changed = await admin.put("security/user-tokens", json={**on, "protectContent": True})
    assert (changed.status_code, changed.json()["protectContent"]) == (200, True)
    assert (await read(*codes), await read(*ADMIN)) == (200, 401)
    assert (await admin.get("security/users")).status_code == 200
    await admin.put("security/user-tokens", json={**on, "enabled": False})
    assert (await read(*codes), await read(*ADMIN)) == (401, 200)
    assert (await admin.post("security/users/anonymous/default/user-token")).status_code == 403

    expiring = {**on, "expirationEnabled": True, "expirationDays": 2}
    await admin.put("security/user-tokens", json=expiring)
    (listed,) = (await admin.get("security/user-tokens/tokens")).json()
    assert listed["expires"] > listed["created"] and listed["passCode"] == "" and not listed["isExpired"]
    assert (await admin.put("security/user-tokens", json={**on, "expirationDays": 0})).status_code == 400

    assert (await admin.delete("security/user-tokens")).status_code == 204
    assert await read(*codes) == 401


async def test_rotated_token_overlaps_with_its_successor(rest: Rest, admin: httpx2.AsyncClient) -> None:
    old = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci", "scopes": ["admin"], "expires_days": 9})).json()

    new = await admin.post(f"{NATIVE}/tokens/ci/rotate", json={"overlap_hours": 2})
    newest = await admin.post(f"{NATIVE}/tokens/ci/rotate", json={"overlap_hours": 0})

    assert (new.status_code, new.json()["name"], new.json()["scopes"]) == (201, "ci", ["admin"])

    async def works(token: str) -> int:
        async with rest.caller("admin", token) as caller:
            return (await caller.get("security/users")).status_code

    tokens = [old["token"], new.json()["token"], newest.json()["token"]]
    assert [await works(each) for each in tokens] == [200, 401, 200]
    listed = {each["name"]: each["expires"] for each in (await admin.get(f"{NATIVE}/tokens")).json()}
    assert len(listed) == 2 and listed.pop("ci")[:13] == old["expires"][:13]
    assert next(iter(listed.values())) < old["expires"]
    assert (await admin.post(f"{NATIVE}/tokens/none/rotate", json={})).status_code == 404
    assert (await admin.delete(f"{NATIVE}/tokens")).status_code == 204
    assert [await works(each) for each in tokens] == [401, 401, 401]


async def test_service_account_works_by_its_tokens_only(rest: Rest, admin: httpx2.AsyncClient) -> None:
    role = {"id": "reader", "name": "reader", "privileges": ["nx-users-read"], "roles": []}
    await admin.post("security/roles", json=role)
    body = {"name": "builder", "description": "Builds", "roles": ["reader"]}

    made = await admin.post(f"{NATIVE}/service-accounts", json=body)

    assert (made.status_code, made.json()) == (201, {**body, "disabled": False})
    assert (await admin.post(f"{NATIVE}/service-accounts", json=body)).status_code == 409
    assert (await admin.post(f"{NATIVE}/service-accounts", json={**body, "name": "admin"})).status_code == 409
    assert (await admin.post(f"{NATIVE}/service-accounts", json={**body, "roles": ["none"]})).status_code == 400
    token = (await admin.post(f"{NATIVE}/service-accounts/builder/tokens", json={"name": "ci"})).json()["token"]
    async with rest.caller("builder", token) as builder, rest.caller("builder", "") as empty:
        assert (await builder.get("security/users")).status_code == 200
        assert (await empty.get("security/users")).status_code == 401
        assert "builder" not in [each["userId"] for each in (await builder.get("security/users")).json()]
        await admin.put(f"{NATIVE}/service-accounts/builder", json={"roles": ["reader"], "disabled": True})
        assert (await builder.get("security/users")).status_code == 401
        await admin.put(f"{NATIVE}/service-accounts/builder", json={"roles": [], "disabled": False})
        assert (await builder.get("security/users")).status_code == 403
    (shown,) = (await admin.get(f"{NATIVE}/service-accounts/builder/tokens")).json()
    assert shown["name"] == "ci" and shown["user"] == "builder"
    assert (await admin.delete(f"{NATIVE}/service-accounts/builder/tokens/ci")).status_code == 204
    assert (await admin.delete(f"{NATIVE}/service-accounts/builder")).status_code == 204
    assert (await admin.get(f"{NATIVE}/service-accounts")).json() == []
