"""Logins, their end, cookies, second factors, lockouts and what a new password has to be."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from pakhus.services.identity.secondfactor import STEP_SECONDS, totp
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest
from tests.integration.rest.test_rest_security import JANE

NATIVE = f"{BASE}/api/v1"
RAPTURE = f"{BASE}/service/rapture/session"
CSRF = "NX-ANTI-CSRF-TOKEN"


async def logged_in(rest: Rest, **more: str) -> dict[str, str]:
    """The header of a new login of the administrator."""
    async with rest.caller() as caller:
        answer = await caller.post(f"{NATIVE}/login", json={"username": ADMIN[0], "password": ADMIN[1], **more})
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['token']}"}


async def status(rest: Rest, headers: Mapping[str, str]) -> int:
    async with rest.caller() as caller:
        return (await caller.get("security/users", headers=dict(headers))).status_code


def form(username: str, password: str, **more: str) -> dict[str, str]:
    coded = {"username": username, "password": password}
    return {**{name: base64.b64encode(text.encode()).decode() for name, text in coded.items()}, **more}


@BOTH
async def test_login_ends_when_it_is_logged_out(rest: Rest) -> None:
    one, other = await logged_in(rest), await logged_in(rest)
    async with rest.caller() as caller:
        assert (await caller.delete(f"{NATIVE}/login", headers=one)).status_code == 204

    assert await status(rest, one) == 401
    assert await status(rest, other) == 200


async def test_logins_are_listed_and_ended_by_their_user(rest: Rest, admin: httpx2.AsyncClient) -> None:
    first, second, third = [await logged_in(rest) for _ in range(3)]
    listed = (await admin.get(f"{NATIVE}/sessions")).json()
    assert [list(each) for each in listed] == [["id", "address", "agent", "created", "expires"]] * 3

    assert (await admin.delete(f"{NATIVE}/sessions/{listed[1]['id']}")).status_code == 204
    assert [await status(rest, each) for each in (first, second, third)] == [200, 401, 200]
    assert (await admin.delete(f"{NATIVE}/sessions/{listed[1]['id']}")).status_code == 404

    assert (await admin.delete(f"{NATIVE}/sessions")).status_code == 204
    assert [await status(rest, each) for each in (first, second, third)] == [401, 401, 401]


async def test_token_opens_no_login_that_would_outlive_it(rest: Rest, admin: httpx2.AsyncClient) -> None:
    token = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]

    answer = await admin.post(f"{NATIVE}/login", json={"username": "admin", "password": token})

    assert answer.status_code == 401


async def test_browser_logs_in_with_a_cookie_and_out_again(rest: Rest) -> None:
    async with rest.caller() as browser:
        assert (await browser.post(RAPTURE, data=form("admin", "wrong"))).status_code == 403
        assert (await browser.get("security/users")).status_code == 401
        foreign = {"sec-fetch-site": "cross-site"}
        assert (await browser.post(RAPTURE, data=form(*ADMIN), headers=foreign)).status_code == 403

        opened = await browser.post(RAPTURE, data=form(*ADMIN))

        assert (opened.status_code, opened.content) == (204, b"")
        session = next(each for each in opened.headers.get_list("set-cookie") if each.startswith("NXSESSIONID="))
        assert "HttpOnly" in session and "SameSite=lax" in session and "Secure" not in session
        assert (await browser.get("security/users")).status_code == 200
        cookies = dict(browser.cookies)

        csrf = {CSRF: cookies[CSRF]}
        assert (await browser.delete(RAPTURE, headers=csrf)).status_code == 204
        assert (await browser.get("security/users", headers=_cookies(cookies))).status_code == 401


def _cookies(cookies: Mapping[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def test_cookie_alone_changes_nothing(rest: Rest) -> None:
    role = {"id": "made", "name": "made", "privileges": [], "roles": []}
    async with rest.caller() as browser:
        await browser.post(RAPTURE, data=form(*ADMIN))
        token = browser.cookies[CSRF]

        assert (await browser.post("security/roles", json=role)).status_code == 401
        assert (await browser.post("security/roles", json=role, headers={CSRF: "0" * 64})).status_code == 401
        assert (await browser.put(f"{BASE}/repository/files/a", content=b"a")).status_code in (401, 404)
        assert (await browser.post("security/roles", json=role, headers={CSRF: token})).status_code == 200


async def test_token_of_one_login_is_no_proof_for_another(rest: Rest) -> None:
    role = {"id": "made", "name": "made", "privileges": [], "roles": []}
    async with rest.caller() as browser, rest.caller() as attacker:
        await browser.post(RAPTURE, data=form(*ADMIN))
        await attacker.post(RAPTURE, data=form(*ADMIN))
        foreign = attacker.cookies[CSRF]

        answer = await browser.post("security/roles", json=role, headers={CSRF: foreign})

    assert answer.status_code == 401


async def test_cookie_of_a_login_that_is_over_is_nobody(rest: Rest, admin: httpx2.AsyncClient) -> None:
    async with rest.caller() as browser:
        await browser.post(RAPTURE, data=form(*ADMIN))
        await admin.delete(f"{NATIVE}/sessions")

        assert (await browser.get("status")).status_code == 200
        assert (await browser.get("security/users")).status_code == 401
        assert (await browser.post(RAPTURE, data=form(*ADMIN))).status_code == 204


async def test_pages_say_what_a_browser_may_do_with_them(anonymous: httpx2.AsyncClient) -> None:
    answer = await anonymous.get("status")

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"


# -- second factor -------------------------------------------------------------------------------------------------


def code_of(secret: str, *, ahead: int = 0) -> str:
    return totp(base64.b32decode(secret), int(time.time()) // STEP_SECONDS + ahead)


async def test_second_factor_is_asked_for_once_it_is_confirmed(rest: Rest, admin: httpx2.AsyncClient) -> None:
    token = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    bearer = {"authorization": f"Bearer {token}"}
    made = (await admin.post(f"{NATIVE}/second-factor")).json()
    assert made["uri"].startswith("otpauth://totp/Pakhus")
    assert await status(rest, bearer) == 200
    assert (await admin.get(f"{NATIVE}/second-factor")).json() == {"enabled": False}

    wrong = await admin.put(f"{NATIVE}/second-factor", json={"code": "abc"})
    right = await admin.put(f"{NATIVE}/second-factor", json={"code": code_of(made["secret"], ahead=-1)})

    assert (wrong.status_code, right.status_code) == (400, 204)
    assert (await admin.get("security/users")).status_code == 401
    assert await status(rest, bearer) == 200
    login = {"username": ADMIN[0], "password": ADMIN[1]}
    async with rest.caller() as caller:
        without = await caller.post(f"{NATIVE}/login", json=login)
        used = await caller.post(f"{NATIVE}/login", json={**login, "code": code_of(made["secret"], ahead=-1)})
        assert (without.status_code, used.status_code) == (401, 401)
        assert "second factor" in without.json()["message"]
    session = await logged_in(rest, code=code_of(made["secret"]))
    assert await status(rest, session) == 200
    async with rest.caller() as caller:
        alone = await caller.delete(f"{NATIVE}/second-factor", headers=session)
        assert alone.status_code == 400
        gone = await caller.delete(
            f"{NATIVE}/second-factor", params={"code": code_of(made["secret"], ahead=1)}, headers=session
        )
        assert gone.status_code == 204
    assert (await admin.get("security/users")).status_code == 200


async def test_second_factor_of_another_is_removed_by_an_administrator(rest: Rest, admin: httpx2.AsyncClient) -> None:
    jane = await rest.user("jane", "nx-search-read")
    made = (await jane.post(f"{NATIVE}/second-factor")).json()
    await jane.put(f"{NATIVE}/second-factor", json={"code": code_of(made["secret"])})
    assert (await jane.get("repositories")).status_code == 401

    nobody = await rest.user("nobody", "nx-search-read")
    assert (await nobody.delete(f"{NATIVE}/second-factor", params={"user": "jane"})).status_code == 403
    assert (await admin.delete(f"{NATIVE}/second-factor", params={"user": "jane"})).status_code == 204

    assert (await jane.get("repositories")).status_code == 200


@pytest.mark.parametrize(("seconds", "code"), [(59, "94287082"), (1111111109, "07081804"), (20000000000, "65353130")])
def test_codes_are_those_of_the_specification(seconds: int, code: str) -> None:
    """RFC 6238, appendix B."""
    assert totp(b"12345678901234567890", seconds // STEP_SECONDS, digits=8) == code


# -- lockout -------------------------------------------------------------------------------------------------------


@BOTH
async def test_wrong_passwords_lock_the_user_out_until_unlocked(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)
    async with rest.caller("jane", "wrong") as wrong, rest.caller("jane", JANE["password"]) as right:
        assert [(await wrong.get("repositories")).status_code for _ in range(10)] == [401] * 10

        waits = await right.get("repositories")

        assert (waits.status_code, waits.headers["retry-after"]) == (429, "300")
        (listed,) = (await admin.get(f"{NATIVE}/lockouts")).json()
        assert (listed["user"], listed["failures"]) == ("jane", 10)
        assert (await admin.delete(f"{NATIVE}/lockouts", params={"user": "jane"})).status_code == 204
        assert (await right.get("repositories")).status_code == 200
        assert (await admin.delete(f"{NATIVE}/lockouts", params={"user": "jane"})).status_code == 404


async def test_users_that_do_not_exist_are_locked_out_alike(rest: Rest) -> None:
    async with rest.caller("nobody", "wrong") as wrong:
        assert [(await wrong.get("repositories")).status_code for _ in range(11)] == [401] * 10 + [429]


async def test_empty_password_is_no_guess(rest: Rest, admin: httpx2.AsyncClient) -> None:
    """zypper sends one before it asks for the right one."""
    async with rest.caller("admin", "") as empty:
        assert [(await empty.get("repositories")).status_code for _ in range(12)] == [401] * 12

    assert (await admin.get("security/users")).status_code == 200


# -- passwords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["Password1!", "qwertz123456", "aaaaaaaaaa", "jane1234567", "P@ssw0rd", "0" * 12])
async def test_password_that_is_guessed_early_is_refused(admin: httpx2.AsyncClient, password: str) -> None:
    answer = await admin.post("security/users", json={**JANE, "password": password})

    assert answer.status_code == 400
    assert answer.json()[0]["id"] == "password"


async def test_new_password_ends_protocol_logins_and_keeps_tokens(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("modules", format="npm")
    await admin.post("security/users", json=JANE)
    document: dict[str, Any] = {"name": "jane", "password": JANE["password"]}
    url = f"{BASE}/repository/modules/-/user/org.couchdb.user:jane"
    npm = (await admin.put(url, json=document)).json()["token"]
    api = (await admin.post(f"{NATIVE}/tokens", params={"user": "jane"}, json={"name": "ci"})).json()["token"]

    await admin.put("security/users/jane/change-password", content="a-wholly-other-one")

    async def whoami(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        async with rest.caller() as caller:
            return (await caller.get(f"{BASE}/repository/modules/-/whoami", headers=headers)).status_code

    assert (await whoami(npm), await whoami(api)) == (401, 200)


async def test_users_change_their_own_password_by_the_old_one(rest: Rest) -> None:
    jane = await rest.user("jane", "nx-search-read")
    old, new = "password-of-jane", "a-wholly-other-one"
    async with rest.caller() as caller:
        login = await caller.post(f"{NATIVE}/login", json={"username": "jane", "password": old})
        session = {"authorization": f"Bearer {login.json()['token']}"}
        wrong = await caller.put(f"{NATIVE}/password", json={"old": "wrong", "new": new}, headers=session)
        weak = await caller.put(f"{NATIVE}/password", json={"old": old, "new": "jane2024!"}, headers=session)
        assert (wrong.status_code, weak.status_code, weak.json()["field"]) == (403, 400, "password")

        changed = await caller.put(f"{NATIVE}/password", json={"old": old, "new": new}, headers=session)

        assert changed.status_code == 204
        assert (await caller.get("repositories", headers=session)).status_code == 401
    assert (await jane.get("repositories")).status_code == 401
    async with rest.caller("jane", new) as again:
        assert (await again.get("repositories")).status_code == 200


async def test_unknown_user_is_refused_as_slowly_as_a_wrong_password(rest: Rest) -> None:
    async def fastest(username: str) -> float:
        seen = []
        for number in range(4):
            async with rest.caller(username, f"wrong {number}") as caller:
                started = time.perf_counter()
                assert (await caller.get("repositories")).status_code == 401
                seen.append(time.perf_counter() - started)
        return min(seen)

    unknown, known = await fastest("nobody"), await fastest("admin")

    assert 0.5 < unknown / known < 2
