"""Realms: who is asked whose a credential is, in which order, and what becomes of users of other sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
import pytest

from pakhus.domain.errors import Unauthenticated, Unavailable
from pakhus.services.identity.realm import Directory, Door, Identity, Listed
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest

NATIVE = f"{BASE}/api/v1"
LOCALS = ["NexusAuthenticatingRealm", "NexusAuthorizingRealm"]


class Village(Directory):
    """People with the password "open sesame", some of them in groups; it can be snowed in."""

    id = "VillageRealm"
    name = "Village Realm"
    source = "Village"
    source_name = "Village"

    def __init__(self) -> None:
        self.people: dict[str, tuple[str, ...]] = {"ali": ("developers",), "admin": ()}
        self.asked: list[str] = []
        self.snowed_in = False

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        self.asked.append(username)
        return await self.find(username) if password == "open sesame" else await self._nobody()

    async def find(self, user_id: str) -> Identity | None:
        await self._nobody()
        if user_id == "cassim":
            raise Unauthenticated("the cave is closed for cassim")
        groups = self.people.get(user_id)
        return None if groups is None else Identity(user_id, self.source, groups, first_name=user_id.title())

    async def search(self, prefix: str, *, limit: int) -> Sequence[Listed]:
        await self._nobody()
        return [Listed(each) for each in self.people if each.startswith(prefix)]

    async def _nobody(self) -> None:
        if self.snowed_in:
            raise Unavailable("the village is snowed in")


@pytest.fixture
async def village(rest: Rest, admin: httpx2.AsyncClient) -> Village:
    realm = Village()
    rest.application.services.realms.register(realm, active=False)
    role = {"id": "developers", "name": "developers", "privileges": ["nx-users-read"], "roles": []}
    assert (await admin.post("security/roles", json=role)).status_code == 200
    return realm


async def activate(admin: httpx2.AsyncClient, *ids: str) -> None:
    assert (await admin.put("security/realms/active", json=list(ids))).status_code == 204


async def status(rest: Rest, *login: str) -> int:
    """Of a request that needs the right to read users."""
    async with rest.caller(*login) as caller:
        return (await caller.get("security/users")).status_code


async def test_realm_that_is_not_active_authenticates_nobody(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    assert "VillageRealm" in [each["id"] for each in (await admin.get("security/realms/available")).json()]
    assert (await admin.get("security/realms/active")).json()[:2] == LOCALS
    assert "VillageRealm" not in (await admin.get("security/realms/active")).json()
    assert await status(rest, "ali", "open sesame") == 401

    await activate(admin, *LOCALS, "VillageRealm")
    assert await status(rest, "ali", "open sesame") == 200

    await activate(admin, *LOCALS)
    assert await status(rest, "ali", "open sesame") == 401


async def test_realms_are_asked_in_their_order(rest: Rest, admin: httpx2.AsyncClient, village: Village) -> None:
    await activate(admin, *LOCALS, "VillageRealm")
    assert await status(rest, *ADMIN) == 200
    assert village.asked == []

    await activate(admin, "VillageRealm", *LOCALS)
    assert await status(rest, *ADMIN) == 200
    assert village.asked == ["admin"]


async def test_namesake_of_another_source_has_nothing_of_the_local_user(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, "VillageRealm", *LOCALS)

    assert await status(rest, "admin", "open sesame") == 403
    async with rest.caller("admin", "open sesame") as namesake:
        assert (await namesake.get(f"{NATIVE}/tokens")).json() == []


async def test_group_named_like_a_role_gives_it_as_long_as_the_source_says_so(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, *LOCALS, "VillageRealm")
    assert await status(rest, "ali", "open sesame") == 200

    village.people["ali"] = ()
    await activate(admin, *LOCALS, "VillageRealm")

    assert await status(rest, "ali", "open sesame") == 403


async def test_source_out_of_reach_is_told_and_local_users_go_on(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, "VillageRealm", *LOCALS)
    village.snowed_in = True

    assert await status(rest, *ADMIN) == 200
    async with rest.caller("ali", "open sesame") as ali:
        answer = await ali.get("security/users")
        assert answer.status_code == 503
        assert "snowed in" in answer.text
    for _ in range(60):
        assert await status(rest, "ali", "open sesame") == 503
    assert await status(rest, *ADMIN) == 200


async def test_outage_of_a_source_lets_nobody_guess_local_passwords(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, *LOCALS, "VillageRealm")
    village.snowed_in = True

    seen = [await status(rest, "admin", f"guess {number}") for number in range(12)]

    assert seen[0] == 503
    assert seen[-1] == 429


async def test_reason_of_a_realm_is_told_when_nobody_else_accepts(
    rest: Rest, admin: httpx2.AsyncClient, village: Village, anonymous: httpx2.AsyncClient
) -> None:
    await activate(admin, *LOCALS, "VillageRealm")

    answer = await anonymous.post(f"{NATIVE}/login", json={"username": "cassim", "password": "open sesame"})

    assert answer.status_code == 401
    assert "closed" in answer.json()["message"]


@BOTH
async def test_token_of_an_external_user_ends_with_the_user_and_with_the_realm(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, *LOCALS, "VillageRealm")
    async with rest.caller("ali", "open sesame") as ali:
        made = await ali.post(f"{NATIVE}/tokens", json={"name": "ci"})
        token = made.json()["token"]
    assert await status(rest, "ali", token) == 200

    await activate(admin, *LOCALS)
    assert await status(rest, "ali", token) == 401

    await activate(admin, *LOCALS, "VillageRealm")
    village.snowed_in = True
    assert await status(rest, "ali", token) == 200
    village.snowed_in = False
    del village.people["ali"]
    await activate(admin, *LOCALS, "VillageRealm")
    assert await status(rest, "ali", token) == 401


async def test_token_is_accepted_where_an_active_realm_says_so(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("modules", format="npm")
    await rest.hosted("files")
    token = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    bearer = {"authorization": f"Bearer {token}"}

    async def at(repository: str) -> int:
        path = "-/whoami" if repository == "modules" else "none"
        async with rest.caller() as caller:
            return (await caller.get(f"{BASE}/repository/{repository}/{path}", headers=bearer)).status_code

    assert (await at("modules"), await at("files")) == (200, 404)
    await activate(admin, *LOCALS)
    assert (await at("modules"), await at("files")) == (401, 404)
    async with rest.caller("admin", token) as by_name:
        assert (await by_name.get(f"{BASE}/repository/modules/-/whoami")).status_code == 200
    await activate(admin, *LOCALS, "NpmToken")
    assert await at("modules") == 200


async def test_login_of_one_protocol_is_no_credential_elsewhere(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("modules", format="npm")
    document: dict[str, Any] = {"name": ADMIN[0], "password": ADMIN[1]}
    url = f"{BASE}/repository/modules/-/user/org.couchdb.user:admin"
    tokens = [(await admin.put(url, json=document)).json()["token"] for _ in range(3)]
    bearer = {"authorization": f"Bearer {tokens[0]}"}

    assert len(set(tokens)) == 1
    async with rest.caller() as caller:
        assert (await caller.get(f"{BASE}/repository/modules/-/whoami", headers=bearer)).json() == {"username": "admin"}
        assert (await caller.get("security/users", headers=bearer)).status_code == 401
    (listed,) = (await admin.get(f"{NATIVE}/tokens")).json()
    assert listed["kind"] == "npm login" and listed["expires"]


async def test_anonymous_stands_and_falls_with_its_realm(
    admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient, rest: Rest
) -> None:
    await rest.hosted("files")
    await admin.put("security/anonymous", json={"enabled": True, "realmName": "NexusAuthorizingRealm"})
    assert (await anonymous.get("repositories/files")).status_code == 200

    await activate(admin, "NexusAuthenticatingRealm")

    assert (await anonymous.get("repositories/files")).status_code == 401


async def test_users_of_another_source_are_listed_and_given_roles(
    rest: Rest, admin: httpx2.AsyncClient, village: Village
) -> None:
    await activate(admin, *LOCALS, "VillageRealm")
    assert {"id": "Village", "name": "Village"} in (await admin.get("security/user-sources")).json()
    admins = (await admin.get("security/users", params={"userId": "admin"})).json()
    assert [(each["source"], each["readOnly"]) for each in admins] == [("Village", True), ("default", False)]
    person = {"userId": "ali", "source": "Village", "status": "active", "roles": ["nx-admin"]}
    assert await status(rest, "admin", "open sesame") == 403

    changed = await admin.put("security/users/ali", json=person)

    assert (changed.status_code, changed.text) == (204, "")
    async with rest.caller("ali", "open sesame") as ali:
        (shown,) = (await ali.get("security/users", params={"userId": "ali", "source": "Village"})).json()
        assert (shown["roles"], shown["firstName"]) == (["nx-admin"], "")
        assert (await ali.get("security/roles")).status_code == 200
        await admin.put("security/users/ali", json={**person, "status": "disabled"})
        assert (await ali.get("security/roles")).status_code == 401
        await admin.put("security/users/ali", json={**person, "roles": []})
        assert (await ali.get("security/roles")).status_code == 403
    assert (await admin.put("security/users/x", json={**person, "userId": "x"})).status_code == 404
    local = {**person, "userId": "admin", "source": "default"}
    assert (await admin.put("security/users/admin", json=local)).status_code == 400
    assert (await admin.delete("security/users/ali")).status_code == 400
    assert (await admin.delete("security/users/ali", params={"realm": "VillageRealm"})).status_code == 204
    assert (await admin.put("security/users/ali/change-password", content="another-password")).status_code == 404
    village.snowed_in = True
    assert (await admin.get("security/users")).status_code == 200
    assert (await admin.get("security/users", params={"source": "Village"})).status_code == 503
