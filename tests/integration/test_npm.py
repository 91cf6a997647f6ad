"""How npm packages change after their publication: what the clients' documents mean, and what they do not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.csel import parsed
from pakhus.domain.errors import BadPackage, Forbidden, Invalid
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Actor, ContentSelector, Grant
from pakhus.formats.npm.publish import upload
from pakhus.kit.context import Context, Form, UploadedAsset
from tests.contract.serving import Serving, serving
from tests.samples import Request
from tests.samples.npm import document, put, tarball

ADMIN = Actor("admin", (Grant.parse("*"),))
NAME = "@acme/web"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await found.create("npm", "hosted", "hosted")
        await found.create("npm", "hosted", "other")
        members = {"memberNames": ["other", "hosted"], "writableMember": "hosted"}
        await found.create("npm", "group", "group", group=members)
        yield found


async def publish(server: Serving, version: str, *, repository: str = "hosted", tag: str = "latest") -> None:
    sent = put(NAME, document(NAME, version, tarball(NAME, version), tag))
    assert (await server.ask(repository, sent)).status_code == 201


async def packument(server: Serving, repository: str = "hosted") -> Any:
    response = await server.get(repository, NAME)
    assert response.status_code == 200, response.text
    return response.json()


async def send(server: Serving, method: str, path: str, body: object, repository: str = "hosted") -> httpx2.Response:
    return await server.ask(repository, Request(method, path, json.dumps(body).encode()))


async def test_version_published_after_the_client_read_is_not_unpublished(server: Serving) -> None:
    await publish(server, "1.0.0")
    await publish(server, "1.1.0")
    read = await packument(server)
    await publish(server, "1.2.0")

    del read["versions"]["1.0.0"]
    assert (await send(server, "PUT", f"{NAME}/-rev/{read['_rev']}", read)).status_code == 201

    assert set((await packument(server))["versions"]) == {"1.1.0", "1.2.0"}


async def test_unpublishing_through_a_group_leaves_other_members_alone(server: Serving) -> None:
    await publish(server, "1.0.0")
    await publish(server, "1.1.0")
    await publish(server, "9.0.0", repository="other")
    read = await packument(server, "group")
    assert set(read["versions"]) == {"1.0.0", "1.1.0", "9.0.0"}

    del read["versions"]["1.1.0"]
    assert (await send(server, "PUT", f"{NAME}/-rev/{read['_rev']}", read, "group")).status_code == 201

    assert set((await packument(server))["versions"]) == {"1.0.0"}
    assert (await packument(server))["dist-tags"] == {"latest": "1.0.0"}
    assert set((await packument(server, "other"))["versions"]) == {"9.0.0"}


async def test_deprecation_does_not_pin_the_newest_version_as_latest(server: Serving) -> None:
    await publish(server, "1.0.0-rc.1", tag="next")
    read = await packument(server)
    assert read["dist-tags"] == {"latest": "1.0.0-rc.1", "next": "1.0.0-rc.1"}
    read["versions"]["1.0.0-rc.1"]["deprecated"] = "old"
    assert (await send(server, "PUT", NAME, read)).status_code == 201

    await publish(server, "1.0.0", tag="beta")

    assert (await packument(server))["dist-tags"] == {"latest": "1.0.0", "next": "1.0.0-rc.1", "beta": "1.0.0"}
    assert (await packument(server))["versions"]["1.0.0-rc.1"]["deprecated"] == "old"


async def test_owners_change_without_versions(server: Serving) -> None:
    await publish(server, "1.0.0")
    revision = (await packument(server))["_rev"]
    owners = [{"name": "ann", "email": "a@b"}]

    sent = {"_id": NAME, "_rev": revision, "maintainers": owners}
    assert (await send(server, "PUT", f"{NAME}/-rev/{revision}", sent)).status_code == 201

    assert (await packument(server))["maintainers"] == owners
    assert set((await packument(server))["versions"]) == {"1.0.0"}


async def test_every_change_is_another_revision_and_another_etag(server: Serving) -> None:
    await publish(server, "1.0.0")
    seen = {(await packument(server))["_rev"]}
    etags = {(await server.get("group", NAME)).headers["etag"]}
    await publish(server, "1.1.0")
    for body in ({"maintainers": [{"name": "x"}]}, {"versions": {"1.0.0": {"deprecated": "a"}}}):
        seen.add((await packument(server))["_rev"])
        etags.add((await server.get("group", NAME)).headers["etag"])
        assert (await send(server, "PUT", NAME, {"name": NAME, **body})).status_code == 201
    etags.add((await server.get("group", NAME)).headers["etag"])
    assert len(etags) == 4


@pytest.mark.parametrize("spelling", ["@acme/web", "@acme%2fweb", "@acme%2Fweb", "@acme%252fweb"])
async def test_both_encodings_of_a_scope_are_one_package(server: Serving, spelling: str) -> None:
    await publish(server, "1.0.0")
    for path in (spelling, f"{spelling}/1.0.0", f"{spelling}/latest", f"-/package/{spelling}/dist-tags"):
        assert (await server.get("group", path)).status_code == 200, path


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("DELETE", f"-/package/{NAME}/dist-tags/latest", None, 403),
        ("DELETE", f"-/package/{NAME}/dist-tags/none", None, 404),
        ("PUT", f"-/package/{NAME}/dist-tags/next", "9.9.9", 404),
        ("PUT", f"-/package/{NAME}/dist-tags/next", {"a": 1}, 400),
        ("PUT", f"-/package/{NAME}/dist-tags/1.x", "1.0.0", 400),
        ("PUT", f"-/package/{NAME}/dist-tags", {"next": 1}, 400),
        ("PUT", f"{NAME}/-rev/1-0", [], 400),
        ("PUT", f"{NAME}/-rev/1-0", {"_id": "other"}, 400),
        ("PUT", f"{NAME}/-rev/1-0", {"versions": []}, 400),
        ("PUT", f"{NAME}/-rev/1-0", {"maintainers": {}}, 400),
        ("PUT", NAME, {"name": NAME, "versions": {"1.0.0": {"deprecated": 5}}}, 400),
        ("PUT", "unknown", {"name": "unknown", "versions": {}}, 404),
        ("PUT", "-/user/org.couchdb.user:admin", {"name": "admin"}, 400),
        ("PUT", "-/user/org.couchdb.user:admin", {"name": "other", "password": "x"}, 400),
        ("POST", "-/v1/login", {}, 404),
        ("POST", "-/npm/v1/security/advisories/bulk", [], 400),
        ("GET", f"{NAME}/9.9.9", None, 404),
        ("GET", "-/npm/v1/keys", None, 404),
        ("GET", f"-/npm/v1/attestations/{NAME}@1.0.0", None, 404),
    ],
)
async def test_bad_requests_are_refused_and_change_nothing(
    server: Serving, method: str, path: str, body: object, status: int
) -> None:
    await publish(server, "1.0.0")
    before = await packument(server)
    response = await send(server, method, path, body)
    assert response.status_code == status, response.text
    assert response.json()["error"]
    assert await packument(server) == before


async def test_tags_are_set_together(server: Serving) -> None:
    await publish(server, "1.0.0")
    await publish(server, "1.1.0", tag="next")
    path = f"-/package/{NAME}/dist-tags"
    assert (await send(server, "POST", path, {"old": "1.0.0"})).status_code == 201
    assert (await server.get("hosted", path)).json() == {"latest": "1.0.0", "next": "1.1.0", "old": "1.0.0"}
    assert (await send(server, "PUT", path, {"beta": "1.1.0"})).status_code == 201
    assert (await server.get("hosted", path)).json() == {"latest": "1.0.0", "beta": "1.1.0"}


async def test_provenance_is_served_as_it_was_published(server: Serving) -> None:
    sent = document(NAME, "1.0.0", tarball(NAME, "1.0.0"))
    bundle = {"mediaType": "b", "dsseEnvelope": {"payload": "eyJwcmVkaWNhdGVUeXBlIjoicCJ9"}}
    sent["_attachments"][f"{NAME}-1.0.0.sigstore"] = {"content_type": "b", "data": json.dumps(bundle)}
    assert (await server.ask("hosted", put(NAME, sent))).status_code == 201
    dist = (await packument(server, "group"))["versions"]["1.0.0"]["dist"]
    assert dist["attestations"]["provenance"] == {"predicateType": "p"}
    answer = await server.http.get(dist["attestations"]["url"])
    assert answer.json() == {"attestations": [{"predicateType": "p", "bundle": bundle}]}


async def uploaded(server: Serving, *versions: str, body: bytes | None = None, actor: Actor = ADMIN) -> None:
    """As the REST upload does it."""
    services = server.application.services
    repository = await services.repositories.get("npm", RepositoryType.HOSTED, "hosted")
    ctx = Context("hosted", "", {}, {}, "", services.catalog.options(repository), lambda path: path)
    hosted = services.engine.hosted(repository, actor, ctx)

    async def chunks(content: bytes) -> AsyncIterator[bytes]:
        yield content

    for version in versions:
        draft = await hosted.draft(chunks(tarball(NAME, version) if body is None else body))
        await upload(Form({}, [UploadedAsset("asset", "any.tgz", draft)]), hosted)


async def test_uploaded_tarball_is_a_release(server: Serving) -> None:
    await uploaded(server, "1.0.0", "1.1.0-rc.1")
    found = await packument(server)
    assert set(found["versions"]) == {"1.0.0", "1.1.0-rc.1"}
    assert found["dist-tags"] == {"latest": "1.0.0"}
    assert found["description"] == f"The {NAME}"
    dist = found["versions"]["1.0.0"]["dist"]
    assert (await server.http.get(dist["tarball"])).content == tarball(NAME, "1.0.0")
    assert dist["integrity"].startswith("sha512-")


async def test_latest_that_was_set_follows_newer_uploads_only(server: Serving) -> None:
    await publish(server, "1.1.0")
    await uploaded(server, "1.0.0", "2.0.0-rc.1")
    assert (await packument(server))["dist-tags"] == {"latest": "1.1.0"}
    await uploaded(server, "1.2.0")
    assert (await packument(server))["dist-tags"] == {"latest": "1.2.0"}


@pytest.mark.parametrize("body", [b"", b"no tarball", tarball("Capital", "1.0.0"), tarball("a", "1")])
async def test_bad_uploads_leave_nothing(server: Serving, body: bytes) -> None:
    with pytest.raises((BadPackage, Invalid)):
        await uploaded(server, "1.0.0", body=body)
    assert await server.application.services.stores.get("default").drafts() == 0


def below(folder: str) -> ContentSelector:
    text = f'path =^ "{folder}"'
    return ContentSelector("below", text, parsed(text))


async def test_who_may_write_to_a_scope_only_may_publish_in_it(server: Serving) -> None:
    mine = Grant.parse("repository-view:npm:hosted:*", selector=below("/@acme/"))
    await uploaded(server, "1.0.0", "1.1.0", actor=Actor("ann", (mine,)))
    assert set((await packument(server))["versions"]) == {"1.0.0", "1.1.0"}
    other = Grant.parse("repository-view:npm:hosted:*", selector=below("/@other/"))
    with pytest.raises(Forbidden):
        await uploaded(server, "1.2.0", actor=Actor("bob", (other,)))
