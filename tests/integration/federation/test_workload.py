"""Builds act in roles by the tokens that their platform signs for them; nobody keeps a secret."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from pakhus.services.clock import Clock
from tests.contract.serving import ADMIN, Serving, serving
from tests.integration.federation.builds import JOB, Platform, platform
from tests.integration.federation.clock import Ahead

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTED: dict[str, Any] = {"storage": {"blobStoreName": "default", "strictContentTypeValidation": False}}
ROLE: dict[str, Any] = {
    "issuer": "ci",
    "audiences": ["https://pakhus.test"],
    "bound_claims": {"repository": "acme/*", "ref": ["refs/heads/main", "refs/tags/*"]},
    "rules": [{"repositories": ["team-*"], "paths": ["app/*"], "actions": ["read", "browse", "add", "edit"]}],
}
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
}


class World:
    """A server that knows a platform's builds."""

    def __init__(self, near: Serving, builds: Platform, admin: httpx2.AsyncClient, clock: Ahead) -> None:
        self.near = near
        self.clock = clock
        self.builds = builds
        self.admin = admin
        self.url = near.url

    async def role(self, name: str = "deploy", **changes: Any) -> None:
        at = f"{self.url}/api/v1/security/workload/roles/{name}"
        body = {**ROLE, **changes}
        if (await self.admin.put(at, json=body)).status_code == 404:
            answer = await self.admin.post(at, json=body)
            assert answer.status_code == 201, answer.text

    async def ask(self, method: str, path: str, authorization: str, **options: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            headers = {"authorization": authorization, **options.pop("headers", {})}
            return await client.request(method, f"{self.url}{path}", headers=headers, **options)

    async def put(self, path: str, authorization: str) -> int:
        return (await self.ask("PUT", f"/repository/{path}", authorization, content=b"x")).status_code

    async def exchange(self, token: str, **form: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            return await client.post(f"{self.url}/api/v1/token", data={**EXCHANGE, "subject_token": token, **form})

    async def last_refusal(self) -> str:
        found = (await self.admin.get(f"{self.url}/api/v1/security/federation/refusals")).json()
        return str(found[0]["why"])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    clock = Ahead()
    data = tmp_path_factory.mktemp("workload") / "data"
    async with (
        serving(data, clock=Clock(clock.now, clock.seconds)) as near,
        platform() as builds,
        httpx2.AsyncClient(auth=ADMIN, trust_env=False, timeout=30) as admin,
    ):
        for name in ("team-files", "other-files"):
            await near.create("raw", "hosted", name, **HOSTED)
        made = World(near, builds, admin, clock)
        answer = await admin.post(f"{near.url}/api/v1/security/workload/issuers/ci", json={"issuer": builds.url})
        assert answer.status_code == 201, answer.text
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def as_it_was(world: World) -> AsyncIterator[None]:
    await world.role()
    yield
    world.clock.by = timedelta()
    await world.admin.delete(f"{world.url}/api/v1/security/workload/roles/other")


@pytest.mark.parametrize("user", ["deploy", "oauth2accesstoken", "__token__", "", "anybody"])
async def test_token_of_a_build_is_a_password(world: World, user: str) -> None:
    assert await world.put("team-files/app/1.txt", basic(user, world.builds.token())) == 201


async def test_token_of_a_build_is_a_bearer_token(world: World) -> None:
    token = world.builds.token()

    assert await world.put("team-files/app/2.txt", f"Bearer {token}") == 201
    assert (await world.ask("GET", "/repository/team-files/app/2.txt", f"Bearer {token}")).content == b"x"


@pytest.mark.parametrize("path", ["team-files/lib/1.txt", "other-files/app/1.txt"])
async def test_role_ends_at_its_repositories_and_paths(world: World, path: str) -> None:
    assert await world.put(path, f"Bearer {world.builds.token()}") == 403


async def test_role_ends_at_its_actions(world: World) -> None:
    token = f"Bearer {world.builds.token()}"
    await world.put("team-files/app/3.txt", token)

    assert (await world.ask("DELETE", "/repository/team-files/app/3.txt", token)).status_code == 403


async def test_repository_that_comes_later_is_meant_too(world: World) -> None:
    await world.near.create("raw", "hosted", "team-later", **HOSTED)

    assert await world.put("team-later/app/1.txt", f"Bearer {world.builds.token()}") == 201


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"repository": "evil/app"}, "claim 'repository' is 'evil/app' (wanted 'acme/*')"),
        ({"ref": "refs/heads/feature"}, "claim 'ref' is 'refs/heads/feature'"),
        ({"ref": None}, "claim 'ref' is missing"),
        ({"aud": "https://other.test"}, "aud is ['https://other.test'] (wanted one of ['https://pakhus.test'])"),
        ({"aud": None}, "aud is []"),
        ({"exp": None}, "exp is missing"),
        ({"exp": 1}, "it has expired"),
        ({"nbf": 2**33}, "it is not valid yet"),
    ],
)
async def test_refusal_says_to_administrators_which_claim_and_to_strangers_nothing(
    world: World, claims: dict[str, Any], why: str
) -> None:
    answer = await world.ask("GET", "/repository/team-files/app/1.txt", f"Bearer {world.builds.token(**claims)}")

    assert answer.status_code == 401
    assert why in await world.last_refusal()
    assert "wanted" not in answer.text and "acme" not in answer.text


async def test_token_of_an_issuer_that_nobody_configured_is_nothing(world: World) -> None:
    async with platform() as elsewhere:
        answer = await world.ask("GET", "/repository/team-files/app/1.txt", f"Bearer {elsewhere.token()}")

        assert answer.status_code == 401
        assert elsewhere.far.seen == []  # who configured nothing is asked for nothing


async def test_token_that_another_signed_in_the_issuers_name_is_refused(world: World) -> None:
    async with platform() as elsewhere:
        forged = elsewhere.token(iss=world.builds.url)

        assert await world.put("team-files/app/9.txt", f"Bearer {forged}") == 401


async def test_new_key_of_the_issuer_counts_at_once_and_the_old_one_no_longer(world: World) -> None:
    old = world.builds.token()
    assert await world.put("team-files/app/4.txt", f"Bearer {old}") == 201
    world.clock.pass_(seconds=20)  # the pause between two requests for keys is over

    world.builds.rotate()
    by_new = await world.put("team-files/app/5.txt", f"Bearer {world.builds.token()}")
    world.clock.pass_(seconds=61)  # a verified credential is forgotten
    by_old = await world.put("team-files/app/4.txt", f"Bearer {old}")

    assert (by_new, by_old) == (201, 401)


async def test_rubbish_does_not_make_us_ask_the_issuer_again_and_again(world: World) -> None:
    await world.put("team-files/app/6.txt", f"Bearer {world.builds.token()}")
    seen = len(world.builds.far.seen)
    async with platform() as elsewhere:
        for _ in range(5):
            await world.put("team-files/app/6.txt", f"Bearer {elsewhere.token(iss=world.builds.url)}")

    assert len(world.builds.far.seen) - seen <= 1


async def test_keys_can_be_given_instead_of_fetched(world: World) -> None:
    async with platform() as offline:
        keys = offline.far.files["keys"].decode()
        at = f"{world.url}/api/v1/security/workload/issuers/offline"
        body = {"issuer": offline.url, "jwks": keys}
        assert (await world.admin.post(at, json=body)).status_code == 201
        await world.role("other", issuer="offline")

        assert await world.put("team-files/app/7.txt", f"Bearer {offline.token()}") == 201
        assert offline.far.seen == []


async def test_issuer_that_is_away_is_no_wrong_token(world: World) -> None:
    async with platform() as gone:
        token, url = gone.token(), gone.url
    at = f"{world.url}/api/v1/security/workload/issuers/gone"
    assert (await world.admin.post(at, json={"issuer": url})).status_code == 201
    await world.role("other", issuer="gone")

    assert await world.put("team-files/app/8.txt", f"Bearer {token}") == 503


# -- roles ---------------------------------------------------------------------------------------------------------


async def test_build_may_what_all_roles_that_accept_it_give(world: World) -> None:
    rule = {"repositories": ["other-files"], "actions": ["add", "edit", "read"]}
    await world.role("other", bound_claims={"environment": "release"}, rules=[rule])
    token = world.builds.token()

    assert await world.put("other-files/a.txt", f"Bearer {token}") == 201
    assert await world.put("team-files/app/a.txt", f"Bearer {token}") == 201
    assert await world.put("other-files/a.txt", basic("deploy", token)) == 403  # in that role only


async def test_build_has_the_privileges_of_the_role_and_manages_nothing_for_itself(world: World) -> None:
    await world.role(roles=["nx-admin"], rules=[])
    token = f"Bearer {world.builds.token()}"

    administers = await world.ask("GET", "/service/rest/v1/security/users", token)
    makes_tokens = await world.ask("POST", "/api/v1/tokens", token, json={"name": "for-ever"})

    assert (administers.status_code, makes_tokens.status_code) == (200, 403)


async def test_build_that_calls_itself_like_a_user_is_not_that_user(world: World) -> None:
    token = f"Bearer {world.builds.token(sub='admin')}"

    tokens = await world.ask("GET", "/api/v1/tokens", token)
    users = await world.ask("GET", "/service/rest/v1/security/users", token)

    assert (tokens.status_code, users.status_code) == (403, 403)


async def test_build_may_be_called_anything(world: World) -> None:
    token = world.builds.token(sub="line\nbreak\x00" + "x" * 500)

    assert await world.put("team-files/app/1.txt", f"Bearer {token}") == 201


async def test_build_leaves_no_account_behind(world: World) -> None:
    await world.put("team-files/app/1.txt", f"Bearer {world.builds.token(sub='ghost')}")
    listed = (await world.admin.get(f"{world.url}/service/rest/v1/security/users")).text

    assert "ghost" not in listed


async def test_changed_role_counts_at_once(world: World) -> None:
    token = f"Bearer {world.builds.token()}"
    assert await world.put("team-files/app/1.txt", token) == 201

    await world.role(enabled=False)
    disabled = await world.put("team-files/app/1.txt", token)
    await world.role(bound_claims={"repository": "acme/other"})
    bound = await world.put("team-files/app/1.txt", token)
    await world.role(enabled=True)

    assert (disabled, bound) == (401, 401)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"audiences": []}, "audiences"),
        ({"bound_claims": {}}, "bound_claims"),
        ({"bound_claims": {"sub": ""}}, "bound_claims"),
        ({"issuer": "nobody"}, "issuer"),
        ({"roles": ["no-such-role"]}, "roles"),
        ({"rules": []}, "rules"),
        ({"rules": [{"repositories": ["a"], "actions": ["everything"]}]}, "rules.0.actions.0"),
        ({"ttl_seconds": 10**6}, "ttl_seconds"),
    ],
)
async def test_role_that_is_for_everybody_or_for_nothing_is_refused(
    world: World, changes: dict[str, Any], field: str
) -> None:
    at = f"{world.url}/api/v1/security/workload/roles/wrong"
    answer = await world.admin.post(at, json={**ROLE, **changes})

    assert answer.status_code == 400, answer.text
    assert answer.json()["field"] == field


# -- exchange ------------------------------------------------------------------------------------------------------


async def test_token_is_exchanged_for_one_of_ours(world: World) -> None:
    answer = await world.exchange(world.builds.token())
    body = answer.json()

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (body["token_type"], body["roles"]) == ("Bearer", ["deploy"])
    assert 890 <= body["expires_in"] <= 900
    assert await world.put("team-files/app/1.txt", f"Bearer {body['access_token']}") == 201
    assert await world.put("team-files/app/1.txt", basic("ci", body["access_token"])) == 201
    assert await world.put("other-files/app/1.txt", f"Bearer {body['access_token']}") == 403


async def test_exchanged_token_can_be_narrowed(world: World) -> None:
    token = (await world.exchange(world.builds.token(), scope="read")).json()["access_token"]
    await world.put("team-files/app/1.txt", f"Bearer {world.builds.token()}")

    assert (await world.ask("GET", "/repository/team-files/app/1.txt", f"Bearer {token}")).status_code == 200
    assert await world.put("team-files/app/1.txt", f"Bearer {token}") == 403


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"bound_claims": {"repository": "acme/app"}},
        {"audiences": ["https://elsewhere.test"]},
    ],
)
async def test_exchanged_token_ends_with_the_role_that_it_was_for(world: World, change: dict[str, Any]) -> None:
    token = (await world.exchange(world.builds.token())).json()["access_token"]
    assert await world.put("team-files/app/1.txt", f"Bearer {token}") == 201

    await world.role(**change)

    assert await world.put("team-files/app/1.txt", f"Bearer {token}") == 401


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"subject_token": ""}, "invalid_request"),
        ({"subject_token": "rubbish"}, "invalid_request"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"role": "no-such-role"}, "invalid_request"),
    ],
)
async def test_exchange_that_is_not_granted_says_so_in_the_words_of_oauth(
    world: World, form: dict[str, str], error: str
) -> None:
    answer = await world.exchange(world.builds.token(), **form)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_exchanged_token_is_not_exchanged_again(world: World) -> None:
    token = (await world.exchange(world.builds.token())).json()["access_token"]

    assert (await world.exchange(token)).status_code == 400


async def test_administrator_sees_what_becomes_of_a_token(world: World) -> None:
    await world.role("other", bound_claims={"environment": "staging"})
    at = f"{world.url}/api/v1/security/workload/explain"

    told = (await world.admin.post(at, json={"token": world.builds.token()})).json()

    assert told["issuer"] == "ci"
    assert told["claims"]["repository"] == JOB["repository"]
    assert told["roles"]["deploy"] == []
    assert "claim 'environment' is 'release' (wanted 'staging')" in told["roles"]["other"]


@pytest.mark.parametrize("token", ["rubbish", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
async def test_rubbish_is_explained_too(world: World, token: str) -> None:
    answer = await world.admin.post(f"{world.url}/api/v1/security/workload/explain", json={"token": token})

    assert answer.status_code in (200, 400)
    assert "three parts" in answer.text or "cannot be read" in answer.text or "not known here" in answer.text
