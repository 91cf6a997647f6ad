"""Users whom a trusted proxy names, and limits of how often somebody may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from pakhus.app import create
from pakhus.domain.errors import Invalid, Unauthenticated
from pakhus.services.clock import Clock
from pakhus.settings import load
from tests.integration.rest.conftest import ADMIN, BASE, Ahead, Rest

NATIVE = f"{BASE}/api/v1"
WITH_PROXY = ["NexusAuthenticatingRealm", "NexusAuthorizingRealm", "rutauth-realm"]
Started = Callable[..., AbstractAsyncContextManager[Rest]]


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def started(tmp_path: Path, seconds: Seconds) -> Started:
    @asynccontextmanager
    async def start(**settings: str) -> AsyncIterator[Rest]:
        environ = {
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            **{f"PAKHUS_{name.upper()}": value for name, value in settings.items()},
        }
        application = create(load(data=tmp_path / "data", environ=environ).settings, clock=Clock(seconds=seconds))
        async with application.running():
            yield Rest(application, httpx2.ASGITransport(app=application.asgi), Ahead())

    return start


PROXY = {"auth_remote_user_header": "X-SSO-USER", "http_trusted_proxies": "127.0.0.1/32"}


async def test_proxy_names_the_user_while_its_realm_is_active(started: Started) -> None:
    async with started(**PROXY) as rest, rest.caller(*ADMIN) as admin, rest.caller() as proxied:
        named = {"x-sso-user": "admin"}
        assert (await proxied.get("security/users", headers=named)).status_code == 401

        await admin.put("security/realms/active", json=WITH_PROXY)

        assert (await proxied.get("security/users", headers=named)).status_code == 200
        assert (await proxied.get("security/users", headers={"x-sso-user": "nobody"})).status_code == 401
        assert (await proxied.get("security/users")).status_code == 401
        await admin.put("security/realms/active", json=WITH_PROXY[:2])
        assert (await proxied.get("security/users", headers=named)).status_code == 401


async def test_another_site_changes_nothing_through_the_proxy(started: Started) -> None:
    role = {"id": "made", "name": "made", "privileges": [], "roles": []}
    async with started(**PROXY) as rest, rest.caller(*ADMIN) as admin, rest.caller() as proxied:
        await admin.put("security/realms/active", json=WITH_PROXY)
        for site, expected in (("cross-site", 401), ("same-site", 401), ("same-origin", 200)):
            headers = {"x-sso-user": "admin", "sec-fetch-site": site}
            assert (await proxied.post("security/roles", json=role, headers=headers)).status_code == expected


async def test_nobody_but_a_trusted_proxy_names_users(started: Started) -> None:
    async with (
        started(auth_remote_user_header="X-SSO-USER") as rest,
        rest.caller(*ADMIN) as admin,
        rest.caller() as stranger,
    ):
        await admin.put("security/realms/active", json=WITH_PROXY)

        assert (await stranger.get("security/users", headers={"x-sso-user": "admin"})).status_code == 401


async def test_writes_of_an_account_are_limited_and_reads_are_not(started: Started, seconds: Seconds) -> None:
    role = {"id": "none", "name": "none", "privileges": [], "roles": []}
    async with started(http_rate_limit_per_user="3") as rest, rest.caller(*ADMIN) as admin:
        codes = [(await admin.put("security/roles/none", json=role)).status_code for _ in range(3)]
        limited = await admin.put("security/roles/none", json=role)
        assert (codes, limited.status_code, limited.headers["retry-after"]) == ([404] * 3, 429, "21")
        assert [(await admin.get("security/users")).status_code for _ in range(5)] == [200] * 5

        seconds.now += 21

        assert (await admin.put("security/roles/none", json=role)).status_code == 404


async def test_address_is_limited_before_passwords_are_looked_at(started: Started) -> None:
    async with started(http_rate_limit_per_address="4") as rest, rest.caller("admin", "wrong") as caller:
        codes = [(await caller.delete("security/roles/none")).status_code for _ in range(5)]

    assert codes == [401] * 4 + [429]


@pytest.mark.parametrize(("exempt", "last"), [("127.0.0.0/8", 200), ("192.0.2.0/24", 429)])
async def test_exempt_networks_are_not_counted(started: Started, exempt: str, last: int) -> None:
    settings = {"http_rate_limit_per_address": "2", "http_rate_limit_reads": "yes", "http_rate_limit_exempt": exempt}
    async with started(**settings) as rest, rest.caller() as caller:
        assert [(await caller.get("status")).status_code for _ in range(3)] == [200, 200, last]


@pytest.mark.parametrize(("exempt", "last"), [("127.0.0.0/8", 401), ("", 429)])
async def test_exempt_networks_are_not_locked_out(started: Started, exempt: str, last: int) -> None:
    async with (
        started(auth_lockout_failures="2", auth_lockout_exempt=exempt) as rest,
        rest.caller("admin", "wrong") as caller,
    ):
        assert [(await caller.get("security/users")).status_code for _ in range(3)] == [401, 401, last]


async def test_login_of_a_protocol_is_reused_renewed_and_swept(tmp_path: Path) -> None:
    moment = [datetime(2026, 1, 1, tzinfo=UTC)]
    environ = {"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1], "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false"}
    settings = load(data=tmp_path / "data", environ={**environ, "PAKHUS_AUTH_LOGIN_TOKEN_DAYS": "10"}).settings
    application = create(settings, clock=Clock(now=lambda: moment[0]))
    async with application.running():
        accounts, tokens = application.services.accounts, application.services.tokens

        async def log_in(address: str = "192.0.2.1") -> str:
            return await accounts.login(*ADMIN, label="conan login", address=address, format="conan")

        first, other = await log_in(), await log_in("192.0.2.2")
        moment[0] += timedelta(days=4)
        assert (await log_in(), other != first) == (first, True)
        moment[0] += timedelta(days=2)
        renewed = await log_in()
        assert renewed != first
        assert (await accounts.by_token(first, "", format="conan")).user == "admin"

        moment[0] += timedelta(days=5)
        with pytest.raises(Unauthenticated, match="expired"):
            await accounts.by_token(first, "", format="conan")
        await accounts.open_session(*ADMIN, "192.0.2.1")
        await accounts.sweep()
        assert len(await tokens.of("admin")) == 1
        moment[0] += timedelta(days=1)
        await accounts.sweep()
        assert await application.services.identification.sessions.of("admin", "default") == []


async def test_tokens_live_no_longer_than_the_server_allows(tmp_path: Path) -> None:
    environ = {"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1], "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false"}
    settings = load(data=tmp_path / "data", environ={**environ, "PAKHUS_AUTH_TOKEN_MAX_DAYS": "5"}).settings
    application = create(settings)
    async with application.running():
        now = application.services.now()
        await application.services.accounts.login(*ADMIN, label="npm login", address="", format="npm")
        await application.services.tokens.create("admin", "ci")
        with pytest.raises(Invalid):
            await application.services.tokens.create("admin", "long", expires_days=6)
        found = await application.services.tokens.of("admin")

    assert all(each.expires and each.expires - now < timedelta(days=5, minutes=1) for each in found)
