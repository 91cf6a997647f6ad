"""The same with Keycloak, the provider that most people have: OpenID Connect and SAML."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.clients.install import NotInstalled
from tests.contract.serving import ADMIN, Serving, serving
from tests.peers import keycloak
from tests.peers.keycloak import GROUPS, Keycloak
from tests.peers.openid import Browser

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(900)]
TOKEN = re.compile(r'id="token">([^<]+)<')
ANN = {"username": "ann", "password": "secret-of-ann"}
SAML_NAMES = {"username": "username", "email": "email", "firstName": "firstName", "lastName": "lastName"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Keycloak]:
    try:
        with keycloak.running() as running:
            yield running
    except NotInstalled as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def near(tmp_path_factory: pytest.TempPathFactory, provider: Keycloak) -> AsyncIterator[Serving]:
    async with serving(tmp_path_factory.mktemp("keycloak") / "data") as running:
        await asyncio.to_thread(provider.realm, [_oidc_client(running.url), _saml_client(running.url)])
        async with httpx2.AsyncClient(auth=ADMIN, trust_env=False, timeout=60) as admin:
            await configure(running.url, admin, provider)
            yield running


def _oidc_client(url: str) -> dict[str, Any]:
    return {
        "clientId": "pakhus",
        "secret": "a-secret-of-the-client",
        "redirectUris": [f"{url}/*"],
        "protocol": "openid-connect",
        "publicClient": False,
        "protocolMappers": [GROUPS],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "backchannel.logout.url": f"{url}/login/oidc/keycloak/backchannel",
            "backchannel.logout.session.required": "true",
        },
    }


def _saml_client(url: str) -> dict[str, Any]:
    """With assertions signed and encrypted for the service provider, and no signatures demanded of it."""
    properties = [
        {
            "name": name,
            "protocol": "saml",
            "protocolMapper": "saml-user-property-mapper",
            "config": {"user.attribute": attribute, "attribute.name": name, "friendly.name": name},
        }
        for attribute, name in SAML_NAMES.items()
    ]
    groups = {
        "name": "groups",
        "protocol": "saml",
        "protocolMapper": "saml-group-membership-mapper",
        "config": {"full.path": "false", "attribute.name": "groups", "single": "true"},
    }
    return {
        "clientId": f"{url}/service/rest/v1/security/saml/metadata",
        "redirectUris": [f"{url}/*"],
        "protocol": "saml",
        "frontchannelLogout": True,
        "protocolMappers": [*properties, groups],
        "attributes": {
            "saml.client.signature": "false",
            "saml.server.signature": "true",
            "saml.assertion.signature": "true",
            "saml.force.post.binding": "true",
            "saml.authnstatement": "true",
            "saml_assertion_consumer_url_post": f"{url}/saml",
        },
    }


async def configure(url: str, admin: httpx2.AsyncClient, provider: Keycloak) -> None:
    body = {
        "issuer": provider.issuer,
        "client_id": "pakhus",
        "client_secret": "a-secret-of-the-client",
        "admin_group": "developers",
    }
    made = await admin.post(f"{url}/api/v1/security/oidc/providers/keycloak", json=body)
    assert made.status_code == 201, made.text
    names = {f"{name}Attribute": name for name in ("firstName", "lastName", "email")}
    saml = {
        "idpMetadata": await asyncio.to_thread(provider.saml_metadata),
        "usernameAttribute": "username",
        "groupsAttribute": "groups",
        "validateResponseSignature": True,
        "validateAssertionSignature": True,
        **names,
        "emailAttribute": "email",
    }
    first = await admin.put(f"{url}/service/rest/v1/security/saml", json=saml)
    again = await admin.put(f"{url}/service/rest/v1/security/saml", json=saml)
    assert (first.status_code, again.status_code) == (201, 204), first.text
    role = {"id": "developers", "name": "developers", "privileges": ["nx-users-all"], "roles": []}
    assert (await admin.post(f"{url}/service/rest/v1/security/roles", json=role)).status_code == 200


async def logged_in(browser: Browser, url: str) -> str:
    page = await asyncio.to_thread(browser.open, url)
    while "<form" in page.text and page.status_code < 400:
        page = await asyncio.to_thread(browser.submit, **(ANN if 'name="password"' in page.text else {}))
    found = TOKEN.search(page.text)
    assert found is not None, f"{page.status_code} {page.url} {page.text}"
    return found[1]


def caller(near: Serving, token: str) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=near.url, headers=headers, trust_env=False, timeout=60)


async def test_login_by_openid_connect_and_logout_at_keycloak(near: Serving, provider: Keycloak) -> None:
    token = await logged_in(Browser(), f"{near.url}/login/oidc/keycloak")
    async with caller(near, token) as ann:
        before = await ann.get("/service/rest/v1/security/users")
        user = await asyncio.to_thread(provider.user_id, "ann")
        await asyncio.to_thread(provider.admin, "POST", f"/corp/users/{user}/logout")
        after = await ann.get("/service/rest/v1/security/users")

    assert before.status_code == 200
    assert after.status_code == 401


async def test_login_by_saml_as_nexus_configures_it(near: Serving) -> None:
    token = await logged_in(Browser(), f"{near.url}/login/saml/SAML")
    async with caller(near, token) as ann:
        users = await ann.get("/service/rest/v1/security/users")
        made = await ann.post("/api/v1/tokens", json={"name": "laptop"})
        blobs = await ann.get("/service/rest/v1/blobstores")

    assert users.status_code == 200  # the group's name is a role's
    assert made.json()["user"] == "ann"
    assert blobs.status_code == 403


async def test_request_that_is_signed_and_an_answer_that_is_encrypted(near: Serving, provider: Keycloak) -> None:
    async with httpx2.AsyncClient(auth=ADMIN, trust_env=False) as admin:
        pem = (await admin.get(f"{near.url}/service/rest/v1/security/saml/pem")).text
    certificate = "".join(pem.splitlines()[1:-1])
    client = provider.admin("GET", "/corp/clients?search=true&clientId=metadata").json()[0]
    client["attributes"] |= {
        "saml.client.signature": "true",
        "saml.signing.certificate": certificate,
        "saml.encrypt": "true",
        "saml.encryption.certificate": certificate,
        "saml.encryption.algorithm": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    }
    await asyncio.to_thread(provider.admin, "PUT", f"/corp/clients/{client['id']}", client)

    assert await logged_in(Browser(), f"{near.url}/login/saml/SAML")
