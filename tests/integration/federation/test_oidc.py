"""Logins through a certified OpenID provider, from the browser's first step to a package client's token."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from pakhus.services.federation.oidc import challenge_of
from tests.integration.federation.conftest import Setting
from tests.peers.openid import Browser

HOSTED: dict[str, Any] = {"storage": {"blobStoreName": "default", "strictContentTypeValidation": False}}

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOKEN = re.compile(r'id="token">([^<]+)<')


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
