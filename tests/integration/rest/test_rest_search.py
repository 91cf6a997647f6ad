"""Search through REST: parameters, wildcards, order, pages, rights."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, BOTH, Rest
from tests.integration.rest.test_rest_contents import items

pytestmark = BOTH
POLICIES = {"maven": {"versionPolicy": "RELEASE", "layoutPolicy": "STRICT"}}


async def names(client: httpx2.AsyncClient, **params: str) -> list[str]:
    return [each["name"] for each in await items(client, "search", **params)]


@pytest.fixture
async def filled(rest: Rest) -> Rest:
    await rest.hosted("files")
    await rest.hosted("other")
    for path in ("docs/guide.txt", "docs/Guide-2.txt", "bin/tool.exe"):
        await rest.put("files", path, path.encode())
    await rest.put("other", "docs/guide.txt", b"another guide")
    return rest


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"repository": "files", "name": "docs/guide.txt"}, ["docs/guide.txt"]),
        ({"repository": "files", "name": "DOCS/GUIDE.TXT"}, ["docs/guide.txt"]),
        ({"repository": "files", "name": "docs/gui*"}, ["docs/guide.txt", "docs/Guide-2.txt"]),
        ({"repository": "files", "name": "*tool*"}, ["bin/tool.exe"]),
        ({"repository": "files", "name": "docs/guide?2.txt"}, ["docs/Guide-2.txt"]),
        ({"repository": "files", "name": "docs/guide.txt bin/tool.exe"}, ["docs/guide.txt", "bin/tool.exe"]),
        ({"repository": "files", "group": "/bin"}, ["bin/tool.exe"]),
        ({"repository": "files", "q": "guide 2"}, ["docs/Guide-2.txt"]),
        ({"repository": "files", "keyword": "docs/guide"}, ["docs/guide.txt", "docs/Guide-2.txt"]),
        ({"name": "docs/guide.txt"}, ["docs/guide.txt", "docs/guide.txt"]),
        ({"format": "raw", "group": "/bin"}, ["bin/tool.exe"]),
        ({"format": "npm"}, []),
        ({"repository": "none"}, []),
        ({"repository": "files", "version": ""}, ["docs/guide.txt", "docs/Guide-2.txt", "bin/tool.exe"]),
        ({"repository": "files", "name": ""}, []),
        ({"repository": "files", "group": "/bin", "colour": "red"}, ["bin/tool.exe"]),
        ({"repository": "files", "prerelease": "true"}, []),
        ({"repository": "files", "name": "100%_"}, []),
    ],
)
async def test_parameters_select_components(
    filled: Rest, admin: httpx2.AsyncClient, params: dict[str, str], expected: list[str]
) -> None:
    assert await names(admin, **params) == expected


async def test_digest_finds_the_asset(filled: Rest, admin: httpx2.AsyncClient) -> None:
    (found,) = await items(admin, "search/assets", repository="files", name="bin/tool.exe")

    for algorithm, digest in found["checksum"].items():
        assert await items(admin, "search/assets", **{algorithm: digest.upper()}) == [found]
        assert [each["name"] for each in await items(admin, "search", **{algorithm: digest})] == ["bin/tool.exe"]


async def test_names_of_other_alphabets_are_found(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "ÆRØ/Vægt.TXT", b"x")

    assert await names(admin, name="ærø/vægt.txt") == []
    assert await names(admin, name="ÆRØ/vægt.txt") == ["ÆRØ/Vægt.TXT"]
    assert await names(admin, name="ÆRØ*") == ["ÆRØ/Vægt.TXT"]


async def test_order_is_as_asked(filled: Rest, admin: httpx2.AsyncClient) -> None:
    ascending = await names(admin, repository="files", sort="name")

    assert ascending == ["bin/tool.exe", "docs/Guide-2.txt", "docs/guide.txt"]
    assert await names(admin, repository="files", sort="name", direction="desc") == ascending[::-1]
    assert [each["repository"] for each in await items(admin, "search", sort="repository", direction="desc")] == [
        "other", "files", "files", "files",
    ]  # fmt: skip
    assert await names(admin, repository="files", sort="colour")


async def test_pages_of_every_order_are_whole(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    for number in range(120):
        await rest.put("files", f"{number % 7}/file-{number}.txt", b"x")

    for sort in ("", "group", "name", "version", "repository"):
        for direction in ("asc", "desc"):
            for path in ("search", "search/assets"):
                found = await items(admin, path, sort=sort, direction=direction)
                assert len({each["id"] for each in found}) == len(found) == 120


async def test_token_of_another_search_is_refused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    for number in range(51):
        await rest.put("files", f"file-{number}.txt", b"x")
    first = (await admin.get("search", params={"repository": "files"})).json()
    assert len(first["items"]) == 50

    token = first["continuationToken"]

    assert (await admin.get("search", params={"name": "file*", "continuationToken": token})).status_code == 406
    assert (await admin.get("search", params={"repository": "files", "continuationToken": "x"})).status_code == 406


async def test_only_what_may_be_browsed_is_found(filled: Rest, anonymous: httpx2.AsyncClient) -> None:
    reader = await filled.user("reader", "nx-search-read", "nx-repository-view-raw-other-browse")
    nobody = await filled.user("nobody", "nx-repository-view-raw-other-browse")

    assert [each["repository"] for each in await items(reader, "search")] == ["other"]
    assert [each["repository"] for each in await items(reader, "search", repository="files")] == []
    assert (await nobody.get("search")).status_code == 403
    assert (await anonymous.get("search")).status_code == 401


async def test_group_stands_for_its_members(filled: Rest, admin: httpx2.AsyncClient) -> None:
    await filled.group("all", ["other", "files"])

    found = await items(admin, "search", repository="all", name="docs/guide.txt")

    assert sorted(each["repository"] for each in found) == ["files", "other"]


async def test_download_leads_to_the_only_hit(filled: Rest, admin: httpx2.AsyncClient) -> None:
    one = await admin.get("search/assets/download", params={"name": "bin/tool.exe"})
    several = await admin.get("search/assets/download", params={"repository": "files"})
    first = await admin.get("search/assets/download", params={"repository": "files", "sort": "name"})
    none = await admin.get("search/assets/download", params={"name": "missing"})

    assert (one.status_code, one.headers["location"]) == (302, f"{BASE}/repository/files/bin/tool.exe")
    assert several.status_code == 400
    assert several.text.startswith("Search returned multiple assets, please refine search criteria")
    assert first.headers["location"].endswith("/bin/tool.exe")
    assert (none.status_code, none.text) == (404, "Asset search returned no results")


@pytest.fixture
async def releases(rest: Rest) -> Rest:
    body: dict[str, Any] = {"writePolicy": "ALLOW", "blobStoreName": "default", "strictContentTypeValidation": False}
    await rest.hosted("releases", format="maven", storage=body, **POLICIES)
    await rest.hosted("files")
    await rest.put("files", "org.example", b"no jar")
    jar = io.BytesIO()
    zipfile.ZipFile(jar, "w").close()
    for version in ("1.9", "1.10", "1.2"):
        for suffix in (".jar", "-sources.jar", ".pom"):
            pom = (
                b"<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
                b"<artifactId>app</artifactId><version>%s</version></project>" % version.encode()
            )
            body_bytes = pom if suffix == ".pom" else jar.getvalue()
            await rest.put("releases", f"org/example/app/{version}/app-{version}{suffix}", body_bytes)
    return rest


async def test_parameters_of_a_format_select_its_assets(releases: Rest, admin: httpx2.AsyncClient) -> None:
    wanted = {"maven.groupId": "org.example", "maven.extension": "jar", "maven.classifier": ""}

    found = await items(admin, "search/assets", **wanted, version="1.9")
    components = await items(admin, "search", **wanted, sort="version")
    sources = await items(admin, "search/assets", **{"assets.attributes.maven2.classifier": "sources"}, version="1.9")

    assert [each["path"] for each in found] == ["/org/example/app/1.9/app-1.9.jar"]
    assert found[0]["maven2"]["extension"] == "jar"
    assert [each["version"] for each in components] == ["1.10", "1.9", "1.2"]
    assert {len(each["assets"]) for each in components} == {3}
    assert [each["path"] for each in sources] == ["/org/example/app/1.9/app-1.9-sources.jar"]


async def test_latest_version_is_downloaded_by_the_well_known_recipe(releases: Rest, admin: httpx2.AsyncClient) -> None:
    answer = await admin.get(
        "search/assets/download?sort=version&repository=releases&maven.groupId=org.example"
        "&maven.artifactId=app&maven.extension=jar&maven.classifier="
    )

    assert answer.status_code == 302
    assert answer.headers["location"].endswith("/org/example/app/1.10/app-1.10.jar")


async def test_metrics_count_what_is_asked_and_held(
    filled: Rest, admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    url = f"{BASE}/service/metrics/prometheus"

    text = (await admin.get(url)).text

    assert 'pakhus_repositories{format="raw",type="hosted"} 2.0' in text
    assert 'pakhus_assets{repository="files"} 3.0' in text
    assert 'pakhus_blobs{blob_store="default"} 4.0' in text
    assert 'pakhus_http_requests_total{format="raw",kind="repository",method="PUT",status="2xx"} 4.0' in text
    assert "process_resident_memory_bytes" in text
    assert (await anonymous.get(url)).status_code == 401


async def tagged(rest: Rest, admin: httpx2.AsyncClient) -> None:
    """Three versions of an npm package; `latest` is 1.1.0, `next` is 2.0.0-rc.1."""
    await rest.hosted("packages", format="npm")
    await rest.hosted("more", format="npm")
    for repository, version, tag in (
        ("packages", "1.0.0", "latest"),
        ("packages", "1.1.0", "latest"),
        ("packages", "2.0.0-rc.1", "next"),
        ("more", "1.1.0", "latest"),
    ):
        manifest = {"name": "lib", "version": version, "dist": {}}
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            text = json.dumps({"name": "lib", "version": version}).encode()
            entry = tarfile.TarInfo("package/package.json")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        data = base64.b64encode(body.getvalue()).decode()
        document = {
            "_id": "lib",
            "name": "lib",
            "dist-tags": {tag: version},
            "versions": {version: manifest},
            "_attachments": {f"lib-{version}.tgz": {"data": data, "length": len(body.getvalue())}},
        }
        answer = await admin.put(f"{BASE}/repository/{repository}/lib", json=document)
        assert answer.status_code in (200, 201), answer.text


async def test_versions_are_found_by_the_tags_that_name_them(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await tagged(rest, admin)

    async def found(**parameters: str) -> list[str]:
        asked = {"repository": "packages", "sort": "version", "direction": "asc", **parameters}
        return [each["version"] for each in (await admin.get("search", params=asked)).json()["items"]]

    assert await found(**{"npm.tagged_is": "latest"}) == ["1.1.0"]
    assert await found(**{"npm.tagged_is": "none"}) == []
    assert await found(**{"npm.tagged_not": "latest"}) == ["1.0.0", "2.0.0-rc.1"]


async def test_versions_of_a_component_are_listed_over_all_repositories(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await tagged(rest, admin)
    asked = {"format": "npm", "name": "lib"}

    versions = (await admin.get("search/versions", params=asked)).json()
    paged = (await admin.get("search/versions", params={**asked, "size": 1, "page": 1, "direction": "asc"})).json()
    places = (await admin.get("search/repositories", params={**asked, "version": "1.1.0"})).json()

    assert [(each["version"], each["repositories"]) for each in versions["items"]] == [
        ("2.0.0-rc.1", ["packages"]),
        ("1.1.0", ["more", "packages"]),
        ("1.0.0", ["packages"]),
    ]
    assert (versions["page"], versions["size"], versions["total"]) == (0, 50, 3)
    assert [each["version"] for each in paged["items"]] == ["1.1.0"]
    assert places == {
        "items": [
            {"repositoryName": "more", "type": "hosted", "versionCount": 1},
            {"repositoryName": "packages", "type": "hosted", "versionCount": 1},
        ],
        "totalCount": 2,
    }
    assert (await admin.get("search/versions", params={"format": "npm"})).status_code == 400
    reader = await rest.user("reader", "nx-search-read", "nx-repository-view-npm-more-browse")
    seen = (await reader.get("search/versions", params=asked)).json()
    assert [(each["version"], each["repositories"]) for each in seen["items"]] == [("1.1.0", ["more"])]
