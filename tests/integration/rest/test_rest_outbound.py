"""What proxies share on their way out: forward proxies, timeouts, user agent; and the certificates they trust."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from aiohttp import web

from tests.clients.tls import certificate
from tests.integration.rest.conftest import BASE, STORAGE, Rest
from tests.integration.upstream import upstream

PROXY: dict[str, Any] = {
    "enabled": True,
    "host": "127.0.0.1",
    "port": "3128",
    "authInfo": {"enabled": True, "username": "u", "password": "p", "ntlmHost": None, "ntlmDomain": None},
}
SETTINGS: dict[str, Any] = {
    "userAgent": "for-acme",
    "timeout": 30,
    "retries": 1,
    "nonProxyHosts": ["*.internal"],
    "httpProxy": PROXY,
    "httpsProxy": None,
}


async def test_settings_read_as_they_were_sent_but_for_secrets(rest: Rest, admin: httpx2.AsyncClient) -> None:
    changed = await admin.put("http", json=SETTINGS)
    read = (await admin.get("http")).json()

    assert (changed.status_code, changed.content) == (204, b"")
    hidden = {**PROXY["authInfo"], "password": "#~NXRM~PLACEHOLDER~PASSWORD~#"}
    assert read == {**SETTINGS, "httpProxy": {**PROXY, "authInfo": hidden}}
    assert (await admin.put("http", json=read)).status_code == 204
    assert (await rest.application.services.outbound.get())["httpProxy"]["authInfo"]["password"] == "p"
    elsewhere = {**read, "httpProxy": {**read["httpProxy"], "host": "192.0.2.1"}}
    assert (await admin.put("http", json=elsewhere)).status_code == 204
    assert (await rest.application.services.outbound.get())["httpProxy"]["authInfo"]["password"] is None
    assert (await admin.delete("http")).status_code == 204
    assert (await admin.get("http")).json() == dict.fromkeys(SETTINGS)


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": 0},
        {"retries": 11},
        {"httpProxy": {"enabled": True, "host": "h"}},
        {"httpProxy": {"enabled": True, "host": "h", "port": "http"}},
        {"httpProxy": {"enabled": False, "port": 70000}},
        {"httpProxy": {**PROXY, "authInfo": {"enabled": True, "ntlmHost": "x"}}},
    ],
)
async def test_bad_settings_are_refused(admin: httpx2.AsyncClient, change: dict[str, Any]) -> None:
    assert (await admin.put("http", json={**SETTINGS, **change})).status_code == 400


async def test_upstreams_are_asked_through_the_forward_proxy(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.proxy("mirror", "http://upstream.test/files")
    async with upstream() as forward:

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(body=b"by proxy")

        forward.handler = answer
        port = forward.url.rstrip("/").rpartition(":")[2]
        proxy = {**PROXY, "port": port}
        assert (await admin.put("http", json={**SETTINGS, "httpProxy": proxy})).status_code == 204

        found = await admin.get(f"{BASE}/repository/mirror/a.txt")

        assert found.content == b"by proxy"
        assert forward.seen == ["GET http://upstream.test/files/a.txt"]
        headers = forward.requests[0].headers
        assert headers["User-Agent"].endswith(" for-acme")
        assert headers["Proxy-Authorization"] == "Basic dTpw"


async def test_some_hosts_are_asked_directly(rest: Rest, admin: httpx2.AsyncClient) -> None:
    settings = {**SETTINGS, "nonProxyHosts": ["127.*"], "httpProxy": {**PROXY, "port": "1"}}
    async with upstream() as direct:
        direct.files["a.txt"] = b"directly"
        await rest.proxy("mirror", direct.url)
        assert (await admin.put("http", json=settings)).status_code == 204

        assert (await admin.get(f"{BASE}/repository/mirror/a.txt")).content == b"directly"


async def test_own_settings_of_a_repository_come_first(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.proxy("mirror")
    body = (await admin.get("repositories/raw/proxy/mirror")).json()
    await admin.put("http", json={**SETTINGS, "httpProxy": None})
    common = rest.application.services.catalog.get("mirror").remote
    assert common is not None and (common.connection.timeout, common.connection.retries) == (30.0, 1)

    body["httpClient"]["connection"] = {"timeout": 5, "retries": 0, "userAgentSuffix": "mine"}
    assert (await admin.put("repositories/raw/proxy/mirror", json=body)).status_code == 204

    own = rest.application.services.catalog.get("mirror").remote
    assert own is not None and (own.connection.timeout, own.connection.retries) == (5.0, 0)
    assert own.connection.user_agent_suffix == "for-acme mine"


async def test_certificate_lives_its_life(admin: httpx2.AsyncClient, tmp_path: Path) -> None:
    pem = certificate(tmp_path)[0].read_text()
    headers = {"content-type": "application/json"}

    made = await admin.post("security/ssl/truststore", content=pem, headers=headers)
    again = await admin.post("security/ssl/truststore", content=pem)
    shown = made.json()

    assert made.status_code == 201
    assert list(shown) == [
        "id", "fingerprint", "serialNumber", "pem", "issuedOn", "expiresOn",
        "issuerCommonName", "issuerOrganization", "issuerOrganizationalUnit",
        "subjectCommonName", "subjectOrganization", "subjectOrganizationalUnit",
    ]  # fmt: skip
    assert (shown["subjectCommonName"], shown["pem"]) == ("Pakhus under test", pem)
    assert shown["expiresOn"] - shown["issuedOn"] == (24 * 60 + 5) * 60_000
    assert (again.status_code, again.json()) == (
        409, f"A certificate already exists with the id: '{shown['id']}'.",
    )  # fmt: skip
    assert (await admin.post("security/ssl/truststore", content="no certificate")).status_code == 400
    assert (await admin.get("security/ssl/truststore")).json() == [shown]
    url = f"security/ssl/truststore/{quote(shown['id'], safe='')}"
    assert (await admin.delete(url)).status_code == 204
    assert (await admin.delete(url)).status_code == 404


async def test_proxy_trusts_what_the_trust_store_has(rest: Rest, admin: httpx2.AsyncClient, tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"secret way")

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        await _make(admin, port, use_trust_store=True)
        assert (await admin.get(f"{BASE}/repository/mirror/a.txt")).status_code == 502, "not trusted yet"

        shown = (await admin.get("security/ssl", params={"host": "127.0.0.1", "port": port})).json()
        assert shown["pem"] == chain.read_text()
        assert (await admin.post("security/ssl/truststore", content=shown["pem"])).status_code == 201
        assert (await admin.get(f"{BASE}/repository/mirror/b.txt")).content == b"secret way"

        body = (await admin.get("repositories/raw/proxy/mirror")).json()
        body["httpClient"]["connection"]["useTrustStore"] = False
        assert (await admin.put("repositories/raw/proxy/mirror", json=body)).status_code == 204
        assert (await admin.get(f"{BASE}/repository/mirror/c.txt")).status_code == 502, "not to be trusted"
    finally:
        await runner.cleanup()


async def _make(admin: httpx2.AsyncClient, port: int, *, use_trust_store: bool) -> None:
    body = {
        "name": "mirror",
        "online": True,
        "storage": STORAGE,
        "proxy": {"remoteUrl": f"https://127.0.0.1:{port}/", "contentMaxAge": 1440, "metadataMaxAge": 1440},
        "negativeCache": {"enabled": True, "timeToLive": 1440},
        "httpClient": {"blocked": False, "autoBlock": False, "connection": {"useTrustStore": use_trust_store}},
    }
    assert (await admin.post("repositories/raw/proxy", json=body)).status_code == 201


async def test_server_without_certificate_is_told(admin: httpx2.AsyncClient) -> None:
    async with upstream() as plain:
        port = plain.url.rstrip("/").rpartition(":")[2]
        answer = await admin.get("security/ssl", params={"host": "127.0.0.1", "port": port})

    assert (answer.status_code, answer.json()) == (
        400, f"Could not retrieve an SSL certificate from '127.0.0.1:{port}'.",
    )  # fmt: skip
