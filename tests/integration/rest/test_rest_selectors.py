"""Content selectors through REST: made, shown, previewed; and what lists, search and folders show by them."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from pakhus.csel import parsed
from pakhus.database import assets
from tests.integration.rest.conftest import BASE, BOTH, Rest

PATH = "security/content-selectors"
PREVIEW = f"{BASE}/api/v1/content-selectors/preview"
FILES = [f"{folder}/{number:03}.txt" for folder in ("public/a", "public/b", "secret", "team/x") for number in range(6)]


async def allow(admin: httpx2.AsyncClient, expression: str, *actions: str, repository: str = "*") -> str:
    """A privilege with a selector of this expression; its name."""
    name = f"only-{abs(hash((expression, actions, repository)))}"
    made = await admin.post(PATH, json={"name": name, "expression": expression})
    assert made.status_code == 204, made.text
    body = {"name": name, "format": "*", "repository": repository, "contentSelector": name}
    answer = await admin.post(
        "security/privileges/repository-content-selector", json={**body, "actions": actions or ["BROWSE", "READ"]}
    )
    assert answer.status_code == 201, answer.text
    return name


@pytest.fixture
async def filled(rest: Rest, admin: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """An administrator of a server with files in a repository and in a group with it."""
    await rest.hosted("files")
    await rest.group("all", ["files"])
    for path in FILES:
        await rest.put("files", path, path.encode())
    return admin


async def test_selector_is_made_shown_changed_and_removed(admin: httpx2.AsyncClient) -> None:
    body = {"name": "mine", "description": "d", "expression": 'format == "raw" and path =^ "/a/"'}

    made = await admin.post(PATH, json=body)
    shown = await admin.get(f"{PATH}/mine")

    assert (made.status_code, made.content) == (204, b"")
    assert shown.json() == {"name": "mine", "type": "csel", **{k: body[k] for k in ("description", "expression")}}
    assert (await admin.get(PATH)).json() == [shown.json()]
    assert "no-store" in shown.headers["cache-control"]
    changed = await admin.put(f"{PATH}/mine", json={"description": None, "expression": 'path == "/b"'})
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await admin.get(f"{PATH}/mine")).json()["expression"] == 'path == "/b"'
    assert (await admin.get(f"{PATH}/mine")).json()["description"] == ""
    assert (await admin.delete(f"{PATH}/mine")).status_code == 204
    missing = await admin.get(f"{PATH}/mine")
    assert (missing.status_code, missing.json()) == (404, "No selector found for mine")
    assert (await admin.put(f"{PATH}/mine", json={"expression": 'path == "/b"'})).status_code == 404
    assert (await admin.delete(f"{PATH}/mine")).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expression": 'repository == "x"'}, "expression"),
        ({"expression": r'path =~ "(?!x)"'}, "expression"),
        ({"expression": ""}, "expression"),
        ({"expression": None}, "expression"),
        ({"name": "_odd"}, "name"),
        ({"name": "TAKEN"}, "name"),
    ],
)
async def test_bad_selector_is_refused(admin: httpx2.AsyncClient, change: dict[str, Any], field: str) -> None:
    good = {"name": "taken", "expression": 'path == "/a"'}
    await admin.post(PATH, json=good)

    answer = await admin.post(PATH, json={**good, "name": "new", **change})

    assert (answer.status_code, [each["id"] for each in answer.json()]) == (400, [field])


async def test_selector_in_use_stays(admin: httpx2.AsyncClient) -> None:
    name = await allow(admin, 'path == "/a"')

    refused = await admin.delete(f"{PATH}/{name}")
    assert (refused.status_code, refused.json()) == (400, f"Content selector {name} is in use and cannot be deleted")

    await admin.delete(f"security/privileges/{name}")
    assert (await admin.delete(f"{PATH}/{name}")).status_code == 204


async def test_preview_shows_what_an_expression_selects_of_what_one_may_browse(
    rest: Rest, filled: httpx2.AsyncClient
) -> None:
    question = {"expression": r'path =~ "/(public|secret)/.*00[0-1]\\.txt"', "repository": "files"}

    answer = await filled.post(PREVIEW, json=question)
    everywhere = await filled.post(PREVIEW, json={"expression": question["expression"]})
    wrong = await filled.post(PREVIEW, json={**question, "expression": "path"})
    nowhere = await filled.post(PREVIEW, json={**question, "repository": "nowhere"})

    found = [each["path"] for each in answer.json()["items"]]
    expected = [f"/{path}" for path in FILES if not path.startswith("team") and re.search("00[01]", path)]
    assert sorted(found) == sorted(expected)
    assert answer.json()["items"][0] == {"repository": "files", "format": "raw", "path": found[0]}
    assert everywhere.json() == answer.json()
    assert wrong.status_code == 400
    assert wrong.json()["field"] == "expression"
    assert nowhere.status_code == 404
    nexus = f"{BASE}/service/rest/internal/ui/content-selectors/preview"
    shown = (await filled.post(nexus, json={**question, "repository": "*-raw", "type": "csel"})).json()
    assert (shown["total"], [each["name"] for each in shown["results"]]) == (len(found), found)
    assert (await filled.post(nexus, json={**question, "repository": "*-npm"})).json()["total"] == 0
    only = await allow(filled, 'path =^ "/secret/"')
    async with await rest.user("ann", only, "nx-selectors-read") as ann:
        seen = [each["path"] for each in (await ann.post(PREVIEW, json=question)).json()["items"]]
        assert seen == ["/secret/000.txt", "/secret/001.txt"]
    async with await rest.user("bob", "nx-selectors-read") as bob:
        assert (await bob.post(PREVIEW, json=question)).json()["items"] == []
        assert (await bob.post(PREVIEW, json={"expression": question["expression"]})).json()["items"] == []


EXPRESSIONS = [
    ('path =^ "/public/"', lambda path: path.startswith("public/")),
    ('path == "/secret/003.txt"', lambda path: path == "secret/003.txt"),
    (r'path =~ "/(public|team)/[a-z]/00[2-4]\\.txt"', lambda path: re.match(r"(public|team)/[a-z]/00[2-4]", path)),
    (r'path =~ "(?i)/PUBLIC/B/.*"', lambda path: path.startswith("public/b/")),
    (r'path =~ "/.*\\b003\\b.*" or path =^ "/team/x/005"', lambda path: "003" in path or path == "team/x/005.txt"),
    ('format == "npm" and path =^ "/"', lambda path: False),
    ('format != "npm" and path != "/secret/000.txt"', lambda path: path != "secret/000.txt"),
]  # fmt: skip


@BOTH
@pytest.mark.parametrize(("expression", "selected"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
async def test_lists_search_and_folders_show_what_may_be_read_and_nothing_else(
    rest: Rest, filled: httpx2.AsyncClient, expression: str, selected: Any
) -> None:
    expected = sorted(path for path in FILES if selected(path))
    only = await allow(filled, expression)

    async with await rest.user("ann", only, "nx-search-read") as ann:
        for repository in ("files", "all"):
            in_it = {"repository": repository}
            assert await listed(ann, "assets", in_it) == expected
            assert await listed(ann, "search/assets", in_it) == expected
            assert await of_components(ann, "components", in_it) == expected
            assert await of_components(ann, "search", in_it) == expected
            assert sorted(await walked(ann, repository, "")) == expected
        assert await listed(ann, "search/assets", {}) == expected
        for path in FILES:
            status = 200 if path in expected else 403
            assert (await ann.get(f"{BASE}/repository/files/{path}")).status_code == status
        names = [each["name"] for each in (await ann.get("repositories")).json()]
        assert names == (["all", "files"] if 'format == "npm"' not in expression else [])


@BOTH
@pytest.mark.parametrize("expression", ['path =^ "/many/7"', r'path =~ "(?i)/many/.*[02468]\\.TXT"'])
async def test_pages_are_full_and_complete_whatever_is_hidden(
    rest: Rest, filled: httpx2.AsyncClient, expression: str
) -> None:
    numbers = [*range(700, 810), *range(100, 130)]
    for number in numbers:
        await rest.put("files", f"many/{number}.txt", b"x")
    wanted = [n for n in numbers if (n // 100 == 7 if "=^" in expression else n % 2 == 0)]
    only = await allow(filled, expression)

    async with await rest.user("ann", only, "nx-search-read") as ann:
        for resource, size, sort in (("assets", 100, ""), ("search/assets", 50, "name"), ("search", 50, "name")):
            pages = await paged(ann, resource, {"repository": "files", "sort": sort})
            assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
            assert sum(map(len, pages)) == len(wanted)


async def test_search_does_not_find_what_is_hidden_by_what_it_is(rest: Rest, filled: httpx2.AsyncClient) -> None:
    asset = (await filled.get("search/assets", params={"q": "secret/003.txt", "repository": "files"})).json()["items"]
    sha1 = next(each["checksum"]["sha1"] for each in asset if each["path"] == "/secret/003.txt")
    only = await allow(filled, r'path =~ "(?i)/public/.*"')

    async with await rest.user("ann", only, "nx-search-read") as ann:
        for resource in ("search", "search/assets"):
            assert (await ann.get(resource, params={"sha1": sha1})).json()["items"] == []
        download = await ann.get("search/assets/download", params={"sha1": sha1})
        assert download.status_code == 404


@BOTH
async def test_no_number_of_comparisons_or_selectors_is_too_large(rest: Rest, filled: httpx2.AsyncClient) -> None:
    wide = " or ".join(f'path == "/none/{number}"' for number in range(300))
    only = await allow(filled, f'{wide} or path =^ "/team/"', repository="files")
    rights = [only]
    for number in range(70):
        await rest.hosted(f"more{number}")
        await rest.put(f"more{number}", f"{number}.txt", b"x")
        await rest.put(f"more{number}", "hidden.txt", b"x")
        rights.append(await allow(filled, f'path == "/{number}.txt"', repository=f"more{number}"))
    expected = sorted([*(path for path in FILES if path.startswith("team/")), *(f"{n}.txt" for n in range(70))])
    sha1 = "11f6ad8ec52a2984abaafd7c3b516503785c2072"

    async with await rest.user("ann", *rights, "nx-search-read") as ann:
        assert await listed(ann, "assets", {"repository": "files"}) == expected[70:]
        assert await listed(ann, "search/assets", {}) == expected
        assert await of_components(ann, "search", {}) == expected
        assert len(await of_components(ann, "search", {"sha1": sha1})) == 70
        assert await of_components(ann, "search", {"name": "hidden.txt"}) == []


async def test_hidden_items_do_not_exist_by_their_identity(rest: Rest, filled: httpx2.AsyncClient) -> None:
    items = (await filled.get("assets", params={"repository": "files"})).json()["items"]
    hidden = next(each["id"] for each in items if each["path"].startswith("/secret"))
    seen = next(each["id"] for each in items if each["path"].startswith("/public"))
    components = (await filled.get("components", params={"repository": "files"})).json()["items"]
    whole = next(each["id"] for each in components if each["assets"][0]["path"].startswith("/secret"))
    only = await allow(filled, 'path =^ "/public/"', "BROWSE", "DELETE")

    async with await rest.user("ann", only) as ann:
        assert (await ann.get(f"assets/{seen}")).status_code == 200
        assert (await ann.get(f"assets/{hidden}")).status_code == 404
        assert (await ann.get(f"components/{whole}")).status_code == 404
        assert (await ann.delete(f"assets/{hidden}")).status_code == 404
        assert (await ann.delete(f"components/{whole}")).status_code == 404
        assert (await ann.delete(f"assets/{seen}")).status_code == 204


@BOTH
@pytest.mark.parametrize("expression", ['path != "/secret/003.txt"', r'path =~ "(?i)/.*00[^3]\.TXT"'])
async def test_pages_of_a_folder_follow_each_other(rest: Rest, filled: httpx2.AsyncClient, expression: str) -> None:
    services = rest.application.services
    files, reach = services.catalog.get("files"), parsed(expression)

    async def names(prefix: str, after: str, limit: int) -> list[str]:
        read = services.database.read
        return await read(assets.children, files.id, prefix, after=after, limit=limit, reach=reach)

    assert await names("", "", 9) == ["public/", "secret/", "team/"]
    assert await names("", "", 1) == ["public/"]
    assert await names("", "public/", 1) == ["secret/"]
    assert await names("", "secret/", 9) == ["team/"]
    assert await names("", "team/", 9) == []
    shown = [name for name in (f"{number:03}.txt" for number in range(6)) if name != "003.txt"]
    assert await names("secret/", "", 9) == shown
    assert await names("secret/", "002.txt", 9) == shown[3:]


@BOTH
async def test_writes_obey_the_selector(rest: Rest, filled: httpx2.AsyncClient) -> None:
    only = await allow(filled, 'path =^ "/team/"', "ADD", "EDIT")

    async with await rest.user("ann", only) as ann:

        async def put(path: str) -> int:
            return (await ann.put(f"{BASE}/repository/files/{path}", content=b"new")).status_code

        assert [await put(path) for path in ("team/new.txt", "team/x/000.txt")] == [201, 201]
        assert [await put(path) for path in ("new.txt", "secret/000.txt", "teams/x", "team", "TEAM/x")] == [403] * 5
        form = {"raw.directory": "/secret", "raw.asset1.filename": "new.txt"}
        files = {"raw.asset1": ("new.txt", b"new")}
        refused = await ann.post("components", params={"repository": "files"}, data=form, files=files)
        allowed = await ann.post(
            "components", params={"repository": "files"}, data={**form, "raw.directory": "/team"}, files=files
        )
        assert (refused.status_code, allowed.status_code) == (403, 204)
        assert (await ann.delete(f"{BASE}/repository/files/team/new.txt")).status_code == 403


async def listed(client: httpx2.AsyncClient, resource: str, params: dict[str, str]) -> list[str]:
    return sorted(each["path"][1:] for page in await paged(client, resource, params) for each in page)


async def of_components(client: httpx2.AsyncClient, resource: str, params: dict[str, str]) -> list[str]:
    pages = await paged(client, resource, params)
    return sorted(asset["path"][1:] for page in pages for each in page for asset in each["assets"])


async def paged(client: httpx2.AsyncClient, resource: str, params: dict[str, str]) -> list[list[dict[str, Any]]]:
    pages, token = [], None
    while True:
        answer = await client.get(resource, params={**params, **({"continuationToken": token} if token else {})})
        assert answer.status_code in (200, 403), answer.text
        if answer.status_code == 403:
            return []
        pages.append(answer.json()["items"])
        if (token := answer.json()["continuationToken"]) is None:
            return pages


async def walked(client: httpx2.AsyncClient, repository: str, folder: str) -> list[str]:
    """All files that the folders' pages lead to."""
    answer = await client.get(f"{BASE}/repository/{repository}/{folder}")
    if answer.status_code == 403:
        return []
    assert answer.status_code == 200
    found: list[str] = []
    for name in re.findall(r'<td><a href="([^"?.][^"]*)"', answer.text):
        found += await walked(client, repository, folder + name) if name.endswith("/") else [folder + name]
    return found
