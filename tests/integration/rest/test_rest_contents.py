"""Components, assets and uploads through REST."""

from __future__ import annotations

import base64
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from pakhus.database import components
from pakhus.database.tables import asset, blob, component
from pakhus.database.transaction import Transaction
from pakhus.domain.content import ALGORITHMS
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest

MANY = 20_000


async def items(client: httpx2.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        answer = await client.get(path, params={**params, **({"continuationToken": token} if token else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if not (token := answer.json()["continuationToken"]):
            return found


@BOTH
async def test_component_and_asset_have_every_member(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "dir/a b.txt", b"hello")

    page = (await admin.get("components", params={"repository": "files"})).json()

    assert list(page) == ["items", "continuationToken"] and page["continuationToken"] is None
    (found,) = page["items"]
    assert list(found) == ["id", "repository", "format", "group", "name", "version", "assets"]
    assert (found["repository"], found["format"]) == ("files", "raw")
    assert (found["group"], found["name"], found["version"]) == ("/dir", "dir/a b.txt", None)
    (shown,) = found["assets"]
    assert shown["downloadUrl"] == f"{BASE}/repository/files/dir/a%20b.txt"
    assert shown["path"] == "/dir/a b.txt"
    assert shown["checksum"] == {name: hashlib.new(name, b"hello").hexdigest() for name in ALGORITHMS}
    assert (shown["contentType"], shown["fileSize"], shown["lastDownloaded"]) == ("text/plain", 5, None)
    assert (shown["uploader"], shown["uploaderIp"], shown["blobStoreName"]) == ("admin", "127.0.0.1", "default")
    assert shown["lastModified"].endswith("+00:00") and shown["blobCreated"].endswith("+00:00")
    assert shown["raw"] == {}
    plain = base64.urlsafe_b64decode(shown["id"] + "==").decode()
    assert plain.startswith("files:") and "=" not in shown["id"]
    assert (await admin.get(f"components/{found['id']}")).json() == found
    assert (await admin.get(f"assets/{shown['id']}")).json() == shown
    assert (await admin.get("assets", params={"repository": "files"})).json()["items"] == [shown]
    assert (await admin.get(shown["downloadUrl"])).content == b"hello"


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("components", 422),
        ("assets", 422),
        ("components?repository=none", 404),
        ("assets?repository=none", 404),
        ("components?repository=files&continuationToken=xyz", 406),
        ("components/!!", 422),
        ("assets/!!", 404),
        (f"components/{encoded('nothing')}", 422),
        (f"assets/{encoded('nothing')}", 422),
        (f"components/{encoded('files:999')}", 404),
        (f"assets/{encoded('files:999')}", 404),
        (f"assets/{encoded('none:1')}", 404),
    ],
)
async def test_what_is_not_there_is_told_apart(rest: Rest, admin: httpx2.AsyncClient, path: str, status: int) -> None:
    await rest.hosted("files")

    assert (await admin.get(path)).status_code == status


async def test_deleted_asset_is_gone_and_its_component_with_the_last(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    (found,) = await items(admin, "assets", repository="files")

    gone = await admin.delete(f"assets/{found['id']}")

    assert (gone.status_code, gone.content) == (204, b"")
    assert await items(admin, "components", repository="files") == []
    assert (await admin.get(found["downloadUrl"])).status_code == 404
    assert (await admin.delete(f"assets/{found['id']}")).status_code == 404


async def test_deleted_component_takes_its_assets_along(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    (found,) = await items(admin, "components", repository="files")

    assert (await admin.delete(f"components/{found['id']}")).status_code == 204

    assert await items(admin, "assets", repository="files") == []


async def test_repository_that_denies_changes_denies_deletion(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    body = (await admin.get("repositories/raw/hosted/files")).json()
    body["storage"]["writePolicy"] = "DENY"
    await admin.put("repositories/raw/hosted/files", json=body)
    (found,) = await items(admin, "assets", repository="files")

    answer = await admin.delete(f"assets/{found['id']}")

    assert answer.status_code == 400 and "cannot be deleted" in answer.json()


async def test_reader_deletes_nothing(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    reader = await rest.user("reader", "nx-repository-view-raw-files-browse", "nx-repository-view-raw-files-read")
    (found,) = await items(reader, "assets", repository="files")

    refused = await reader.delete(f"assets/{found['id']}")

    assert (refused.status_code, refused.content) == (403, b"")
    assert len(await items(admin, "assets", repository="files")) == 1


@BOTH
async def test_group_lists_what_its_members_hold(rest: Rest, admin: httpx2.AsyncClient) -> None:
    for name in ("one", "two", "other"):
        await rest.hosted(name)
        await rest.put(name, f"{name}.txt", name.encode())
    await rest.group("inner", ["two"])
    await rest.group("all", ["one", "inner"])
    reader = await rest.user("reader", *(f"nx-repository-view-raw-{name}-browse" for name in ("all", "one", "inner")))

    assert [each["repository"] for each in await items(admin, "components", repository="all")] == ["one", "two"]
    assert [each["repository"] for each in await items(reader, "assets", repository="all")] == ["one"]


def fill(tx: Transaction, repository_id: int, number: int) -> None:
    """So many components with an asset each, all on one blob."""
    tx.execute(
        blob.insert(),
        {"id": 1, "blob_store": "default", "key": "0" * 32, "size": 1, "created": tx.now, "touched": tx.now}
        | dict.fromkeys(ALGORITHMS, "00"),
    )
    common = {"repository_id": repository_id, "attributes": {}, "created": tx.now, "updated": tx.now}
    tx.execute(
        component.insert(),
        [
            {
                **common, "id": each + 1, "namespace": f"/{each % 7}", "name": f"package-{each % 100}",
                "prerelease": False, "version": f"1.{each}", "version_order": components.order_of(f"1.{each}"),
                "published": None,
            }
            for each in range(number)
        ],
    )  # fmt: skip
    tx.execute(
        asset.insert(),
        [
            {
                **common, "component_id": each + 1, "path": f"p/{each}.bin", "blob_id": 1, "content_type": "x/y",
                "uploader": "", "uploader_ip": "", "downloads": 0, "origin": "", "etag": "", "last_modified": "",
            }
            for each in range(number)
        ],
    )  # fmt: skip


@BOTH
async def test_large_repository_is_listed_whole_page_by_page(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    services = rest.application.services
    await services.database.write(fill, services.catalog.get("files").id, MANY)

    listed = await items(admin, "components", repository="files")
    found = await items(admin, "search", name="package-5*", sort="version")
    assets = await items(admin, "search/assets", repository="files", version="1.77")

    assert len({each["id"] for each in listed}) == len(listed) == MANY
    assert len({each["id"] for each in found}) == len(found) == MANY * 11 // 100
    versions = [int(each["version"].removeprefix("1.")) for each in found]
    assert versions == sorted(versions, reverse=True)
    assert [each["path"] for each in assets] == ["/p/77.bin"]


# -- uploads -------------------------------------------------------------------------------------------------------


async def test_upload_keeps_all_files_of_the_form(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")

    answer = await admin.post(
        "components",
        params={"repository": "files"},
        data={"raw.directory": "/dir", "raw.asset1.filename": "a.txt", "asset2.filename": "b.txt", "raw.note": " "},
        files={"raw.asset1": ("x", b"one"), "asset2": ("y", b"two")},
    )

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await admin.get(f"{BASE}/repository/files/dir/a.txt")).content == b"one"
    assert (await admin.get(f"{BASE}/repository/files/dir/b.txt")).content == b"two"


@pytest.mark.parametrize(
    ("data", "files", "message"),
    [
        ({"raw.directory": "/"}, {}, "No assets found in upload"),
        ({"raw.asset1.filename": "a"}, {"raw.asset1": b"x"}, "Missing required component field 'Directory'"),
        ({"raw.directory": "/"}, {"raw.asset1": b"x"}, "Missing required asset field 'Filename' on '1'"),
        ({"raw.directory": "/", "raw.colour": "red"}, {"raw.asset1": b"x"}, "Unknown component field 'colour'"),
        ({"raw.directory": "/", "raw.asset2.filename": "a"}, {"raw.asset1": b"x"}, "Missing file on asset"),
        (
            {"raw.directory": "/", "raw.asset1.filename": "a", "raw.asset2.filename": "a"},
            {"raw.asset1": b"x", "raw.asset2": b"y"},
            "The assets 1 and 2 have identical coordinates",
        ),
    ],
)
async def test_incomplete_upload_is_refused_and_leaves_nothing(
    rest: Rest, admin: httpx2.AsyncClient, data: dict[str, str], files: dict[str, bytes], message: str
) -> None:
    await rest.hosted("files")
    boundary = "b0undary"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in data.items()]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"; filename="f"\r\n\r\n{v.decode()}\r\n'
        for k, v in files.items()
    ]

    answer = await admin.post(
        "components",
        params={"repository": "files"},
        content="".join([*parts, f"--{boundary}--\r\n"]).encode(),
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )

    assert (answer.status_code, answer.json()) == (400, message)
    assert await items(admin, "assets", repository="files") == []
    assert await rest.application.services.stores.get("default").drafts() == 0


async def test_upload_goes_to_hosted_repositories_only(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.proxy("mirror")
    form: dict[str, Any] = {"data": {"directory": "/", "asset1.filename": "a"}, "files": {"asset1": ("a", b"x")}}

    async def refused(name: str, **options: Any) -> tuple[int, object]:
        answer = await admin.post("components", params={"repository": name}, **options)
        return answer.status_code, answer.json() if answer.content else None

    assert await refused("mirror", **form) == (
        400,
        "Uploading components to a 'proxy' type repository is unsupported, must be 'hosted'",
    )
    assert await refused("files", content=b"x") == (400, "Expected multipart Content-Type")
    assert await refused("none", **form) == (404, None)
    body = (await admin.get("repositories/raw/hosted/files")).json()
    await admin.put("repositories/raw/hosted/files", json={**body, "online": False})
    assert await refused("files", **form) == (400, "Repository offline")


async def test_upload_obeys_the_write_policy(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files", policy="ALLOW_ONCE")
    form: dict[str, Any] = {"data": {"directory": "/", "asset1.filename": "a"}, "files": {"asset1": ("a", b"x")}}
    assert (await admin.post("components", params={"repository": "files"}, **form)).status_code == 204

    again = await admin.post("components", params={"repository": "files"}, **form)

    assert again.status_code == 400
    assert again.json().startswith("Repository does not allow updating assets: files")


async def test_upload_needs_the_right_to_add(rest: Rest) -> None:
    await rest.hosted("files")
    reader = await rest.user("reader", "nx-repository-view-raw-files-read")
    writer = await rest.user("writer", "nx-repository-view-raw-files-add")
    form: dict[str, Any] = {"data": {"directory": "/", "asset1.filename": "a"}, "files": {"asset1": ("a", b"x")}}

    assert (await reader.post("components", params={"repository": "files"}, **form)).status_code == 403
    assert (await writer.post("components", params={"repository": "files"}, **form)).status_code == 204


async def test_upload_specs_tell_the_fields(anonymous: httpx2.AsyncClient) -> None:
    raw = (await anonymous.get("formats/raw/upload-specs")).json()

    assert list(raw) == ["format", "multipleUpload", "componentFields", "assetFields"]
    assert raw["multipleUpload"] is True
    assert [(each["name"], each["type"], each["optional"]) for each in raw["componentFields"]] == [
        ("directory", "STRING", False)
    ]
    assert [(each["name"], each["type"], each["optional"]) for each in raw["assetFields"]] == [
        ("asset", "FILE", False),
        ("filename", "STRING", False),
    ]
    assert raw in (await anonymous.get("formats/upload-specs")).json()
    assert (await anonymous.get("formats/none/upload-specs")).status_code == 404


async def test_deleting_needs_no_session(rest: Rest) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    async with rest.caller(*ADMIN) as admin:
        (found,) = await items(admin, "assets", repository="files")

    refused = await rest.caller().delete(f"assets/{found['id']}")

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("BASIC realm=")


async def test_large_upload_is_never_whole_in_memory(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    piece, pieces = b"x" * 65536, 1024

    async def form() -> AsyncIterator[bytes]:
        for name, value in (("directory", "/"), ("asset1.filename", "large.bin")):
            yield f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--b\r\nContent-Disposition: form-data; name="asset1"; filename="large.bin"\r\n\r\n'
        for _ in range(pieces):
            yield piece
        yield b"\r\n--b--\r\n"

    tracemalloc.start()
    try:
        answer = await admin.post(
            "components",
            params={"repository": "files"},
            content=form(),
            headers={"content-type": "multipart/form-data; boundary=b"},
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert answer.status_code == 204, answer.text
    assert peak < 32 << 20
    (found,) = await items(admin, "assets", repository="files")
    assert found["fileSize"] == len(piece) * pieces


async def test_cut_upload_leaves_nothing(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    head = b'--b\r\nContent-Disposition: form-data; name="asset1"; filename="a"\r\n\r\n'

    answer = await admin.post(
        "components",
        params={"repository": "files"},
        content=head + b"half of it",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )

    assert answer.status_code == 400
    assert await rest.application.services.stores.get("default").drafts() == 0
