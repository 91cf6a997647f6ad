"""Who may do what in docker repositories, by which door: tokens and their scopes, paths, ports, host names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.services.clock import Clock
from tests.contract.serving import Serving, serving
from tests.integration.registry import Registry, code
from tests.samples.docker import digest, manifest

READER, WRITER = ("reader", "a-readers-password"), ("writer", "a-writers-password")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", {"PAKHUS_AUTH_ANONYMOUS_ENABLED": "false"}) as found:
        await found.create("docker", "hosted", "open", docker={"forceBasicAuth": False})
        await found.create("docker", "hosted", "basic", docker={"forceBasicAuth": True})
        await user(found, READER, "nx-repository-view-docker-open-read", "nx-repository-view-docker-open-browse")
        await user(found, WRITER, "nx-repository-view-docker-*-*")
        yield found


async def user(server: Serving, login: tuple[str, str], *privileges: str) -> None:
    rest = f"{server.url}/service/rest/v1/security"
    role = {"id": login[0], "name": login[0], "description": "", "privileges": list(privileges), "roles": []}
    assert (await server.http.post(f"{rest}/roles", json=role)).is_success
    person = {"userId": login[0], "firstName": "A", "lastName": "B", "emailAddress": "a@example.org"}
    made = await server.http.post(
        f"{rest}/users", json={**person, "password": login[1], "status": "active", "roles": [login[0]]}
    )
    assert made.is_success, made.text


def stranger() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(trust_env=False, timeout=30)


async def token(server: Serving, scope: str, login: tuple[str, str] | None, **more: str) -> dict[str, Any]:
    async with stranger() as http:
        params = {"service": "x", "scope": scope, **more}
        answer = await http.get(f"{server.url}/v2/token", params=params, auth=login)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def bearer(given: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {given['token']}"}


async def test_the_version_check_names_the_token_service(server: Serving) -> None:
    async with stranger() as http:
        for url, realm in (
            (f"{server.url}/v2/", f"{server.url}/v2/token"),
            (server.at("open", "v2/"), server.at("open", "v2/token")),
        ):
            answer = await http.get(url)
            assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
            assert f'realm="{realm}"' in answer.headers["www-authenticate"]
            assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
        basic = await http.get(server.at("basic", "v2/"))
        assert basic.headers["www-authenticate"].startswith("BASIC realm=")
        assert (await http.get(f"{server.url}/v2/", auth=WRITER)).status_code == 200


async def test_a_refusal_says_which_scope_is_wanted(server: Serving) -> None:
    async with stranger() as http:
        for method, path, scope in (
            ("GET", "open/team/app/manifests/1", "repository:open/team/app:pull"),
            ("POST", "open/team/app/blobs/uploads/", "repository:open/team/app:pull,push"),
            ("DELETE", f"open/app/manifests/{digest(b'')}", "repository:open/app:delete"),
        ):
            answer = await http.request(method, f"{server.url}/v2/{path}")
            assert answer.status_code == 401
            assert f'scope="{scope}"' in answer.headers["www-authenticate"]


async def test_a_token_is_good_for_its_scope_only(server: Serving) -> None:
    admin = Registry(server.http, server.url)
    await admin.push("open/app", "1")
    await admin.push("open/other", "1")
    pull = bearer(await token(server, "repository:open/app:pull", WRITER))

    async with stranger() as http:
        registry = Registry(http, server.url)
        assert (await registry.get("open/app/manifests/1", headers=pull)).status_code == 200
        other = await registry.get("open/other/manifests/1", headers=pull)
        assert (other.status_code, code(other)) == (401, "UNAUTHORIZED")
        assert 'scope="repository:open/other:pull"' in other.headers["www-authenticate"]
        push = await registry.ask("POST", "open/app/blobs/uploads/", headers=pull)
        assert push.status_code == 401
        both = bearer(await token(server, "repository:open/app:pull,push", WRITER))
        assert (await registry.ask("POST", "open/app/blobs/uploads/", headers=both)).status_code == 202
        assert (await registry.ask("DELETE", "open/app/manifests/1", headers=both)).status_code == 401
        assert (await http.get(f"{server.url}/service/rest/v1/security/users", headers=both)).status_code == 403


async def test_a_token_gives_no_right_that_its_user_lacks(server: Serving) -> None:
    given = await token(server, "repository:open/app:pull,push,delete", READER)
    async with stranger() as http:
        registry = Registry(http, server.url)
        refused = await registry.ask("POST", "open/app/blobs/uploads/", headers=bearer(given))
        assert (refused.status_code, code(refused)) == (403, "DENIED")
        hidden = bearer(await token(server, "repository:basic/app:pull", READER))
        assert (await registry.get("basic/app/manifests/1", headers=hidden)).status_code in (401, 403)


async def test_a_right_that_is_taken_away_ends_a_token_at_once(server: Serving) -> None:
    await Registry(server.http, server.url).push("open/app", "1")
    pull = bearer(await token(server, "repository:open/app:pull", READER))
    url = f"{server.url}/v2/open/app/manifests/1"
    async with stranger() as http:
        assert (await http.get(url, headers=pull)).status_code == 200
        none = {"id": "none", "name": "none", "description": "", "privileges": [], "roles": []}
        await server.http.post(f"{server.url}/service/rest/v1/security/roles", json=none)
        rest = f"{server.url}/service/rest/v1/security/users/reader"
        body = {"userId": "reader", "firstName": "A", "lastName": "B", "emailAddress": "a@example.org"}
        answer = await server.http.put(rest, json={**body, "source": "default", "status": "active", "roles": ["none"]})
        assert answer.is_success, answer.text
        assert (await http.get(url, headers=pull)).status_code == 403


async def test_a_changed_password_ends_all_tokens(server: Serving) -> None:
    given = await token(server, "repository:open/app:pull", READER, offline_token="true")
    rest = f"{server.url}/service/rest/v1/security/users/reader/change-password"
    assert (await server.http.put(rest, content="another-password", headers={"content-type": "text/plain"})).is_success
    async with stranger() as http:
        read = await http.get(f"{server.url}/v2/open/app/tags/list", headers=bearer(given))
        assert read.status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        assert (await http.post(f"{server.url}/v2/token", data=form)).status_code == 401


async def test_a_refresh_token_gets_tokens_and_nothing_else(server: Serving) -> None:
    await Registry(server.http, server.url).push("open/app", "1")
    given = await token(server, "", READER, offline_token="true")
    async with stranger() as http:
        direct = {"authorization": f"Bearer {given['refresh_token']}"}
        assert (await http.get(f"{server.url}/v2/open/app/manifests/1", headers=direct)).status_code == 401
        form = {"grant_type": "refresh_token", "scope": "repository:open/app:pull"}
        answer = await http.post(f"{server.url}/v2/token", data={**form, "refresh_token": given["refresh_token"]})
        assert answer.status_code == 200
        pull = bearer(answer.json())
        assert (await http.get(f"{server.url}/v2/open/app/manifests/1", headers=pull)).status_code == 200
        password = {"grant_type": "password", "username": READER[0], "scope": "repository:open/app:pull"}
        right = await http.post(f"{server.url}/v2/token", data={**password, "password": READER[1]})
        wrong = await http.post(f"{server.url}/v2/token", data={**password, "password": "guessed"})
        assert (right.status_code, wrong.status_code) == (200, 401)


async def test_a_token_expires(tmp_path: Path) -> None:
    now = [datetime.now(UTC)]
    async with serving(tmp_path / "data", clock=Clock(now=lambda: now[0])) as server:
        await server.create("docker", "hosted", "open", docker={"forceBasicAuth": False})
        given = await token(server, "repository:open/app:pull", ("admin", "an-administrators-password"))
        async with stranger() as http:
            url = f"{server.url}/v2/"
            assert (await http.get(url, headers=bearer(given))).status_code == 200
            now[0] += timedelta(seconds=given["expires_in"] + 1)
            assert (await http.get(url, headers=bearer(given))).status_code == 401


async def test_anonymous_pulls_where_it_may(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", {"PAKHUS_AUTH_ANONYMOUS_ENABLED": "true"}) as server:
        await server.create("docker", "hosted", "open", docker={"forceBasicAuth": False})
        await server.create("docker", "hosted", "basic", docker={"forceBasicAuth": True})
        admin = Registry(server.http, server.url)
        for name in ("open", "basic"):
            await admin.push(f"{name}/app", "1")
        async with stranger() as http:
            registry = Registry(http, server.url)
            assert (await registry.get("")).status_code == 401
            given = await token(server, "repository:open/app:pull,push repository:basic/app:pull", None)
            assert (await registry.get("", headers=bearer(given))).status_code == 200
            assert (await registry.get("open/app/manifests/1", headers=bearer(given))).status_code == 200
            assert (await registry.get("open/app/manifests/1")).status_code == 200
            assert (await registry.get("basic/app/manifests/1", headers=bearer(given))).status_code == 401
            assert (await registry.get("basic/app/manifests/1")).status_code == 401
            push = await registry.ask("POST", "open/app/blobs/uploads/", headers=bearer(given))
            assert push.status_code == 401


async def test_a_mount_wants_the_right_to_read_the_source(server: Serving) -> None:
    admin = Registry(server.http, server.url)
    name = await admin.blob("basic/secret", b"a secret layer")
    only = ("only", "a-password-for-open")
    await user(server, only, "nx-repository-view-docker-open-*")
    url = f"open/app/blobs/uploads/?mount={name}&from=basic/secret"
    async with stranger() as http:
        registry = Registry(http, server.url)
        refused = await registry.ask("POST", url, auth=only)
        assert refused.status_code == 202
        assert (await registry.get(f"open/app/blobs/{name}", auth=only)).status_code == 404
        assert (await registry.ask("POST", url, auth=WRITER)).status_code == 201
        assert (await registry.get(f"open/app/blobs/{name}", auth=only)).content == b"a secret layer"


async def test_the_catalog_of_the_server_names_what_the_caller_may_read(server: Serving) -> None:
    admin = Registry(server.http, server.url)
    await admin.push("open/app", "1")
    await admin.push("basic/secret", "1")
    async with stranger() as http:
        registry = Registry(http, server.url)
        assert (await registry.get("_catalog", auth=READER)).json() == {"repositories": ["open/app"]}
        given = bearer(await token(server, "registry:catalog:*", WRITER))
        every = await registry.get("_catalog", headers=given)
        assert every.json() == {"repositories": ["basic/secret", "open/app"]}
        assert (await registry.get("_catalog")).status_code == 401
        own = await http.get(server.at("open", "v2/_catalog"), auth=READER)
        assert own.json() == {"repositories": ["app"]}


async def test_a_repository_off_the_path_is_not_found_there(server: Serving) -> None:
    await server.create("docker", "hosted", "offpath", docker={"pathEnabled": False})
    admin = Registry(server.http, server.url)
    missing = await admin.ask("POST", "offpath/app/blobs/uploads/")
    assert (missing.status_code, code(missing)) == (404, "NAME_UNKNOWN")
    assert (await Registry.of(server, "offpath").ask("POST", "app/blobs/uploads/")).status_code == 202
    await server.create("raw", "hosted", "files")
    assert (await admin.get("files/app/manifests/1")).status_code == 404


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def opened(port: int, wanted: bool) -> bool:
    """Wait until the port is open, or closed."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                is_open = True
            except OSError:
                is_open = False
            if is_open is wanted:
                return True
            await asyncio.sleep(0.02)


async def test_a_port_opens_and_closes_with_its_repository(server: Serving) -> None:
    first, second = free_port(), free_port()
    await server.create("docker", "hosted", "ported", docker={"forceBasicAuth": False, "httpPort": first})
    assert await opened(first, True)
    at_port = Registry(server.http, f"http://127.0.0.1:{first}")
    body = await at_port.push("app", "1")
    assert (await Registry(server.http, server.url).get("ported/app/manifests/1")).content == body
    challenged = await stranger().get(at_port.url(""))
    assert f'realm="http://127.0.0.1:{first}/v2/token"' in challenged.headers["www-authenticate"]
    assert (await server.http.get(f"http://127.0.0.1:{first}/service/rest/v1/status")).status_code == 404

    rest = f"{server.url}/service/rest/v1/repositories/docker/hosted/ported"
    known = (await server.http.get(rest)).json()
    assert known["docker"]["httpPort"] == first
    moved = {**known, "docker": {**known["docker"], "httpPort": second}}
    assert (await server.http.put(rest, json=moved)).status_code == 204
    assert await opened(second, True)
    assert await opened(first, False)

    assert (await server.http.delete(f"{server.url}/service/rest/v1/repositories/ported")).status_code == 204
    assert await opened(second, False)


async def test_two_repositories_do_not_share_a_port_or_a_name(server: Serving) -> None:
    port = free_port()
    await server.create("docker", "hosted", "mine", docker={"httpPort": port, "subdomain": "images"})
    rest = f"{server.url}/service/rest/v1/repositories/docker/hosted"
    body = {"name": "yours", "online": True, "storage": {"blobStoreName": "default"}}
    for options in (
        {"httpPort": port},
        {"subdomain": "Images"},
        {"httpsPort": free_port()},
        {"httpPort": 70000},
        {"httpPort": port + 1, "httpsPort": port + 1},
        {"subdomain": "no.dots"},
    ):
        given = {**body, "docker": {"v1Enabled": False, "forceBasicAuth": True, **options}}
        assert (await server.http.post(rest, json=given)).status_code == 400, options


async def test_a_host_name_leads_to_its_repository(server: Serving) -> None:
    await server.create("docker", "hosted", "named", docker={"forceBasicAuth": False, "subdomain": "images"})
    port = httpx2.URL(server.url).port
    host = {"host": f"images.example.org:{port}"}
    registry = Registry(server.http, server.url)
    name = digest(b"x")
    pushed = await registry.ask("POST", f"app/blobs/uploads/?digest={name}", content=b"x", headers=host)
    assert pushed.status_code == 201
    assert pushed.headers["location"] == f"http://images.example.org:{port}/v2/app/blobs/{name}"
    assert (await registry.get(f"named/app/blobs/{name}")).content == b"x"
    assert (await server.http.get(f"{server.url}/service/rest/v1/status", headers=host)).status_code == 200
    other = await registry.get(f"app/blobs/{name}", headers={"host": "elsewhere.example.org"})
    assert other.status_code == 404


async def test_the_search_of_version_one_is_off_until_it_is_wanted(server: Serving) -> None:
    await server.create("docker", "hosted", "old", docker={"v1Enabled": True})
    await Registry.of(server, "old").push("team/app", "1")
    found = await server.http.get(server.at("old", "v1/search?q=APP"))
    assert [each["name"] for each in found.json()["results"]] == ["team/app"]
    assert (await server.http.get(server.at("old", "v1/search?q=none"))).json()["results"] == []
    assert (await server.http.get(server.at("open", "v1/search?q=app"))).status_code == 404


async def test_a_wrong_password_at_the_token_service_is_told_so(server: Serving) -> None:
    async with stranger() as http:
        answer = await http.get(f"{server.url}/v2/token", auth=("reader", "guessed"))
        assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"].startswith("BASIC")


async def test_a_manifest_by_another_door_is_the_same(server: Serving) -> None:
    admin = Registry(server.http, server.url)
    await admin.blob("open/app", b"{}")
    body = manifest(b"{}", [])
    await admin.manifest("open/app", "1", body)
    assert (await Registry.of(server, "open").get("app/manifests/1")).content == body
