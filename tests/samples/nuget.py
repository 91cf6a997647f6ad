"""NuGet: two versions of a package and another one, pushed and deleted as dotnet does."""

from __future__ import annotations

import json
import zipfile

from tests.samples import Page, Release, Request, Sample
from tests.samples.nuget_packages import form, nupkg, nuspec, zipped


def push(package: bytes, path: str = "") -> Request:
    return Request("PUT", path, *form(package))


def _release(id: str, version: str, more: str = "", *, padding: bytes = b"") -> Release:
    files = {"content/padding.bin": padding} if padding else {}
    package = nupkg(id, version, more, files=files, compression=zipfile.ZIP_STORED)
    place = f"v3/content/{id.lower()}/{version.lower()}"
    return Release(
        [push(package)],
        {
            f"{place}/{id.lower()}.{version.lower()}.nupkg": package,
            f"{place}/{id.lower()}.nuspec": nuspec(id, version, more),
        },
        [Request("DELETE", f"{id}/{version}")],
    )


GROUPS = (
    '<dependencies><group targetFramework=".NETFramework4.6.1"><dependency id="Beta" version="[0.1,2.0)" /></group>'
    '<group targetFramework=".NETStandard2.0" /></dependencies>'
)


def _entries(body: bytes) -> list[dict[str, str]]:
    return [item["catalogEntry"] for page in json.loads(body)["items"] for item in page["items"]]


def _registered(body: bytes) -> set[str]:
    return {entry["version"] for entry in _entries(body)}


def _registration_links(body: bytes) -> list[str]:
    items = [item for page in json.loads(body)["items"] for item in page["items"]]
    return [link for item in items for link in (item["@id"], item["packageContent"], item["registration"])]


def _versions(body: bytes) -> set[str]:
    return set(json.loads(body)["versions"])


def _found(body: bytes) -> set[str]:
    return {f"{each['id']} {one['version']}" for each in json.loads(body)["data"] for one in each["versions"]}


def _found_links(body: bytes) -> list[str]:
    return [each["registration"] for each in json.loads(body)["data"]]


def _ids(body: bytes) -> set[str]:
    return set(json.loads(body)["data"])


def _registration(hive: str) -> Page:
    return Page(
        f"v3/registrations{hive}/alpha.lib/index.json",
        _registered,
        frozenset({"1.0.0", "2.0.0"}),
        frozenset({"2.0.0"}),
        links=_registration_links,
    )


SAMPLE = Sample(
    format="nuget",
    first=_release("Alpha.Lib", "1.0.0", GROUPS),
    second=_release("Alpha.Lib", "2.0.0"),
    other=_release("Beta", "0.1.0"),
    pages=(
        Page("v3/content/Alpha.Lib/index.json", _versions, frozenset({"1.0.0", "2.0.0"}), frozenset({"2.0.0"})),
        *(_registration(hive) for hive in ("", "-gz", "-gz-semver2")),
        Page(
            "v3/query?q=&take=100",
            _found,
            frozenset({"Alpha.Lib 1.0.0", "Alpha.Lib 2.0.0", "Beta 0.1.0"}),
            frozenset({"Alpha.Lib 2.0.0", "Beta 0.1.0"}),
            links=_found_links,
        ),
        Page("v3/autocomplete?q=alpha", _ids, frozenset({"Alpha.Lib"}), frozenset({"Alpha.Lib"})),
        Page("v3/autocomplete?id=Alpha.Lib", _ids, frozenset({"1.0.0", "2.0.0"}), frozenset({"2.0.0"})),
    ),
    absent="v3/content/alpha.lib/9.9.9/alpha.lib.9.9.9.nupkg",
    big=lambda size: _release("Large", "1.0.0", padding=b"0123456789abcdef" * (size // 16)),
    malformed=(
        Request("PUT", "", b"no form", {"content-type": "application/octet-stream"}),
        Request("PUT", "", b"--limit\r\nbroken", {"content-type": "multipart/form-data; boundary=limit"}),
        push(b"not an archive"),
        push(zipped({"lib/x.dll": b"MZ"})),
        push(zipped({"A.nuspec": nuspec("A", "1.0.0"), "B.nuspec": nuspec("B", "1.0.0")})),
        push(zipped({"A.nuspec": b"<package>"})),
        push(nupkg("../up", "1.0.0")),
        push(nupkg("Alpha", "not.a.version")),
        push(nupkg("Alpha", "1.0.0", files={"../outside.dll": b"MZ"})),
        push(nupkg("Alpha", "1.0.0"), "symbolpackage"),
    ),
)
