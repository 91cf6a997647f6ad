"""Folders, as HTML for people and wget, and as JSON."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, Rest

PAGES = f"{BASE}/service/rest/repository/browse"


async def filled(rest: Rest) -> None:
    await rest.hosted("files")
    await rest.group("all", ["files"])
    for path in ("dir/a & b.txt", "dir/sub/c.txt", "top.txt"):
        await rest.put("files", path, b"12345")


async def test_page_lists_folders_and_files(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    top = await admin.get(f"{PAGES}/files/")
    inside = await admin.get(f"{PAGES}/files/dir/")

    assert top.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Index of /</h1>" in top.text and "Parent Directory" not in top.text
    assert '<a href="dir/">dir/</a>' in top.text
    assert f'<a href="{BASE}/repository/files/top.txt">top.txt</a>' in top.text
    assert "<title>Index of /dir/</title>" in inside.text
    assert '<a href="../">Parent Directory</a>' in inside.text
    assert f'<a href="{BASE}/repository/files/dir/a%20&amp;%20b.txt">a &amp; b.txt</a>' in inside.text
    for word in ("Name", "Last Modified", "Size", "Description"):
        assert f"<th>{word}</th>" in top.text


@pytest.mark.parametrize(("url", "to"), [("files", "files/"), ("files/dir", "dir/"), ("files/dir/sub", "sub/")])
async def test_missing_slash_is_added(rest: Rest, admin: httpx2.AsyncClient, url: str, to: str) -> None:
    await filled(rest)

    answer = await admin.get(f"{PAGES}/{url}")

    assert (answer.status_code, answer.headers["location"]) == (303, to)
    followed = await admin.get(f"{PAGES}/{url}", follow_redirects=True)
    assert (followed.status_code, followed.url.path[-1]) == (200, "/")


async def test_names_can_be_filtered(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    page = (await admin.get(f"{PAGES}/files/", params={"filter": "TOP"})).text

    assert "top.txt" in page and "dir/" not in page


async def test_group_shows_what_its_members_hold_under_its_own_name(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    page = (await admin.get(f"{PAGES}/all/")).text

    assert f'<a href="{BASE}/repository/all/top.txt">' in page


async def test_what_is_not_there_is_not_found(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    for url in ("none/", "files/none/", "files/none", "files/..%2f/"):
        assert (await admin.get(f"{PAGES}/{url}")).status_code == 404, url


async def test_pages_need_the_right_to_browse(rest: Rest, anonymous: httpx2.AsyncClient) -> None:
    await filled(rest)
    nobody = await rest.user("nobody", "nx-search-read")

    assert (await anonymous.get(f"{PAGES}/files/")).status_code == 401
    assert (await nobody.get(f"{PAGES}/files/")).status_code == 403


async def test_nodes_are_folders_and_assets(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)

    top = (await admin.get("repositories/files/browse")).json()
    inside = (await admin.get("repositories/files/browse", params={"path": "/dir"})).json()

    assert [(each["id"], each["text"], each["type"], each["leaf"]) for each in top] == [
        ("dir", "dir", "folder", False),
        ("top.txt", "top.txt", "asset", True),
    ]
    assert [each["id"] for each in inside] == ["dir/a & b.txt", "dir/sub"]
    assert list(top[0]) == ["id", "text", "type", "leaf", "componentId", "assetId", "packageUrl"]
    assert (await admin.get(f"assets/{top[1]['assetId']}")).json()["path"] == "/top.txt"
    assert (await admin.get(f"components/{top[1]['componentId']}")).json()["name"] == "top.txt"
    assert (await admin.get("repositories/files/browse", params={"path": "none"})).status_code == 404
    assert (await admin.get("repositories/none/browse")).status_code == 404


async def test_folder_is_removed_with_all_below_it(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await filled(rest)
    reader = await rest.user("reader", "nx-repository-view-raw-files-browse")

    assert (await reader.delete("repositories/files/browse", params={"path": "dir"})).status_code == 403
    assert (await admin.delete("repositories/files/browse")).status_code == 400
    assert (await admin.delete("repositories/files/browse", params={"path": "none"})).status_code == 404
    assert (await admin.delete("repositories/files/browse", params={"path": "dir"})).status_code == 204
    assert [each["id"] for each in (await admin.get("repositories/files/browse")).json()] == ["top.txt"]
    assert (await admin.delete("repositories/files/browse", params={"path": "top.txt"})).status_code == 204
    assert (await admin.get("repositories/files/browse")).json() == []
