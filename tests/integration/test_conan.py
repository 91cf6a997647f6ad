"""Conan beyond the contract: logins, uploads tried again, clients without revisions, answers of other servers."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.contract.serving import ADMIN, Serving
from tests.integration.upstream import Upstream
from tests.samples import Request
from tests.samples.conan import ALPHA, BUILT, HERE, NEW, OLD, PACKAGE, V1, conaninfo, manifest, put, release

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def publish(server: Serving, repository: str, revision: str = OLD) -> None:
    for request in release(ALPHA, revision).publish:
        answer = await server.ask(repository, request)
        assert answer.status_code == 201, answer.text


async def post(server: Serving, repository: str, path: str, body: object) -> httpx2.Response:
    return await server.ask(repository, Request("POST", path, json.dumps(body).encode()))


async def read(server: Serving, repository: str, path: str) -> Any:
    answer = await server.get(repository, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def upload_unrevised(server: Serving, repository: str, path: str, files: dict[str, bytes]) -> None:
    """As Conan 1 without revisions does it: ask for the URLs, go there."""
    urls = (
        await post(server, repository, f"{path}/upload_urls", {name: len(body) for name, body in files.items()})
    ).json()
    assert urls.keys() == files.keys()
    for name, body in sorted(files.items()):
        assert (await server.http.put(urls[name], content=body)).status_code == 201


async def test_a_login_gives_a_token_in_plain_text(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    answer = await near.get(name, "v2/users/authenticate")
    assert answer.headers["content-type"].startswith("text/plain")
    async with httpx2.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {answer.text}"}) as client:
        said = await client.get(near.at(name, "v2/users/check_credentials"))
        assert (said.status_code, said.text) == (200, ADMIN[0])


async def test_who_logs_in_with_a_token_keeps_it(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    token = (await near.get(name, "v2/users/authenticate")).text
    again = await near.get(name, "v1/users/authenticate", auth=(ADMIN[0], token))
    assert (again.status_code, again.text) == (200, token)
    other = await near.get(name, "v1/users/authenticate", auth=("somebody", token))
    assert other.status_code == 401


async def test_a_stranger_learns_the_capabilities_and_nothing_more(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        ping = await stranger.get(near.at(name, "v1/ping"))
        assert ping.status_code == 200
        assert "revisions" in ping.headers["x-conan-server-capabilities"].split(",")
        assert (await stranger.head(near.at(name, "v1/ping"))).headers.get("x-conan-server-capabilities")
        for path in ("v2/users/authenticate", "v2/users/check_credentials", "v2/conans/search"):
            assert (await stranger.get(near.at(name, path))).status_code == 401


async def test_a_v1_proxy_does_not_offer_revisions(near: Serving, name: str, far: Upstream) -> None:
    await near.create("conan", "proxy", name, proxy={"remoteUrl": far.url}, conanProxy={"conanVersion": "V1"})
    ping = await near.get(name, "v1/ping")
    assert "revisions" not in ping.headers["x-conan-server-capabilities"]


async def test_an_upload_without_its_manifest_can_be_tried_again(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name, storage={"writePolicy": "ALLOW_ONCE"})
    files = {"conanfile.py": b"class Recipe: pass\n"}
    sent = [put(f"{HERE}/files/conanfile.py", files["conanfile.py"])]
    for request in (*sent, *sent, put(f"{HERE}/files/conanmanifest.txt", manifest(files))):
        assert (await near.ask(name, request)).status_code == 201
    refused = await near.ask(name, sent[0])
    assert refused.status_code == 400
    assert "does not allow updating" in refused.text


async def test_metadata_is_added_and_replaced_where_releases_are_not(near: Serving, name: str) -> None:
    await near.create(
        "conan", "hosted", name, storage={"writePolicy": "ALLOW_ONCE", "strictContentTypeValidation": True}
    )
    await publish(near, name)
    for body in (b"first", b"second"):
        assert (await near.ask(name, put(f"{HERE}/files/metadata/logs/build.txt", body))).status_code == 201
    assert (await near.get(name, f"{HERE}/files/metadata/logs/build.txt")).content == b"second"
    assert "metadata/logs/build.txt" in (await read(near, name, f"{HERE}/files"))["files"]


async def test_clients_without_revisions_read_the_latest_one(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    await near.create("conan", "group", f"{name}-all", group={"memberNames": [name]})
    await publish(near, name, OLD)
    await publish(near, name, NEW)
    for repository in (name, f"{name}-all"):
        urls = await read(near, repository, f"{V1}/download_urls")
        assert set(urls) == {"conanfile.py", "conan_export.tgz", "conanmanifest.txt"}
        assert all(url.startswith(near.at(repository, f"{ALPHA}/revisions/{NEW}/files/")) for url in urls.values())
        built = await read(near, repository, f"{V1}/packages/{PACKAGE}/digest")
        assert list(built) == ["conanmanifest.txt"]
        assert (await near.http.get(built["conanmanifest.txt"])).status_code == 200
        assert all(len(md5) == 32 for md5 in (await read(near, repository, V1)).values())
        assert list(await read(near, repository, f"{V1}/search")) == [PACKAGE]


async def test_an_upload_without_revisions_is_revision_0(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    await publish(near, name, OLD)
    for text in (b"# one", b"# two"):
        await upload_unrevised(near, name, V1, {"conanfile.py": text, "conanmanifest.txt": manifest({"x": text})})
    package = {"conaninfo.txt": conaninfo(os="Linux"), "conanmanifest.txt": manifest({})}
    await upload_unrevised(near, name, f"{V1}/packages/{PACKAGE}", package)

    assert (await read(near, name, f"{ALPHA}/latest"))["revision"] == "0"
    found = await read(near, name, f"{V1}/download_urls")
    assert (await near.http.get(found["conanfile.py"])).content == b"# two"
    assert (await read(near, name, f"{ALPHA}/revisions/0/packages/{PACKAGE}/latest"))["revision"] == "0"

    assert (await post(near, name, f"{V1}/remove_files", {"files": ["conanfile.py", "never.txt"]})).status_code == 200
    assert set(await read(near, name, f"{V1}/download_urls")) == {"conanmanifest.txt"}
    assert (await post(near, name, f"{V1}/packages/delete", {"package_ids": [PACKAGE]})).status_code == 200
    assert (await near.get(name, f"{HERE}/packages/{PACKAGE}/revisions")).status_code == 404
    assert (await near.ask(name, Request("DELETE", V1))).status_code == 200
    assert (await near.get(name, f"{ALPHA}/revisions")).status_code == 404


async def test_what_was_removed_cannot_be_removed_again(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    await publish(near, name)
    for path in (f"{HERE}/packages/{PACKAGE}/revisions/{BUILT}", HERE):
        assert (await near.ask(name, Request("DELETE", path))).status_code == 200
        assert (await near.ask(name, Request("DELETE", path))).status_code == 404
    assert (await read(near, name, "v2/conans/search"))["results"] == []


async def test_components_are_found_by_nexus_parameters(near: Serving, name: str) -> None:
    await near.create("conan", "hosted", name)
    await publish(near, name)
    base = f"{near.url}/service/rest/v1/search?repository={name}"
    for asked in (f"conan.revision={OLD}", f"conan.packageId={PACKAGE}", "conan.baseVersion=1.0", "conan.channel=_"):
        (item,) = (await near.http.get(f"{base}&{asked}")).json()["items"]
        assert (item["name"], item["version"], len(item["assets"])) == ("alpha", "1.0", 6)
    assert (await near.http.get(f"{base}&conan.revision={NEW}")).json()["items"] == []


async def test_answers_of_other_servers_are_understood(near: Serving, name: str, far: Upstream) -> None:
    times = {"revision": OLD, "time": "2024-05-06T07:08:09.000+0000"}
    far.files[f"{ALPHA}/latest"] = json.dumps(times).encode()
    far.files[f"{ALPHA}/revisions"] = json.dumps({"reference": "alpha/1.0@_/_", "revisions": [times]}).encode()
    far.files[f"{HERE}/files"] = b'{"files": {"conanfile.py": {}, "conanmanifest.txt": {}}}'
    far.files[f"{HERE}/files/conanfile.py"] = b"class Recipe: pass\n"
    far.files["v2/conans/search"] = b'{"results": ["alpha/1.0@_/_", "beta/1.0@acme/stable"]}'
    await near.create("conan", "proxy", name, proxy={"remoteUrl": far.url})

    assert (await read(near, name, f"{ALPHA}/latest"))["time"] == "2024-05-06T07:08:09+00:00"
    assert (await read(near, name, "v1/conans/search"))["results"] == ["alpha/1.0", "beta/1.0@acme/stable"]
    urls = await read(near, name, f"{V1}/download_urls")
    assert (await near.http.get(urls["conanfile.py"])).content == b"class Recipe: pass\n"
