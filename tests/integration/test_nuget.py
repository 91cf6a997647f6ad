"""NuGet on a server: listing, paging, symbols, and the version 2 feed in every type of repository."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.kit.wire import parse_xml
from tests.contract.serving import ADMIN, Serving, serving
from tests.samples import Request
from tests.samples.nuget import GROUPS, push
from tests.samples.nuget_packages import PDB_ID, nupkg, portable_pdb, snupkg

LOGIN = {"httpClient": {"authentication": {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}}}
TYPES = ("hosted", "proxy", "group", "v2")
"""`v2` is a proxy that knows its upstream by the OData feed alone."""
ATOM = "{http://www.w3.org/2005/Atom}"
D = "{http://schemas.microsoft.com/ado/2007/08/dataservices}"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await found.create("nuget", "hosted", "hosted")
        await found.create("nuget", "hosted", "unlisting", nuget={"deleteUnlists": True})
        upstream = {"remoteUrl": found.at("hosted", "index.json")}
        await found.create("nuget", "proxy", "proxy", proxy=upstream, **LOGIN)
        feed = {"remoteUrl": found.at("hosted")}
        await found.create("nuget", "proxy", "v2", proxy=feed, nugetProxy={"nugetVersion": "V2"}, **LOGIN)
        await found.create("nuget", "group", "group", group={"memberNames": ["proxy"]})
        yield found


async def published(server: Serving, id: str, *versions: str, repository: str = "hosted", more: str = "") -> None:
    for version in versions:
        answer = await server.ask(repository, push(nupkg(id, version, more)))
        assert answer.status_code == 201, answer.text


async def told(server: Serving, repository: str, path: str) -> Any:
    answer = await server.get(repository, path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(server: Serving, repository: str, query: str = "q=") -> set[str]:
    return {each["id"] for each in (await told(server, repository, f"v3/query?{query}"))["data"]}


async def entries(server: Serving, repository: str, path: str) -> list[dict[str, str]]:
    answer = await server.get(repository, path)
    assert answer.status_code == 200, answer.text
    root = parse_xml(answer.content)
    return [
        {each.tag.removeprefix(D): each.text or "" for each in entry.iter() if each.tag.startswith(D)}
        for entry in root.iter(f"{ATOM}entry")
    ]


async def test_an_unlisted_version_is_not_found_but_still_there(server: Serving) -> None:
    await published(server, "Shy", "1.0.0", repository="unlisting")

    assert (await server.ask("unlisting", Request("DELETE", "Shy/1.0.0"))).status_code == 204

    assert await found(server, "unlisting") == set()
    assert (await told(server, "unlisting", "v3/content/shy/index.json"))["versions"] == ["1.0.0"]
    assert (await told(server, "unlisting", "v3/registrations/shy/1.0.0.json"))["listed"] is False
    assert (await entries(server, "unlisting", "FindPackagesById()?id='Shy'"))[0]["Published"].startswith("1900")

    assert (await server.ask("unlisting", Request("POST", "Shy/1.0.0"))).status_code == 200
    assert await found(server, "unlisting") == {"Shy"}


async def test_a_deleted_version_is_gone_unless_told_otherwise(server: Serving) -> None:
    await published(server, "Gone", "1.0.0")
    assert (await server.ask("hosted", Request("POST", "Gone/1.0.0?listed=false"))).status_code == 200
    assert await found(server, "hosted") == set()

    assert (await server.ask("hosted", Request("DELETE", "Gone/1.0.0"))).status_code == 204

    assert (await server.get("hosted", "v3/content/gone/index.json")).status_code == 404
    assert (await server.get("hosted", "v3/registrations-gz-semver2/gone/index.json")).status_code == 404


async def test_search_hides_prereleases_until_asked(server: Serving) -> None:
    await published(server, "Early", "1.0.0-beta")
    await published(server, "Dotted", "1.0.0-beta.1")

    assert await found(server, "hosted") == set()
    assert await found(server, "hosted", "q=&prerelease=true") == {"Early"}
    assert await found(server, "hosted", "q=&prerelease=true&semVerLevel=2.0.0") == {"Early", "Dotted"}
    assert (await server.get("hosted", "v3/registrations/dotted/index.json")).status_code == 404


@pytest.mark.parametrize("repository", ("hosted", "proxy", "group"))
async def test_a_long_registration_has_pages(server: Serving, repository: str) -> None:
    versions = [f"1.{minor}.0" for minor in range(130)]
    await published(server, "Long", *versions)

    index = await told(server, repository, "v3/registrations-gz-semver2/long/index.json")
    pages = [(await httpx_get(server, page["@id"])).json() for page in index["items"]]

    assert [page["count"] for page in index["items"]] == [64, 64, 2]
    assert all("items" not in page for page in index["items"])
    assert [item["catalogEntry"]["version"] for page in pages for item in page["items"]] == versions
    feed = await server.get(repository, "FindPackagesById()?id='long'")
    following = next(link.get("href") for link in parse_xml(feed.content).findall(f"{ATOM}link[@rel='next']"))
    rest = await httpx_get(server, following or "")
    assert feed.text.count("<entry>") + rest.text.count("<entry>") == 130


async def httpx_get(server: Serving, url: str) -> httpx2.Response:
    answer = await server.http.get(url)
    assert answer.status_code == 200, answer.text
    return answer


async def told_versions(server: Serving, repository: str, id: str) -> list[tuple[str, str]]:
    """Version and title, as the pages of the registration tell them."""
    index = await told(server, repository, f"v3/registrations-gz-semver2/{id}/index.json")
    pages = [page if "items" in page else (await httpx_get(server, page["@id"])).json() for page in index["items"]]
    entries = [item["catalogEntry"] for page in pages for item in page["items"]]
    return [(entry["version"], entry.get("title", "")) for entry in entries]


@pytest.mark.parametrize("big", ("proxy", "v2", "hosted"))
async def test_a_group_tells_each_version_once_as_its_first_member_has_it(server: Serving, big: str) -> None:
    await server.create("nuget", "hosted", "mine")
    await server.create("nuget", "proxy", "small", proxy={"remoteUrl": server.at("mine", "index.json")}, **LOGIN)
    for name, members in (("near", ["mine", big]), ("far", [big, "small"]), ("proxies", ["small", big])):
        await server.create("nuget", "group", name, group={"memberNames": members})
    versions = [f"1.0.{number}" for number in range(140)]
    await published(server, "Big", *versions, more="<title>big</title>")
    await published(
        server, "Big", "0.9.0", "1.0.50", "1.0.49-x", "5.0.0", repository="mine", more="<title>mine</title>"
    )
    mine = {"0.9.0": "mine", "1.0.49-x": "mine", "5.0.0": "mine"}

    for repository, winner in (("near", "mine"), ("far", "big"), ("proxies", "mine")):
        found = await told_versions(server, repository, "big")

        assert len(found) == len({version for version, _ in found}) == 143
        assert dict(found) == {**dict.fromkeys(versions, "big"), **mine, "1.0.50": winner}, repository


@pytest.mark.parametrize("repository", TYPES)
async def test_the_feed_tells_the_same_in_every_type(server: Serving, repository: str) -> None:
    await published(server, "Alpha.Lib", "1.0.0", "2.0.0-rc", more=GROUPS)
    await published(server, "Beta", "0.1.0")

    first, second = await entries(server, repository, "FindPackagesById()?id='ALPHA.lib'&$orderby=Version")
    assert (first["Version"], first["IsLatestVersion"], first["IsAbsoluteLatestVersion"]) == ("1.0.0", "true", "false")
    assert (second["Version"], second["IsPrerelease"]) == ("2.0.0-rc", "true")
    assert first["Dependencies"] == "Beta:[0.1.0, 2.0.0):.NETFramework4.6.1|::.NETStandard2.0"
    assert [each["Id"] for each in await entries(server, repository, "Search()?searchTerm='be'")] == ["Beta"]
    one = await entries(server, repository, "Packages(Id='Beta',Version='0.1')")
    assert [each["Version"] for each in one] == ["0.1.0"]
    newer = "GetUpdates()?packageIds='alpha.lib|beta'&versions='0.5|0.1.0'&includePrerelease=true"
    assert [each["Version"] for each in await entries(server, repository, newer)] == ["2.0.0-rc"]
    count = await server.get(repository, "FindPackagesById()/$count?id='alpha.lib'&$filter=IsPrerelease eq true")
    assert count.text == "1"


@pytest.mark.parametrize("repository", TYPES)
async def test_version_3_is_told_of_every_upstream(server: Serving, repository: str) -> None:
    await published(server, "Alpha.Lib", "1.0.0", more=GROUPS)

    page = (await told(server, repository, "v3/registrations-gz-semver2/alpha.lib/index.json"))["items"][0]
    entry = page["items"][0]["catalogEntry"]

    assert (entry["id"], entry["version"], entry["listed"]) == ("Alpha.Lib", "1.0.0", True)
    framework, standard = entry["dependencyGroups"]
    assert framework["targetFramework"] == ".NETFramework4.6.1"
    assert [(each["id"], each["range"]) for each in framework["dependencies"]] == [("Beta", "[0.1.0, 2.0.0)")]
    assert (standard["targetFramework"], "dependencies" in standard) == (".NETStandard2.0", False)
    assert await found(server, repository, "q=alpha") == {"Alpha.Lib"}
    package = await httpx_get(server, entry["packageContent"])
    assert package.content == nupkg("Alpha.Lib", "1.0.0", GROUPS)


async def test_symbols_are_found_by_the_identity_of_the_pdb(server: Serving) -> None:
    await published(server, "Debugged", "1.0.0")

    assert (await server.ask("hosted", push(snupkg("Debugged", "1.0.0"), "symbolpackage/"))).status_code == 201

    asked = f"symbols/Debugged.pdb/{PDB_ID.hex.upper()}FFFFFFFF/Debugged.pdb"
    assert (await server.get("hosted", asked)).content == portable_pdb()
    assert (await server.ask("hosted", Request("DELETE", "Debugged/1.0.0"))).status_code == 204
    assert (await server.get("hosted", asked)).status_code == 404


async def test_symbols_without_a_package_or_a_pdb_are_refused(server: Serving) -> None:
    assert (await server.ask("hosted", push(snupkg("Alone", "1.0.0"), "symbolpackage"))).status_code == 404
    await published(server, "Alone", "1.0.0")
    assert (await server.ask("hosted", push(snupkg("Alone", "1.0.0", b"MZ"), "symbolpackage"))).status_code == 400


async def test_nothing_is_known_to_be_vulnerable(server: Serving) -> None:
    for repository in TYPES:
        pages = await told(server, repository, "v3/vulnerabilities/index.json")
        assert [(await httpx_get(server, page["@id"])).json() for page in pages] == [{}]


async def test_a_token_in_the_clients_own_header_is_enough(server: Serving) -> None:
    made = await server.http.post(f"{server.url}/api/v1/tokens", json={"name": "nuget"})
    assert made.status_code == 201, made.text
    request = push(nupkg("Keyed", "1.0.0"))
    headers = {**request.headers, "x-nuget-apikey": made.json()["token"]}
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.put(server.at("hosted"), content=request.body, headers=headers)
        wrong = await stranger.put(
            server.at("hosted"), content=request.body, headers={**headers, "x-nuget-apikey": "wrong"}
        )

    assert wrong.status_code == 401
    assert answer.status_code == 201, answer.text


async def test_the_rest_upload_reads_everything_from_the_file(server: Serving) -> None:
    answer = await server.http.post(
        f"{server.url}/service/rest/v1/components?repository=hosted",
        files={"nuget.asset": ("any.nupkg", nupkg("By.Rest", "1.0"))},
    )
    assert answer.status_code == 204, answer.text

    listed = await server.http.get(f"{server.url}/service/rest/v1/search?repository=hosted&nuget.id=By.Rest")

    assert [(each["name"], each["version"]) for each in listed.json()["items"]] == [("By.Rest", "1.0.0")]
