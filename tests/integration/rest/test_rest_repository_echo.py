"""Every format and type reads back as Nexus shows it: what a client sent, with defaults in the members it left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, Rest

Json = dict[str, Any]

STORAGE: Json = {"blobStoreName": "default", "strictContentTypeValidation": True}
MAVEN: Json = {"versionPolicy": "RELEASE", "layoutPolicy": "STRICT", "contentDisposition": "INLINE"}
FIREWALL: Json = {"removeNonCataloged": False, "removeQuarantined": True}
QUERIES: Json = {"queryCacheItemMaxAge": 1800, "nugetVersion": "V3"}

SEGMENTS = {"maven2": "maven"}
HOSTED: Mapping[str, Json] = {
    "cargo": {},
    "conan": {},
    "go": {},
    "helm": {},
    "maven2": {"maven": MAVEN},
    "npm": {},
    "nuget": {},
    "pypi": {},
    "raw": {"raw": {"contentDisposition": "INLINE"}},
}
PROXY: Mapping[str, Json] = {
    "cargo": {"cargo": {"requireAuthentication": True}},
    "conan": {"conanProxy": {"conanVersion": "V2"}},
    "go": {},
    "helm": {},
    "maven2": {"maven": MAVEN},
    "npm": {"npm": FIREWALL},
    "nuget": {"nugetProxy": QUERIES},
    "pypi": {"pypi": {"removeQuarantined": True}},
    "raw": {"raw": {"contentDisposition": "ATTACHMENT"}},
}
GROUP: Mapping[str, Json] = {**{key: {} for key in HOSTED}, "cargo": PROXY["cargo"], "raw": HOSTED["raw"]}
CLIENT: Json = {
    "blocked": False,
    "autoBlock": True,
    "connection": {
        "retries": 3,
        "userAgentSuffix": "ours",
        "timeout": 60,
        "enableCircularRedirects": True,
        "enableCookies": True,
        "useTrustStore": True,
    },
    "authentication": {"type": "username", "username": "u", "password": "p", "ntlmHost": None, "ntlmDomain": None},
}


def hosted(name: str, own: Json) -> Json:
    return {
        "name": name,
        "online": True,
        "storage": {**STORAGE, "writePolicy": "allow_once"},
        "cleanup": {"policyNames": ["weekly"]},
        "component": {"proprietaryComponents": True},
        **own,
    }


def proxy(name: str, own: Json) -> Json:
    return {
        "name": name,
        "online": False,
        "storage": STORAGE,
        "cleanup": {"policyNames": ["weekly"]},
        "proxy": {"remoteUrl": "https://upstream.invalid/files/", "contentMaxAge": -1, "metadataMaxAge": 7},
        "negativeCache": {"enabled": False, "timeToLive": 11},
        "httpClient": CLIENT,
        "routingRule": "no-tmp",
        "replication": {"preemptivePullEnabled": False, "assetPathRegex": None},
        **own,
    }


def read(sent: Json, format: str, type: str) -> Json:
    """What a GET has to say of it."""
    shown = {**sent, "format": format, "type": type, "url": f"{BASE}/repository/{sent['name']}"}
    if "httpClient" in shown:
        login = {name: value for name, value in CLIENT["authentication"].items() if name != "password"}
        shown["httpClient"] = {**CLIENT, "authentication": login}
        shown["routingRuleName"] = shown.pop("routingRule")
    return shown


def contains(found: Any, wanted: Any) -> bool:
    """Equal, but for members that this server adds to a format's own options."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(name in found and contains(found[name], value) for name, value in wanted.items())
    return bool(found == wanted)


OWN = {"maven", "raw", "npm", "nuget", "nugetProxy", "pypi", "cargo", "conanProxy"}


async def check(admin: httpx2.AsyncClient, format: str, type: str, sent: Json) -> None:
    url = f"repositories/{SEGMENTS.get(format, format)}/{type}"
    made = await admin.post(url, json=sent)
    assert (made.status_code, made.content) == (201, b""), (format, type, made.text)
    for _ in range(2):
        found = (await admin.get(f"{url}/{sent['name']}")).json()
        wanted = read(sent, format, type)
        assert contains(found, wanted), (format, type, found, wanted)
        assert found.keys() - OWN == wanted.keys() - OWN, (format, type)
        changed = await admin.put(f"{url}/{sent['name']}", json=found)
        assert (changed.status_code, changed.content) == (204, b""), (format, type, changed.text)


async def prepare(admin: httpx2.AsyncClient) -> None:
    rule = {"name": "no-tmp", "description": "", "mode": "BLOCK", "matchers": ["^/tmp/.*"]}
    assert (await admin.post("routing-rules", json=rule)).status_code == 204
    policy = {"name": "weekly", "format": "*", "criteriaLastBlobUpdated": 7}
    assert (await admin.post("cleanup-policies", json=policy)).status_code in (200, 201)


async def test_hosted_repositories_of_every_format_read_as_they_were_sent(admin: httpx2.AsyncClient) -> None:
    await prepare(admin)
    for format, own in HOSTED.items():
        await check(admin, format, "hosted", hosted(f"{format}-hosted", own))


async def test_proxies_of_every_format_read_as_they_were_sent(admin: httpx2.AsyncClient) -> None:
    await prepare(admin)
    for format, own in PROXY.items():
        await check(admin, format, "proxy", proxy(f"{format}-proxy", own))


async def test_groups_of_every_format_read_as_they_were_sent(admin: httpx2.AsyncClient) -> None:
    await prepare(admin)
    for format, own in GROUP.items():
        names = [f"{format}-z", f"{format}-a"]
        for name in names:
            await check(admin, format, "hosted", hosted(name, HOSTED[format]))
        body = {"name": f"{format}-all", "online": True, "storage": STORAGE, "group": {"memberNames": names}, **own}
        await check(admin, format, "group", body)
        writable = {**body, "name": f"{format}-writable", "group": {"memberNames": names, "writableMember": names[1]}}
        await check(admin, format, "group", writable)


async def test_members_that_were_never_set_are_null(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.proxy("mirror")

    hosted = (await admin.get("repositories/raw/hosted/files")).json()
    proxy = (await admin.get("repositories/raw/proxy/mirror")).json()

    assert (hosted["cleanup"], hosted["component"]) == (None, None)
    assert (proxy["cleanup"], proxy["routingRuleName"], proxy["replication"]) == (None, None, None)
    assert proxy["httpClient"]["authentication"] is None


@pytest.mark.parametrize(
    ("section", "value", "flaw"),
    [
        ("proxy", {"remoteUrl": "ftp://upstream.invalid"}, "proxy.remoteUrl"),
        ("proxy", {"remoteUrl": "https://[x"}, "proxy.remoteUrl"),
        ("proxy", {"remoteUrl": "https://u.invalid", "contentMaxAge": -2}, "proxy.contentMaxAge"),
        ("negativeCache", {"timeToLive": "soon"}, "negativeCache.timeToLive"),
        ("httpClient", {"connection": {"timeout": 0}}, "httpClient.connection.timeout"),
        ("httpClient", {"authentication": {"type": "magic"}}, "httpClient.authentication.type"),
        ("cleanup", {"policyNames": 5}, "cleanup.policyNames"),
        ("cleanup", 5, "cleanup"),
        ("storage", 5, "storage"),
    ],
)
async def test_a_flaw_is_told_by_its_place(admin: httpx2.AsyncClient, section: str, value: Any, flaw: str) -> None:
    body = {**proxy("mirror", {}), "cleanup": None, section: value}

    answer = await admin.post("repositories/raw/proxy", json=body)

    assert answer.status_code == 400
    assert [each["id"] for each in answer.json()] == [flaw]


async def test_trust_store_needs_an_https_upstream(admin: httpx2.AsyncClient) -> None:
    body = {**proxy("mirror", {}), "proxy": {"remoteUrl": "http://upstream.invalid"}}

    answer = await admin.post("repositories/raw/proxy", json=body)

    assert (answer.status_code, answer.json()) == (400, "TrustStore is available only with HTTPS remote URLs")
