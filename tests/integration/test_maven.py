"""Maven in a whole server: policies, what clients send along, a proxy's promises, the REST upload."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.domain.errors import PakhusError
from pakhus.domain.security import Actor, Grant
from pakhus.kit.context import Context, Draft, Form, UploadedAsset
from tests.contract.serving import ADMIN, Serving, serving

JAR = "org/acme/app/1.0/app-1.0.jar"
BUILD = "org/acme/app/1.0-SNAPSHOT/app-1.0-20240506.070809-1.jar"
LISTING = "org/acme/app/maven-metadata.xml"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as running:
        yield running


async def hosted(server: Serving, name: str, policy: str = "MIXED", write: str = "ALLOW") -> None:
    maven = {"versionPolicy": policy, "layoutPolicy": "STRICT"}
    await server.create("maven2", "hosted", name, maven=maven, storage={"writePolicy": write})


async def put(server: Serving, repository: str, path: str, body: bytes) -> httpx2.Response:
    return await server.http.put(server.at(repository, path), content=body)


async def test_a_version_that_the_policy_refuses_is_neither_written_nor_read(server: Serving) -> None:
    await hosted(server, "releases", "RELEASE")
    refused = await put(server, "releases", BUILD, b"x")
    assert refused.status_code == 400
    assert "Repository version policy: RELEASE does not allow version: 1.0-20240506.070809-1" in refused.text
    assert (await server.get("releases", BUILD)).status_code == 404
    metadata = "org/acme/app/1.0-SNAPSHOT/maven-metadata.xml"
    refused = await put(server, "releases", metadata, b"<metadata/>")
    assert refused.status_code == 400
    assert "does not allow metadata in path" in refused.text


async def test_a_wrong_checksum_is_refused_and_a_right_one_acknowledged(server: Serving) -> None:
    await hosted(server, "mixed")
    await put(server, "mixed", JAR, b"the jar")
    right = hashlib.sha1(b"the jar").hexdigest()
    assert (await put(server, "mixed", f"{JAR}.sha1", right.encode())).status_code == 201
    refused = await put(server, "mixed", f"{JAR}.sha1", b"0" * 40)
    assert refused.status_code == 400
    assert f"is {right}, not {'0' * 40}" in refused.json()["detail"]
    assert (await server.get("mixed", f"{JAR}.sha1")).text == right


async def test_metadata_of_clients_is_acknowledged_and_our_own_is_served(server: Serving) -> None:
    await hosted(server, "mixed")
    await put(server, "mixed", JAR, b"the jar")
    theirs = b"<metadata><versioning><versions><version>9.9</version></versions></versioning></metadata>"
    assert (await put(server, "mixed", LISTING, theirs)).status_code == 201
    assert (await put(server, "mixed", f"{LISTING}.md5", b"0" * 32)).status_code == 201
    ours = await server.get("mixed", LISTING)
    assert "<version>1.0</version>" in ours.text
    assert "9.9" not in ours.text
    assert (await server.get("mixed", f"{LISTING}.sha256")).text == hashlib.sha256(ours.content).hexdigest()


async def test_what_is_derived_cannot_be_deleted_and_says_no_error(server: Serving) -> None:
    await hosted(server, "mixed")
    await put(server, "mixed", JAR, b"the jar")
    for path in (LISTING, f"{JAR}.sha1"):
        assert (await server.http.delete(server.at("mixed", path))).status_code == 204
        assert (await server.get("mixed", path)).status_code == 200


async def test_under_allow_once_only_the_signature_is_written_twice(server: Serving) -> None:
    await hosted(server, "once", write="ALLOW_ONCE")
    for path, second in ((JAR, 400), (f"{JAR}.asc", 201)):
        assert (await put(server, "once", path, b"first")).status_code == 201
        assert (await put(server, "once", path, b"second")).status_code == second


async def test_an_archetype_is_in_the_catalog_of_hosted_and_group(server: Serving) -> None:
    await hosted(server, "mixed")
    await server.create("maven2", "group", "all", group={"memberNames": ["mixed"]})
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("META-INF/maven/archetype-metadata.xml", "<archetype-descriptor/>")
    assert (await server.get("mixed", "archetype-catalog.xml")).status_code == 404
    await put(server, "mixed", JAR, body.getvalue())
    for name in ("mixed", "all"):
        catalog = await server.get(name, "archetype-catalog.xml")
        assert "<artifactId>app</artifactId>" in catalog.text
        digest = await server.get(name, "archetype-catalog.xml.sha1")
        assert digest.text == hashlib.sha1(catalog.content).hexdigest()


async def proxied(server: Serving, files: dict[str, bytes]) -> None:
    """A proxy of an upstream that has just these files, whatever they are."""
    await server.create("raw", "hosted", "files")
    for path, body in files.items():
        await put(server, "files", path, body)
    await proxy(server, "proxy", "MIXED")


async def proxy(server: Serving, name: str, policy: str) -> None:
    login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
    maven = {"versionPolicy": policy, "layoutPolicy": "STRICT"}
    remote = {"remoteUrl": server.at("files")}
    await server.create("maven2", "proxy", name, proxy=remote, maven=maven, httpClient={"authentication": login})


async def test_a_proxy_keeps_nothing_that_its_upstreams_checksum_denies(server: Serving) -> None:
    await proxied(server, {JAR: b"damaged", f"{JAR}.sha1": b"0" * 40})
    with pytest.raises(httpx2.HTTPError):
        response = await server.get("proxy", JAR)
        response.raise_for_status()
    assert await stored(server, "proxy") == []


@pytest.mark.parametrize("published", [hashlib.sha1(b"sound").hexdigest().encode(), b"<html>no digest</html>", None])
async def test_a_proxy_takes_what_is_promised_or_not_promised_at_all(server: Serving, published: bytes | None) -> None:
    await proxied(server, {JAR: b"sound"} | ({f"{JAR}.sha1": published} if published else {}))
    assert (await server.get("proxy", JAR)).content == b"sound"
    assert await stored(server, "proxy") == [JAR]


async def test_a_proxy_lists_no_version_that_it_refuses(server: Serving) -> None:
    listed = b"<versions><version>1.0</version><version>2.0-SNAPSHOT</version></versions>"
    metadata = b"<metadata><versioning>" + listed + b"</versioning></metadata>"
    await proxied(server, {LISTING: metadata})
    await proxy(server, "releases", "RELEASE")
    assert "2.0-SNAPSHOT" in (await server.get("proxy", LISTING)).text
    assert "2.0-SNAPSHOT" not in (await server.get("releases", LISTING)).text


async def stored(server: Serving, name: str) -> list[str]:
    from pakhus.database import assets

    services = server.application.services
    repository = services.catalog.get(name)
    found = await services.database.read(assets.page, repository.id, name, after=0, limit=10)
    return [asset.path for asset in found]


# -- REST upload -------------------------------------------------------------------------------------------------------


async def upload(
    server: Serving, repository: str, fields: dict[str, str], *files: tuple[bytes, dict[str, str]]
) -> None:
    """What the REST resource does once it has read the form."""
    services = server.application.services
    await services.catalog.refresh()
    found = services.catalog.get(repository)
    actor = Actor("admin", (Grant.parse("*"),))
    ctx = Context(repository, "", {}, {}, "", services.catalog.options(found), str)
    handle = services.engine.hosted(found, actor, ctx)
    assets = [
        UploadedAsset(f"asset{number}", f"file{number}", await received(handle, body), given)
        for number, (body, given) in enumerate(files, 1)
    ]
    form = services.catalog.format(found).upload
    assert form is not None
    await form.run(Form(fields, assets), handle)


async def received(handle: Any, body: bytes) -> Draft:
    async def chunks() -> AsyncIterator[bytes]:
        yield body

    draft: Draft = await handle.draft(chunks())
    return draft


GAV = {"groupId": "org.acme", "artifactId": "app", "version": "1.0"}


async def test_an_upload_with_generate_pom_can_be_resolved(server: Serving) -> None:
    await hosted(server, "releases", "RELEASE")
    sources = {"extension": "jar", "classifier": "sources"}
    await upload(
        server, "releases", {**GAV, "generate-pom": "true"}, (b"the jar", {"extension": "jar"}), (b"sources", sources)
    )
    assert (await server.get("releases", JAR)).content == b"the jar"
    assert (await server.get("releases", JAR.replace(".jar", "-sources.jar"))).content == b"sources"
    assert "<artifactId>app</artifactId>" in (await server.get("releases", JAR.replace(".jar", ".pom"))).text
    assert "<release>1.0</release>" in (await server.get("releases", LISTING)).text


async def test_an_uploaded_pom_names_the_component(server: Serving) -> None:
    await hosted(server, "releases", "RELEASE")
    pom = b"<project><groupId>org.acme</groupId><artifactId>app</artifactId><version>1.0</version></project>"
    await upload(server, "releases", {}, (pom, {"extension": "pom"}), (b"the jar", {"extension": "jar"}))
    assert (await server.get("releases", JAR)).content == b"the jar"


async def test_two_files_of_one_name_are_refused(server: Serving) -> None:
    await hosted(server, "releases", "RELEASE")
    with pytest.raises(PakhusError, match="The assets 1 and 2 have identical coordinates"):
        await upload(server, "releases", GAV, (b"a", {"extension": "jar"}), (b"b", {"extension": "jar"}))
    assert await stored(server, "releases") == []
