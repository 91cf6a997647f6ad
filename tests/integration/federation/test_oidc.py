"""Logins through a certified OpenID provider, from the browser's first step to a package client's token."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from pakhus.services.federation.oidc import challenge_of
from tests.contract.serving import ADMIN, serving
from tests.integration.federation.clock import Ahead
from tests.integration.federation.conftest import CLIENT, Setting
from tests.peers import openid, postgresql
from tests.peers.openid import Browser, OpenId

HOSTED: dict[str, Any] = {"storage": {"blobStoreName": "default", "strictContentTypeValidation": False}}

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = re.compile(r'id="token">([^<]+)<')


@asynccontextmanager
async def openid_for(url: str) -> AsyncIterator[OpenId]:
    """A provider that knows the server at `url` as a client."""
    with openid.running({**CLIENT, "redirect_uris": [f"{url}/login/oidc/corp/callback"]}) as provider:
        yield provider


@pytest.fixture(autouse=True)
def on_time(setting: Setting) -> Iterator[None]:
    """A test that put the clock forward leaves it as it was."""
    yield
    setting.clock.by = timedelta()


async def logged_in(setting: Setting, login: str, *, provider: str = "corp") -> httpx2.Response:
    """The page at the end of a browser's login."""
    return await asyncio.to_thread(Browser().log_in, f"{setting.url}/login/oidc/{provider}", login)


async def token_of(setting: Setting, login: str, *, provider: str = "corp") -> str:
    page = await logged_in(setting, login, provider=provider)
    found = TOKEN.search(page.text)
    assert found is not None, page.text
    return found[1]


async def test_browser_login_gives_a_session_in_which_an_api_token_is_made(setting: Setting) -> None:
    await setting.serving.create("raw", "hosted", "files", **HOSTED)
    await setting.admin.put(f"{setting.url}/repository/files/a.txt", content=b"a")
    setting.provider.account("ann", groups=["developers"], email="ann@example.org", given_name="Ann")
    await setting.configure(role_mapping=[{"group": "dev*", "roles": ["nx-admin"]}])

    session = await token_of(setting, "ann")
    async with setting.caller(session) as ann:
        made = (await ann.post("/api/v1/tokens", json={"name": "laptop"})).json()
    as_password = httpx2.BasicAuth("ann", made["token"])
    async with httpx2.AsyncClient(auth=as_password, trust_env=False) as pip:
        read = await pip.get(f"{setting.url}/repository/files/a.txt")

    assert made["user"] == "ann"
    assert (read.status_code, read.content) == (200, b"a")


async def test_role_of_a_group_ends_with_the_rule_that_gave_it(setting: Setting) -> None:
    setting.provider.account("bea", groups=["ops"])
    await setting.configure(role_mapping=[{"group": "ops", "roles": ["nx-admin"]}])
    session = await token_of(setting, "bea")
    async with setting.caller(session) as bea:
        made = (await bea.post("/api/v1/tokens", json={"name": "ci"})).json()["token"]
        before = await bea.get("/service/rest/v1/security/users")
        await setting.configure(role_mapping=[])
        after = await bea.get("/service/rest/v1/security/users")
    async with setting.caller(made) as machine:
        by_token = await machine.get("/service/rest/v1/security/users")

    assert (before.status_code, after.status_code, by_token.status_code) == (200, 403, 403)


async def test_admin_group_administers(setting: Setting) -> None:
    setting.provider.account("cat", groups=["admins"])
    setting.provider.account("dan", groups=["nx-admin", "administrators"])
    await setting.configure(admin_group="admins")

    async with setting.caller(await token_of(setting, "cat")) as cat:
        administers = await cat.get("/service/rest/v1/security/users")
    async with setting.caller(await token_of(setting, "dan")) as dan:
        does_not = await dan.get("/service/rest/v1/security/users")

    assert administers.status_code == 200
    assert does_not.status_code == 403  # the name of a group is no role, unless that is configured


async def test_groups_are_roles_by_name_only_where_that_is_configured(setting: Setting) -> None:
    setting.provider.account("eve", groups=["nx-admin"])
    await setting.configure(groups_are_roles=True)
    async with setting.caller(await token_of(setting, "eve")) as eve:
        named = await eve.get("/service/rest/v1/security/users")
        await setting.configure(groups_are_roles=False)
        unnamed = await eve.get("/service/rest/v1/security/users")

    assert (named.status_code, unnamed.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("settings", "claims", "refused"),
    [
        ({"provisioning": "jit"}, {}, None),
        ({"provisioning": "manual"}, {}, "provisioning is manual"),
        ({"provisioning": "allowlist", "allowlist": ["*@example.org"]}, {"email": "x@example.org"}, "allowlist"),
        (
            {"provisioning": "allowlist", "allowlist": ["*@example.org"]},
            {"email": "x@example.org", "email_verified": True},
            None,
        ),
        ({"provisioning": "allowlist", "allowlist": ["staff"]}, {"groups": ["staff"]}, None),
        ({"required_group": "staff"}, {"groups": ["guests"]}, "required 'staff'"),
    ],
)
async def test_provisioning_decides_who_gets_an_account(
    setting: Setting, settings: dict[str, Any], claims: dict[str, Any], refused: str | None
) -> None:
    login = f"new-{secrets.token_hex(4)}"
    setting.provider.account(login, **claims)
    await setting.configure(**settings)

    page = await logged_in(setting, login)

    if refused is None:
        assert TOKEN.search(page.text), page.text
        return
    assert page.status_code == 403
    assert f"the account &#x27;{login}&#x27; has no access here" in page.text
    told = (await setting.admin.get(f"{setting.url}/api/v1/security/federation/refusals")).json()[0]
    assert refused in told["why"]
    assert refused not in page.text


async def test_account_that_an_administrator_made_logs_in_where_provisioning_is_manual(setting: Setting) -> None:
    await setting.configure("manual", provisioning="manual")
    made = await setting.admin.put(
        f"{setting.url}/api/v1/security/oidc/providers/manual/users/fay", json={"roles": ["nx-admin"]}
    )

    async with setting.caller(await token_of(setting, "fay", provider="manual")) as fay:
        users = await fay.get("/service/rest/v1/security/users")

    assert made.status_code == 204
    assert users.status_code == 200


async def test_name_of_an_account_does_not_pass_on_to_another_person(setting: Setting) -> None:
    setting.provider.account("gus")
    setting.provider.account("impostor", preferred_username="gus")
    await setting.configure()
    await token_of(setting, "gus")

    page = await logged_in(setting, "impostor")

    assert page.status_code == 403
    assert "somebody else" in page.text


async def test_equal_names_of_two_providers_and_of_local_users_are_different_people(setting: Setting) -> None:
    setting.provider.account("admin")
    await setting.configure()
    await setting.configure("other", default_roles=["nx-admin"])
    async with setting.caller(await token_of(setting, "admin")) as stranger:
        users = await stranger.get("/service/rest/v1/security/users")
        tokens = (await stranger.get("/api/v1/tokens")).json()
    async with setting.caller(await token_of(setting, "admin", provider="other")) as trusted:
        allowed = await trusted.get("/service/rest/v1/security/users")

    assert (users.status_code, allowed.status_code) == (403, 200)
    assert tokens == []


async def test_answer_to_another_browser_is_refused(setting: Setting) -> None:
    await setting.configure()
    begun = await setting.anyone.get(f"{setting.url}/login/oidc/corp")
    state = dict(parse_qsl(urlsplit(begun.headers["location"]).query))["state"]

    setting.anyone.cookies.clear()
    without_cookie = await setting.anyone.get(
        f"{setting.url}/login/oidc/corp/callback", params={"state": state, "code": "x"}
    )

    assert without_cookie.status_code == 403
    assert "another browser" in without_cookie.text
    assert "www-authenticate" not in without_cookie.headers


async def test_code_of_somebody_else_is_refused(setting: Setting) -> None:
    """PKCE: a code that was stolen on its way is worth nothing in another login."""
    setting.provider.account("hal")
    await setting.configure()
    thief, victim = Browser(), Browser()
    victims = await asyncio.to_thread(stopped_before_callback, victim, setting, "hal")
    thieves = await asyncio.to_thread(stopped_before_callback, thief, setting, "hal")
    stolen = dict(parse_qsl(urlsplit(victims).query))["code"]
    mine = dict(parse_qsl(urlsplit(thieves).query))

    page = await asyncio.to_thread(
        thief.open, f"{setting.url}/login/oidc/corp/callback?state={mine['state']}&code={stolen}"
    )

    assert page.status_code == 403
    told = (await setting.admin.get(f"{setting.url}/api/v1/security/federation/refusals")).json()[0]
    assert "invalid_grant" in told["why"]


def stopped_before_callback(browser: Browser, setting: Setting, login: str) -> str:
    """The URL with the code, which the browser does not open."""
    browser.stop_at = f"{setting.url}/login/oidc/corp/callback"
    browser.log_in(f"{setting.url}/login/oidc/corp", login)
    browser.stop_at = ""
    return browser.stopped


async def test_program_gets_its_session_by_a_code_and_only_with_the_verifier(setting: Setting) -> None:
    setting.provider.account("ida")
    await setting.configure()
    verifier = secrets.token_urlsafe(48)
    browser = Browser(stop_at="http://127.0.0.1:9/")
    begin = f"{setting.url}/login?port=9&state=mine&challenge={challenge_of(verifier)}"
    for name in ("other", "manual"):
        await setting.admin.delete(f"{setting.url}/api/v1/security/oidc/providers/{name}")
    await asyncio.to_thread(browser.log_in, begin, "ida")
    back = dict(parse_qsl(urlsplit(browser.stopped).query))
    again = dict(back)
    at = f"{setting.url}/api/v1/login/code"
    async with httpx2.AsyncClient(trust_env=False) as program:
        right = await program.post(at, json={"code": back["code"], "verifier": verifier})
        reused = await program.post(at, json={"code": again["code"], "verifier": verifier})
        await asyncio.to_thread(browser.log_in, begin, "ida")
        code = dict(parse_qsl(urlsplit(browser.stopped).query))["code"]
        wrong = await program.post(at, json={"code": code, "verifier": secrets.token_urlsafe(48)})

    assert back["state"] == "mine"
    assert right.json()["username"] == "ida"
    assert (reused.status_code, wrong.status_code) == (401, 401)


@pytest.mark.parametrize(
    "query",
    [
        "to=//evil.example",
        "to=https://evil.example",
        "to=/\\evil.example",
        "port=99999&challenge=" + "a" * 43,
        "port=9",
    ],
)
async def test_login_leads_nowhere_else(setting: Setting, query: str) -> None:
    await setting.configure()

    answer = await setting.anyone.get(f"{setting.url}/login/oidc/corp?{query}")

    assert answer.status_code == 400


async def test_logout_at_the_provider_ends_the_session_here(setting: Setting) -> None:
    setting.provider.account("jan", groups=[])
    await setting.configure()
    browser = Browser()
    page = await asyncio.to_thread(browser.log_in, f"{setting.url}/login/oidc/corp", "jan")
    found = TOKEN.search(page.text)
    assert found
    async with setting.caller(found[1]) as jan:
        before = await jan.get("/api/v1/tokens")
        await asyncio.to_thread(browser.open, f"{setting.provider.issuer}/session/end")
        await asyncio.to_thread(browser.submit, logout="yes")
        after = await jan.get("/api/v1/tokens")

    assert (before.status_code, after.status_code) == (200, 401)


async def test_account_that_the_provider_lets_go_loses_its_tokens(setting: Setting) -> None:
    setting.provider.account("kim")
    await setting.configure(scopes=["openid", "offline_access"], parameters={"prompt": "consent"}, recheck_minutes=1)
    async with setting.caller(await token_of(setting, "kim")) as kim:
        token = (await kim.post("/api/v1/tokens", json={"name": "ci"})).json()["token"]
    async with setting.caller(token) as machine:
        fresh = await machine.get("/api/v1/tokens")
        setting.clock.pass_(seconds=90)
        rechecked = await machine.get("/api/v1/tokens")
        setting.provider.forget("kim")
        unasked = await machine.get("/api/v1/tokens")
        setting.clock.pass_(seconds=90)
        let_go = await machine.get("/api/v1/tokens")

    assert [each.status_code for each in (fresh, rechecked, unasked, let_go)] == [200, 200, 200, 401]


async def test_tokens_wait_for_a_login_where_the_last_one_is_too_long_ago(setting: Setting) -> None:
    setting.provider.account("lou")
    await setting.configure(login_days=7)
    async with setting.caller(await token_of(setting, "lou")) as lou:
        token = (await lou.post("/api/v1/tokens", json={"name": "ci"})).json()["token"]
    async with setting.caller(token) as machine:
        soon = await machine.get("/api/v1/tokens")
        setting.clock.pass_(seconds=8 * 86_400)
        late = await machine.get("/api/v1/tokens")

    assert (soon.status_code, late.status_code) == (200, 401)


async def test_provider_that_is_switched_off_lets_nobody_in(setting: Setting) -> None:
    setting.provider.account("mia")
    await setting.configure()
    session = await token_of(setting, "mia")
    await setting.configure(enabled=False)
    async with setting.caller(session) as mia:
        refused = await mia.get("/api/v1/tokens")
    page = await setting.anyone.get(f"{setting.url}/login/oidc/corp")
    await setting.configure()

    assert (refused.status_code, page.status_code) == (401, 404)


async def test_secret_of_the_client_is_never_shown_and_survives_changes(setting: Setting) -> None:
    await setting.configure()
    at = f"{setting.url}/api/v1/security/oidc/providers/corp"
    shown = (await setting.admin.get(at)).json()
    del shown["name"]
    changed = await setting.admin.put(at, json={**shown, "button": "Corporate login"})
    buttons = (await setting.admin.get(f"{setting.url}/api/v1/login/providers")).json()

    assert "client_secret" not in shown
    assert changed.status_code == 204
    assert buttons[0]["text"] == "Corporate login"
    assert TOKEN.search((await logged_in(setting, "ann")).text)


@pytest.mark.parametrize(
    ("settings", "member"),
    [
        ({"issuer": "http://idp.example.org"}, "issuer"),
        ({"issuer": "ftp://idp.example.org"}, "issuer"),
        ({"algorithms": ["none"]}, "algorithms.0"),
        ({"algorithms": ["HS256"]}, "algorithms.0"),
        ({"default_roles": ["no-such-role"]}, "roles"),
        ({"misspelt": 1}, "misspelt"),
    ],
)
async def test_settings_that_nobody_should_log_in_by_are_refused(
    setting: Setting, settings: dict[str, Any], member: str
) -> None:
    body = {"issuer": setting.provider.issuer, "client_id": "pakhus", **settings}

    answer = await setting.admin.post(f"{setting.url}/api/v1/security/oidc/providers/wrong", json=body)

    assert answer.status_code == 400
    assert answer.json()["field"] == member


@pytest.mark.parametrize("name", ["default", "LDAP", "a/b", "workload"])
async def test_provider_cannot_take_the_name_of_another_source(setting: Setting, name: str) -> None:
    body = {"issuer": setting.provider.issuer, "client_id": "pakhus"}
    at = f"{setting.url}/api/v1/security/oidc/providers/{name}"

    assert (await setting.admin.post(at, json=body)).status_code in (400, 404)


async def test_people_of_a_provider_are_listed_with_their_source(setting: Setting) -> None:
    setting.provider.account("nia", groups=["dev"], email="nia@example.org")
    await setting.configure(button="Corporate login", default_roles=["nx-anonymous"])
    await token_of(setting, "nia")
    rest = f"{setting.url}/service/rest/v1/security"
    sources = (await setting.admin.get(f"{rest}/user-sources")).json()
    (nia,) = (await setting.admin.get(f"{rest}/users", params={"source": "corp", "userId": "nia"})).json()

    assert {"id": "corp", "name": "Corporate login"} in sources
    assert (nia["source"], nia["emailAddress"], nia["externalRoles"]) == ("corp", "nia@example.org", ["nx-anonymous"])


async def test_logout_at_one_node_counts_at_the_other(setting: Setting) -> None:
    """Two processes with one data directory, as behind a load balancer."""
    setting.provider.account("oda")
    await setting.configure()
    session = await token_of(setting, "oda")
    bearer = {"authorization": f"Bearer {session}"}
    async with serving(setting.serving.application.settings.data) as other, httpx2.AsyncClient(trust_env=False) as oda:
        before = await oda.get(f"{other.url}/api/v1/tokens", headers=bearer)
        await setting.serving.application.services.federation.sessions.end_all("corp", subject="oda")
        after = await oda.get(f"{other.url}/api/v1/tokens", headers=bearer)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_login_below_the_prefix_of_a_reverse_proxy_keeps_its_cookie_there(
    setting: Setting, tmp_path: Path
) -> None:
    environ = {"PAKHUS_HTTP_BASE_URL": "https://tools.example.org/packages"}
    async with serving(tmp_path / "data", environ) as proxied, httpx2.AsyncClient(trust_env=False) as browser:
        body = {"issuer": setting.provider.issuer, **CLIENT}
        await browser.post(f"{proxied.url}/api/v1/security/oidc/providers/corp", json=body, auth=ADMIN)
        begun = await browser.get(f"{proxied.url}/login/oidc/corp")
    cookie = begun.headers["set-cookie"]
    query = dict(parse_qsl(urlsplit(begun.headers["location"]).query))

    assert query["redirect_uri"] == "https://tools.example.org/packages/login/oidc/corp/callback"
    assert "Path=/packages/login" in cookie and "Secure" in cookie and "HttpOnly" in cookie


async def test_login_on_postgresql(setting: Setting, tmp_path: Path) -> None:
    with postgresql.running() as server, postgresql.database(server, "federation") as dsn:
        async with (
            serving(tmp_path / "data", {"PAKHUS_DATABASE_DSN": dsn}) as near,
            openid_for(near.url) as provider,
            httpx2.AsyncClient(auth=ADMIN, trust_env=False, timeout=30) as admin,
            httpx2.AsyncClient(trust_env=False, timeout=30) as anyone,
        ):
            here = Setting(near, admin, provider, Ahead(), anyone)
            provider.account("pia", groups=["dev"])
            await here.configure(role_mapping=[{"group": "dev", "roles": ["nx-admin"]}])
            for _ in range(2):
                session = await token_of(here, "pia")
            async with here.caller(session) as pia:
                users = await pia.get("/service/rest/v1/security/users")
                ended = await near.application.services.federation.sessions.end_all("corp", subject="pia")
                after = await pia.get("/service/rest/v1/security/users")

    assert (users.status_code, ended, after.status_code) == (200, 2, 401)


async def test_login_is_not_prolonged_by_itself(setting: Setting) -> None:
    setting.provider.account("quy")
    await setting.configure()
    session = await token_of(setting, "quy")

    again = await setting.anyone.post(f"{setting.url}/api/v1/login", json={"username": "quy", "password": session})

    assert again.status_code == 401
