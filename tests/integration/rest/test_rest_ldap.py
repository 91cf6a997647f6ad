"""Users of an LDAP server: a real one, OpenLDAP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.app import create
from pakhus.domain.errors import Invalid
from pakhus.rest.ldap import LdapRequest
from pakhus.settings import load
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Ahead, Rest
from tests.peers import slapd
from tests.peers.slapd import ADA, BOB, EVE, PASSWORD, SUFFIX, Person, Slapd

NATIVE = f"{BASE}/api/v1"
LOCALS = ["NexusAuthenticatingRealm", "NexusAuthorizingRealm"]


@pytest.fixture(scope="module")
def directory() -> Iterator[Slapd]:
    with slapd.running() as server:
        yield server


@pytest.fixture
def changeable() -> Iterator[Slapd]:
    """A directory of this test alone."""
    with slapd.running() as server:
        yield server


@pytest.fixture
async def rest(tmp_path: Path, dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[Rest]:
    """Trusts the directory's certificate."""
    name = "changeable" if "changeable" in request.fixturenames else "directory"
    chain = request.getfixturevalue(name).chain
    environ = {
        "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
        "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
        "PAKHUS_DATABASE_DSN": dsn,
        "PAKHUS_AUTH_LDAP_CA_FILE": str(chain),
    }
    application = create(load(data=tmp_path / "data", environ=environ).settings)
    async with application.running():
        yield Rest(application, httpx2.ASGITransport(app=application.asgi), Ahead())


async def connect(admin: httpx2.AsyncClient, directory: Slapd, **changed: Any) -> None:
    """Configure the directory, switch its realm on, and give its developers the right to read users."""
    made = await admin.post("security/ldap", json=directory.settings(**changed))
    assert (made.status_code, made.content) == (201, b""), made.text
    assert (await admin.put("security/realms/active", json=[*LOCALS, "LdapRealm"])).status_code == 204
    role = {"id": "developers", "name": "developers", "privileges": ["nx-users-read"], "roles": []}
    await admin.post("security/roles", json=role)


async def status(rest: Rest, person: Person | tuple[str, str]) -> int:
    """Of a request that needs the right to read users: 200 for developers, 403 for others who get in."""
    login = (person.uid, person.password) if isinstance(person, Person) else person
    async with rest.caller(*login) as caller:
        return (await caller.get("security/users", params={"source": "default"})).status_code


# -- configuration -------------------------------------------------------------------------------------------------


@BOTH
async def test_server_is_read_as_it_was_made_but_for_its_password(admin: httpx2.AsyncClient, directory: Slapd) -> None:
    body = directory.settings(authScheme="simple", groupType="STATIC")
    await admin.post("security/ldap", json=body)

    shown = (await admin.get("security/ldap/corp")).json()

    assert shown["id"] and shown["order"] == 1 and "authPassword" not in shown
    assert {name: shown[name] for name in body if name != "authPassword"} == {
        name: value for name, value in body.items() if name != "authPassword"
    }
    assert (await admin.get("security/ldap")).json() == [shown]
    assert (await admin.get("security/ldap/none")).status_code == 404
    twice = await admin.post("security/ldap", json=body)
    assert (twice.status_code, twice.json()[0]["id"]) == (400, "name")


async def test_servers_change_go_and_have_an_order(admin: httpx2.AsyncClient, directory: Slapd) -> None:
    for name in ("one", "two", "three"):
        await admin.post("security/ldap", json=directory.settings(name=name))
    assert (await admin.post("security/ldap/change-order", json=["three", "one", "two"])).status_code == 204
    assert [each["name"] for each in (await admin.get("security/ldap")).json()] == ["three", "one", "two"]
    assert (await admin.post("security/ldap/change-order", json=["three"])).status_code == 400

    renamed = await admin.put("security/ldap/one", json=directory.settings(name="uno"))

    assert (renamed.status_code, (await admin.get("security/ldap/uno")).json()["order"]) == (204, 2)
    assert (await admin.delete("security/ldap/three")).status_code == 204
    await admin.post("security/ldap", json=directory.settings(name="four"))
    assert [each["name"] for each in (await admin.get("security/ldap")).json()] == ["uno", "two", "four"]
    assert (await admin.put("security/ldap/none", json=directory.settings())).status_code == 404


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"protocol": "HTTP"}, "protocol"),
        ({"connectionTimeoutSeconds": 0}, "connectionTimeoutSeconds"),
        ({"connectionTimeoutSeconds": 3601}, "connectionTimeoutSeconds"),
        ({"authScheme": "GSSAPI"}, "authScheme"),
        ({"authPassword": ""}, "authPassword"),
        ({"userLdapFilter": "(broken"}, "userLdapFilter"),
        ({"userIdAttribute": "uid)(x=*"}, "userIdAttribute"),
        ({"groupMemberFormat": None}, "groupMemberFormat"),
        ({"groupType": "dynamic"}, "userMemberOfAttribute"),
        ({"name": "cache"}, "name"),
    ],
)
async def test_settings_that_could_not_work_are_refused(
    admin: httpx2.AsyncClient, directory: Slapd, change: dict[str, Any], member: str
) -> None:
    answer = await admin.post("security/ldap", json=directory.settings(**change))

    assert (answer.status_code, [each["id"] for each in answer.json()]) == (400, [member])


async def test_kept_password_serves_the_same_server_only(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory)
    without = {name: value for name, value in directory.settings().items() if name != "authPassword"}

    assert (await admin.put("security/ldap/corp", json=without)).status_code == 204
    assert await status(rest, ADA) == 200
    other = await admin.put("security/ldap/corp", json={**without, "host": "elsewhere.invalid"})
    assert (other.status_code, other.json()[0]["id"]) == (400, "authPassword")
    tried = await admin.post("security/ldap/verify-connection", json={**without, "host": "elsewhere.invalid"})
    assert (tried.status_code, tried.json()[0]["id"]) == (400, "authPassword")


async def test_verification_says_what_is_wrong(admin: httpx2.AsyncClient, directory: Slapd) -> None:
    async def verify(what: str, **changed: Any) -> httpx2.Response:
        return await admin.post(f"security/ldap/verify-{what}", json=directory.settings(**changed))

    assert (await verify("connection")).status_code == 204
    refused = await verify("connection", authPassword="wrong")
    assert (refused.status_code, "invalid credentials" in refused.json()) == (400, True)
    nobody = await verify("connection", port=1)
    assert (nobody.status_code, "127.0.0.1:1" in nobody.json()) == (400, True)
    people = (await verify("user-mapping")).json()
    assert people[0] == {
        "username": "ada",
        "realName": "Ada Lovelace",
        "email": "ada@example.org",
        "membership": ["deployers", "developers"],
    }
    assert (await verify("user-mapping", userBaseDn="ou=none")).status_code == 400
    assert (await verify("login", username="ada", password=ADA.password)).json() == people[0]
    assert (await verify("login", username="ada", password="wrong")).status_code == 400
    assert (await verify("login", username="ada", password="")).status_code == 400
    assert "Active Directory" in [each["name"] for each in (await admin.get("security/ldap/templates")).json()]


# -- logins --------------------------------------------------------------------------------------------------------


@BOTH
async def test_user_of_the_directory_comes_in_with_the_roles_of_its_groups(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    assert await status(rest, ADA) == 401
    await connect(admin, directory)

    assert [await status(rest, each) for each in (ADA, BOB, EVE)] == [200, 403, 200]
    assert await status(rest, ("ada", "wrong")) == 401
    assert await status(rest, ("nobody", "wrong")) == 401
    (shown,) = (await admin.get("security/users", params={"userId": "ada"})).json()
    assert shown == {
        "userId": "ada",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "emailAddress": "ada@example.org",
        "source": "LDAP",
        "status": "active",
        "readOnly": True,
        "roles": [],
        "externalRoles": ["deployers", "developers"],
    }
    listed = (await admin.get("security/users", params={"source": "LDAP"})).json()
    assert [each["userId"] for each in listed] == ["ada", "bob", "eve"]


@pytest.mark.parametrize(
    "change",
    [
        {"authScheme": "NONE", "authUsername": None, "authPassword": None},
        {"authScheme": "CRAM_MD5", "authUsername": "searcher"},
        {"authScheme": "DIGEST-MD5", "authUsername": "searcher"},
        {"useStartTls": True},
        {"groupType": "dynamic", "userMemberOfAttribute": "memberOf"},
        {"groupObjectClass": "posixGroup", "groupMemberAttribute": "memberUid", "groupMemberFormat": "${username}"},
        {"groupMemberFormat": f"uid=${{username}},ou=people,{SUFFIX}"},
        {"userLdapFilter": "(&(departmentNumber=bui*)(!(uid=x)))"},
        {"userPasswordAttribute": "userPassword"},
        {"groupBaseDn": None, "groupSubtree": True},
    ],
    ids=str,
)
async def test_every_way_to_ask_finds_the_same(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd, change: dict[str, Any]
) -> None:
    role = {"id": "posix-developers", "name": "posix-developers", "privileges": ["nx-users-read"], "roles": []}
    await admin.post("security/roles", json=role)
    await connect(admin, directory, **change)

    assert (await status(rest, ADA), await status(rest, ("ada", "wrong"))) == (200, 401)


async def test_directory_by_tls_is_asked_if_its_certificate_is_trusted(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd, tmp_path: Path
) -> None:
    await connect(admin, directory, protocol="LDAPS", port=directory.ldaps)
    assert await status(rest, ADA) == 200

    untrusting = create(
        load(data=tmp_path / "other", environ={"PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false"}).settings
    )
    async with untrusting.running():
        identification = untrusting.services.identification
        servers = identification.ldap_servers

        async def kept() -> Sequence[str]:
            return [directory.chain.read_text()]

        identification.ldap.trusted = kept
        for change in ({"protocol": "LDAPS", "port": directory.ldaps}, {"useStartTls": True}):
            with pytest.raises(Invalid, match="certificate"):
                await servers.try_connection(LdapRequest(**directory.settings(**change)).settings())
            trusted = directory.settings(**change, useTrustStore=True)
            await servers.try_connection(LdapRequest(**trusted).settings())


async def test_who_is_outside_of_the_search_does_not_come_in(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory, userSubtree=False, userLdapFilter="departmentNumber=build")

    assert [await status(rest, each) for each in (ADA, BOB, EVE)] == [200, 401, 401]


async def test_groups_count_only_where_they_are_asked_for(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory, ldapGroupsAsRoles=False)

    assert await status(rest, ADA) == 403


@pytest.mark.parametrize("username", ["*", "a*", "ada)(uid=*", "ada\\", "uid=ada", "(", "ada\0"])
async def test_username_is_a_value_and_nothing_else(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd, username: str
) -> None:
    await connect(admin, directory)

    assert await status(rest, (username, ADA.password)) == 401


async def test_user_has_the_name_that_the_directory_gives(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    """Directories ignore case: `ADA` is `ada`, and never another account."""
    await connect(admin, directory)
    async with rest.caller("ADA", ADA.password) as ada:
        token = (await ada.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()

    assert token["user"] == "ada"


async def test_correct_password_is_asked_for_once(rest: Rest, admin: httpx2.AsyncClient, directory: Slapd) -> None:
    await connect(admin, directory)
    before = directory.binds_of(ADA)

    await asyncio.gather(*(status(rest, ADA) for _ in range(8)))
    await admin.post("security/roles", json={"id": "x", "name": "x", "privileges": [], "roles": []})
    assert await status(rest, ADA) == 200
    assert directory.binds_of(ADA) == before + 1

    assert (await admin.delete("security/ldap/cache")).status_code == 204
    assert await status(rest, ADA) == 200
    assert directory.binds_of(ADA) == before + 2


async def test_servers_are_asked_in_their_order_and_a_dead_one_is_passed_over(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await admin.post("security/ldap", json=directory.settings(name="dead", port=1))
    await connect(admin, directory)

    assert await status(rest, ADA) == 200
    assert await status(rest, ("ada", "wrong")) == 503


async def test_directory_that_is_down_is_named_and_local_users_go_on(
    rest: Rest, admin: httpx2.AsyncClient, changeable: Slapd
) -> None:
    await connect(admin, changeable, maxIncidentsCount=2)
    async with rest.caller(ADA.uid, ADA.password) as ada:
        token = (await ada.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    changeable.stop()
    await admin.delete("security/ldap/cache")

    for _ in range(2):
        assert await status(rest, ADA) == 503
    async with rest.caller() as caller:
        answer = await caller.post(f"{NATIVE}/login", json={"username": "ada", "password": ADA.password})
        assert answer.status_code == 503
        assert "'corp'" in answer.json()["message"] and "asked again in" in answer.json()["message"]
    assert await status(rest, ADMIN) == 200
    assert await status(rest, ("ada", token)) == 200

    changeable.start()
    await admin.delete("security/ldap/cache")
    assert await status(rest, ADA) == 200


async def test_who_leaves_the_directory_loses_tokens_and_groups(
    rest: Rest, admin: httpx2.AsyncClient, changeable: Slapd
) -> None:
    await connect(admin, changeable)
    tokens = {}
    for person in (ADA, EVE):
        async with rest.caller(person.uid, person.password) as caller:
            tokens[person.uid] = (await caller.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    assert [await status(rest, each) for each in tokens.items()] == [200, 200]

    changeable.remove(ADA)
    changeable.apply("ldapmodify", f"dn: cn=developers,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: uniqueMember\n"
                     f"uniqueMember: {EVE.dn}\n")  # fmt: skip
    await admin.delete("security/ldap/cache")

    assert [await status(rest, each) for each in tokens.items()] == [401, 403]
    changeable.add(replace(ADA, password="a-new-beginning"))
    await admin.delete("security/ldap/cache")
    assert await status(rest, ADA) == 401


async def test_search_account_that_is_refused_is_a_fault_of_the_server(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory, authPassword="wrong")

    assert await status(rest, ADA) == 503


async def test_password_of_the_search_account_is_sealed(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory)
    data = rest.application.settings.data

    kept = b"".join(each.read_bytes() for each in data.glob("pakhus.db*"))

    assert b"searcher" in kept and PASSWORD.encode() not in kept


async def test_unknown_user_costs_the_directory_as_many_steps(
    rest: Rest, admin: httpx2.AsyncClient, directory: Slapd
) -> None:
    await connect(admin, directory)

    async def steps(username: str) -> tuple[int, int]:
        before = [directory.said().count(each) for each in (" BIND dn=", " SRCH base=")]
        assert await status(rest, (username, "wrong")) == 401
        binds, searches = (directory.said().count(each) for each in (" BIND dn=", " SRCH base="))
        return binds - before[0], searches - before[1]

    assert await steps("nobody") == await steps("ada")
