"""What a NuGet package says of itself, and what is refused."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import BadPackage
from pakhus.formats.nuget import nuspec, package, symbols
from pakhus.formats.nuget.publish import mended
from tests.samples import nuget_packages as made

FULL = """
<title>Foo</title><owners>Carol</owners><summary>Short</summary><releaseNotes>New</releaseNotes>
<copyright>2024</copyright><language>en-GB</language><projectUrl>https://example.org/</projectUrl>
<license type="expression">MIT OR Apache-2.0</license><icon>images\\icon.png</icon><readme>docs/README.md</readme>
<requireLicenseAcceptance>true</requireLicenseAcceptance><tags>one two,three</tags>
<repository type="git" url="https://example.org/foo.git" commit="abc" />
<packageTypes><packageType name="DotnetTool" version="1.0" /></packageTypes>
<dependencies><group targetFramework="net6.0"><dependency id="A" version="1.0" exclude="Build" /></group>
<group targetFramework="netstandard2.0" /></dependencies>
<frameworkReferences><group targetFramework="net6.0"><frameworkReference name="Microsoft.AspNetCore.App" /></group>
</frameworkReferences>
"""


def read(body: bytes) -> package.Package:
    return package.read(io.BytesIO(body))


def test_the_whole_nuspec_is_kept() -> None:
    files = {"images/icon.png": b"\x89PNG", "docs/README.md": b"# Foo"}
    found = read(made.nupkg("Foo", "1.0.0.0+build", FULL, files=files))

    assert found.nuspec.version == "1.0.0+build"
    assert (found.icon, found.readme) == (b"\x89PNG", b"# Foo")
    assert found.nuspec.types == ["DotnetTool"]
    assert dict(found.nuspec.entry) == {
        "id": "Foo",
        "version": "1.0.0+build",
        "title": "Foo",
        "authors": "Ada, Bob",
        "owners": "Carol",
        "description": "What Foo does",
        "summary": "Short",
        "releaseNotes": "New",
        "copyright": "2024",
        "language": "en-GB",
        "projectUrl": "https://example.org/",
        "licenseExpression": "MIT OR Apache-2.0",
        "iconFile": "images\\icon.png",
        "readmeFile": "docs/README.md",
        "requireLicenseAcceptance": True,
        "tags": ["one", "two", "three"],
        "repository": {"type": "git", "url": "https://example.org/foo.git", "commit": "abc"},
        "packageTypes": [{"name": "DotnetTool", "version": "1.0"}],
        "dependencyGroups": [
            {"targetFramework": "net6.0", "dependencies": [{"id": "A", "range": "[1.0.0, )", "exclude": "Build"}]},
            {"targetFramework": "netstandard2.0"},
        ],
        "frameworkReferences": [{"targetFramework": "net6.0", "references": [{"name": "Microsoft.AspNetCore.App"}]}],
        "semVer2": True,
    }


@pytest.mark.parametrize("namespace", ["", "http://schemas.microsoft.com/packaging/2010/07/nuspec.xsd"])
def test_every_namespace_of_nuspecs_is_read(namespace: str) -> None:
    assert nuspec.read(made.nuspec("Foo", "1.0", namespace=namespace)).id == "Foo"


def test_dependencies_without_groups_are_one_group() -> None:
    loose = '<dependencies><dependency id="A" version="1.0" /><dependency id="B" /></dependencies>'
    groups = nuspec.read(made.nuspec("Foo", "1.0", loose)).entry["dependencyGroups"]
    assert groups == [{"dependencies": [{"id": "A", "range": "[1.0.0, )"}, {"id": "B", "range": "(, )"}]}]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"PK", "not a readable zip"),
        (made.zipped({"lib/Foo.nuspec": made.nuspec("Foo", "1.0")}), "no nuspec"),
        (made.zipped({"a.nuspec": b"", "b.NUSPEC": b""}), "more than one nuspec"),
        (made.nupkg("Foo", "1.0", files={"a/../../b": b""}), "not a safe file name"),
        (made.nupkg("Foo", "1.0", files={"..\\b": b""}), "not a safe file name"),
        (made.nupkg("Foo Bar", "1.0"), "not a package id"),
        (made.nupkg("Foo", "1.x"), "not a package version"),
        (made.zipped({"a.nuspec": b"<package />"}), "no metadata"),
        (made.zipped({"a.nuspec": b'<!DOCTYPE a [<!ENTITY b "c">]><package>&b;</package>'}), "entities"),
        (made.zipped({"a.nuspec": b" " * (3 << 20)}), "bomb"),
    ],
)
def test_a_bad_package_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BadPackage, match=reason):
        read(body)


def test_a_pdb_is_known_by_its_guid() -> None:
    assert symbols.identify(made.portable_pdb()) == made.PDB_ID.hex + "ffffffff"


@given(st.binary(max_size=80), st.integers(0, 90))
def test_a_broken_pdb_is_none(rest: bytes, cut: int) -> None:
    found = symbols.identify(made.portable_pdb()[:cut] + rest)
    assert found is None or found.endswith("ffffffff")


@given(st.integers(1, 60), st.booleans())
async def test_the_last_boundary_gets_the_line_end_that_it_lacks(size: int, bare: bool) -> None:
    good = b"--b\r\nContent-Disposition: form-data\r\n\r\n" + b"x\n--b-\n" * 9 + b"\r\n--b--"
    sent = good[: -len(b"\r\n--b--")] + b"\n--b--" if bare else good

    async def chunks():  # type: ignore[no-untyped-def]
        for start in range(0, len(sent), size):
            yield sent[start : start + size]

    got = b"".join([part async for part in mended(chunks(), "multipart/form-data; boundary=b")])

    assert got == good
