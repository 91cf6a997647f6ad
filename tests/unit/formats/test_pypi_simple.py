"""The simple API: every attribute of a file survives parse, merge and dump, in both forms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Blob, Component, Coordinates, Digests
from pakhus.domain.errors import Invalid, UpstreamRefused
from pakhus.formats.pypi import Pypi
from pakhus.formats.pypi.documents import PROJECT, ROOT, timestamp
from pakhus.formats.pypi.filenames import package_path, provenance_path
from pakhus.formats.pypi.release import ProjectJson, ReleaseJson
from pakhus.formats.pypi.simple import HTML_LATEST, HTML_V1, JSON_LATEST, JSON_V1, Project, ProjectFile
from pakhus.kit.context import Context

SOURCE = "https://upstream.example/root/simple/foo/"
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SHA = "ab" * 32


def context(accept: str = JSON_V1, source: str = SOURCE, **params: str) -> Context:
    return Context("r", "", {"name": "foo", **params}, {}, accept, None, lambda path: f"https://here/r/{path}", source)


def asset(path: str, *, digest: str = SHA, **attributes: object) -> Asset:
    blob = Blob(1, "default", "key", 7, Digests(digest, "1" * 40, "2" * 32, "3" * 128), NOW)
    return Asset(1, "r", path, blob, "", Coordinates("foo", "1.0"), attributes, NOW, NOW)


def component(version: str, *assets: Asset, **attributes: object) -> Component:
    return Component(1, "r", Coordinates("foo", version), attributes, assets, NOW, NOW)


JSON_PAGE = {
    "meta": {"api-version": "1.3", "tracks": ["https://origin.example/simple/foo/"], "_last-serial": 5},
    "name": "Foo",
    "alternate-locations": ["https://other.example/simple/foo/"],
    "project-status": {"status": "archived", "reason": "done"},
    "versions": ["1.10", "1.9", "1.0-rc1"],
    "files": [
        {
            "filename": "foo-1.9-py3-none-any.whl",
            "url": "../../files/foo-1.9-py3-none-any.whl",
            "hashes": {"sha256": SHA.upper(), "blake2b": "cd"},
            "requires-python": ">=3.8,<4",
            "size": 12,
            "upload-time": "2024-01-02T03:04:05.678901Z",
            "yanked": "broken & <bad>",
            "core-metadata": {"sha256": "12" * 32},
            "data-dist-info-metadata": False,
            "provenance": "https://upstream.example/integrity/foo/1.9/foo-1.9-py3-none-any.whl/provenance",
        },
        {
            "filename": "foo-1.10.tar.gz",
            "url": "https://files.example/x/foo-1.10.tar.gz",
            "hashes": {},
            "yanked": True,
            "size": 1,
        },
        {"filename": "foo-1.10.exe", "url": "https://files.example/x/foo-1.10.exe", "hashes": {}, "size": 1},
        {"filename": "../../etc/passwd", "url": "https://files.example/x", "hashes": {}},
    ],
}

HTML_PAGE = f"""<!doctype html><html><head>
<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="quarantined">
<meta name="pypi:project-status-reason" content="why">
<meta name="pypi:tracks" content="https://origin.example/simple/foo/">
<meta name="pypi:alternate-locations" content="https://other.example/simple/foo/">
<base href="https://cdn.example/a/b/"></head><body>
<a href="../foo-1.0%2Blocal-py3-none-any.whl?x=1#sha256={SHA}&egg=foo" data-requires-python="&gt;=3.8"
   data-yanked data-dist-info-metadata="true" data-core-metadata="sha256={"12" * 32}"
   data-provenance="/prov/1">foo-1.0+local-py3-none-any.whl</a>
<A HREF='foo-0.9.zip#md5=AABB' data-yanked="bad &amp; worse">foo-0.9.zip</A>
<a>nothing</a><a href="..">Parent</a>
<a href="foo-0.8.tar.gz" data-core-metadata="false">foo-0.8.tar.gz</a></body></html>"""


def test_a_json_page_is_read_whole() -> None:
    page = PROJECT.parse(context(), json.dumps(JSON_PAGE).encode())
    first, second, third = page.files
    assert first == ProjectFile(
        "foo-1.9-py3-none-any.whl",
        "packages/foo/1.9/foo-1.9-py3-none-any.whl",
        "https://upstream.example/root/files/foo-1.9-py3-none-any.whl",
        {"sha256": SHA, "blake2b": "cd"},
        ">=3.8,<4",
        12,
        "2024-01-02T03:04:05.678901Z",
        "broken & <bad>",
        {"sha256": "12" * 32},
        "integrity/foo/1.9/foo-1.9-py3-none-any.whl/provenance",
        "https://upstream.example/integrity/foo/1.9/foo-1.9-py3-none-any.whl/provenance",
    )
    assert (second.yanked, second.metadata, second.url) == ("", None, "https://files.example/x/foo-1.10.tar.gz")
    assert third.path == "packages/foo/foo-1.10.exe"
    assert page.versions == ("1.0rc1", "1.9", "1.10")
    assert (page.status, page.status_reason) == ("archived", "done")
    assert page.tracks == ("https://origin.example/simple/foo/",)
    assert page.alternates == ("https://other.example/simple/foo/",)


def test_an_html_page_is_read_whole() -> None:
    page = PROJECT.parse(context(), HTML_PAGE.encode())
    first, second, third = page.files
    assert first.filename == "foo-1.0+local-py3-none-any.whl"
    assert first.url == "https://cdn.example/a/foo-1.0%2Blocal-py3-none-any.whl?x=1"
    assert first.hashes == {"sha256": SHA}
    assert (first.requires_python, first.yanked, first.metadata) == (">=3.8", "", {"sha256": "12" * 32})
    assert first.provenance_url == "https://cdn.example/prov/1"
    assert (second.yanked, second.hashes, second.path) == (
        "bad & worse",
        {"md5": "aabb"},
        "packages/foo/0.9/foo-0.9.zip",
    )
    assert third.metadata is None
    assert page.versions == ("0.8", "0.9", "1.0+local")
    assert (page.status, page.status_reason) == ("quarantined", "why")
    assert page.tracks == ("https://origin.example/simple/foo/",)


@pytest.mark.parametrize("accept", [JSON_V1, "text/html", HTML_V1, JSON_LATEST, HTML_LATEST])
def test_what_one_pakhus_writes_another_reads_back(accept: str) -> None:
    page = PROJECT.parse(context(), json.dumps(JSON_PAGE).encode())
    again = PROJECT.parse(context(), PROJECT.dump(context(accept), page))
    assert again.tracks == page.tracks
    assert again.alternates == page.alternates
    assert (again.status, again.status_reason) == (page.status, page.status_reason)
    for old, new in zip(page.files, again.files, strict=True):
        assert new.url == f"https://here/r/{old.path}"
        assert (new.filename, new.requires_python, new.yanked, new.metadata) == (
            old.filename,
            old.requires_python,
            old.yanked,
            old.metadata,
        )
        assert new.hashes.get("sha256") == old.hashes.get("sha256")
        assert new.provenance == old.provenance


def test_a_json_page_keeps_every_member() -> None:
    page = PROJECT.parse(context(), json.dumps(JSON_PAGE).encode())
    written = json.loads(PROJECT.dump(context(), page))
    assert written["meta"] == {"api-version": "1.4", "tracks": ["https://origin.example/simple/foo/"]}
    assert written["name"] == "foo"
    assert written["versions"] == ["1.0rc1", "1.9", "1.10"]
    assert written["alternate-locations"] == ["https://other.example/simple/foo/"]
    assert written["project-status"] == {"status": "archived", "reason": "done"}
    assert written["files"][0] == {
        "filename": "foo-1.9-py3-none-any.whl",
        "url": "https://here/r/packages/foo/1.9/foo-1.9-py3-none-any.whl",
        "hashes": {"sha256": SHA, "blake2b": "cd"},
        "requires-python": ">=3.8,<4",
        "size": 12,
        "upload-time": "2024-01-02T03:04:05.678901Z",
        "yanked": "broken & <bad>",
        "core-metadata": {"sha256": "12" * 32},
        "dist-info-metadata": {"sha256": "12" * 32},
        "provenance": "https://here/r/integrity/foo/1.9/foo-1.9-py3-none-any.whl/provenance",
    }
    assert [file["yanked"] for file in written["files"]] == ["broken & <bad>", True, False]


def test_a_page_without_sizes_claims_no_version_that_demands_them() -> None:
    page = PROJECT.parse(context(), HTML_PAGE.encode())
    assert json.loads(PROJECT.dump(context(), page))["meta"]["api-version"] == "1.0"


def test_html_is_escaped() -> None:
    file = ProjectFile("foo-1.0.tar.gz", "packages/foo/1.0/foo-1.0.tar.gz", requires_python='>=3,<4"x', yanked="<b>'")
    text = PROJECT.dump(context("text/html"), Project("foo", (file,))).decode()
    assert "&gt;=3,&lt;4&quot;x" in text
    assert "<b>" not in text.partition("<body>")[2]


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_attribute_escapes_from_its_html(requires: str, reason: str) -> None:
    file = ProjectFile("foo-1.0.zip", "packages/foo/1.0/foo-1.0.zip", requires_python=requires, yanked=reason)
    seen: list[dict[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "a":
                seen.append(dict(attrs))

    Reader().feed(PROJECT.dump(context("text/html"), Project("foo", (file,))).decode("utf-8", "replace"))
    assert len(seen) == 1
    assert set(seen[0]) <= {"href", "data-requires-python", "data-yanked"}


@given(st.binary(max_size=200))
def test_no_upstream_page_breaks_the_parser(body: bytes) -> None:
    for prefix in (b"", b"{", b'{"files": [', b"<a href="):
        try:
            page = PROJECT.parse(context(), prefix + body)
        except (Invalid, UpstreamRefused, ValueError):
            continue
        assert isinstance(page, Project)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "files",
                        "meta",
                        "filename",
                        "url",
                        "hashes",
                        "yanked",
                        "core-metadata",
                        "versions",
                        "project-status",
                        "size",
                        "provenance",
                        "api-version",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_of_any_shape_breaks_the_parser(value: object) -> None:
    for page in (value, {"files": [value], "versions": value, "meta": value, "project-status": value}):
        try:
            project = PROJECT.parse(context(), json.dumps(page).encode())
        except (Invalid, UpstreamRefused):
            continue
        PROJECT.dump(context(), project)


def test_one_bad_link_does_not_hide_the_others() -> None:
    html = b'<base href="http://[bad"><a href="http://[/foo-1.zip">foo-1.zip</a><a href="foo-2.zip">foo-2.zip</a>'
    entries = [{"filename": f"foo-{n}.zip", "url": url} for n, url in enumerate(["http://[/x", 7, "foo-2.zip"])]
    for body in (html, json.dumps({"files": entries}).encode()):
        assert [file.filename for file in PROJECT.parse(context(), body).files] == ["foo-2.zip"]


@pytest.mark.parametrize(
    "body", [b'{"meta": {"api-version": "2.0"}, "files": []}', b'<meta name="pypi:repository-version" content="2.0">']
)
def test_another_major_version_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamRefused):
        PROJECT.parse(context(), body)


def test_the_first_member_of_a_group_wins_and_versions_are_united() -> None:
    one = Project("foo", (ProjectFile("foo-1.zip", "packages/foo/1/foo-1.zip", hashes={"sha256": "aa"}),), ("1",))
    two = Project(
        "foo",
        (ProjectFile("foo-1.zip", "packages/foo/1/foo-1.zip", hashes={"sha256": "bb"}), ProjectFile("foo-2.zip", "p")),
        ("1", "2"),
        status="deprecated",
    )
    merged = PROJECT.merge(context(), [one, two])
    assert [(file.filename, file.hashes.get("sha256")) for file in merged.files] == [
        ("foo-1.zip", "aa"),
        ("foo-2.zip", None),
    ]
    assert merged.versions == ("1", "2")
    assert merged.status == "deprecated"


def held() -> list[Component]:
    wheel = "packages/foo/1.0/foo-1.0-py3-none-any.whl"
    provenance = provenance_path(wheel)
    return [
        component(
            "1.0",
            asset(wheel, requires_python=">=3.9", packagetype="bdist_wheel"),
            asset(f"{wheel}.metadata", digest="cd" * 32),
            asset(f"{wheel}.asc"),
            asset(provenance, subject=SHA),
            asset(package_path("foo", "foo-1.0.tar.gz"), packagetype="sdist"),
            project_name="Foo",
            summary="One",
        ),
        component("1.10", asset(package_path("foo", "foo-1.10.tar.gz")), yanked="oops", summary="Ten"),
        component("2.0rc1", asset(package_path("foo", "foo-2.0rc1.tar.gz")), summary="Two"),
        component("3.0"),
    ]


def test_a_hosted_page_lists_distributions_and_what_is_beside_them() -> None:
    page = PROJECT.build(context(), held())
    assert page is not None
    assert page.versions == ("1.0", "1.10", "2.0rc1")
    wheel, sdist, yanked, _ = page.files
    assert wheel.metadata == {"sha256": "cd" * 32}
    assert wheel.provenance == "integrity/foo/1.0/foo-1.0-py3-none-any.whl/provenance"
    assert (wheel.requires_python, wheel.size, wheel.upload_time) == (">=3.9", 7, "2026-03-01T12:30:00.000000Z")
    assert (sdist.metadata, sdist.provenance, sdist.yanked) == (None, "", None)
    assert yanked.yanked == "oops"


def test_provenance_of_bytes_that_were_replaced_is_not_shown() -> None:
    found = held()[0]
    replaced = replace(
        found,
        assets=[
            replace(each, attributes={"subject": "00" * 32}) if "integrity" in each.path else each
            for each in found.assets
        ],
    )
    page = PROJECT.build(context(), [replaced])
    assert page is not None
    assert page.files[0].provenance == ""


def test_a_project_without_files_has_no_page() -> None:
    assert PROJECT.build(context(), [component("1.0")]) is None
    assert ProjectJson().build(context(), [component("1.0")]) is None


def test_latest_is_answered_with_the_version_it_stands_for() -> None:
    assert PROJECT.headers(context(JSON_LATEST), None) == {"content-type": JSON_V1}
    assert ROOT.headers(context(HTML_LATEST), None) == {"content-type": HTML_V1}
    assert PROJECT.headers(context("text/html"), None) == {}


def test_html_is_the_default_form() -> None:
    assert PROJECT.media_types[0] == "text/html"


@pytest.mark.parametrize("accept", [JSON_V1, "text/html"])
def test_the_root_index_is_read_merged_and_written(accept: str) -> None:
    one = ROOT.parse(
        context(), b'{"meta": {"api-version": "1.0"}, "projects": [{"name": "Foo_Bar"}, {"name": "a"}, {}]}'
    )
    two = ROOT.parse(context(), b'<a href="/simple/Zope/">Zope</a><a href="b/"></a>')
    merged = ROOT.merge(context(), [one, two])
    assert merged == ("a", "b", "foo-bar", "zope")
    assert ROOT.parse(context(), ROOT.dump(context(accept), merged)) == merged


def test_the_newest_final_release_speaks_for_the_project() -> None:
    releases = ProjectJson().build(context(), held())
    assert releases is not None
    page = json.loads(ProjectJson().dump(context(), releases))
    assert page["info"]["version"] == "1.10"
    assert page["info"]["summary"] == "Ten"
    assert page["info"]["yanked_reason"] == "oops"
    assert list(page["releases"]) == ["1.0", "1.10", "2.0rc1"]
    assert page["urls"] == page["releases"]["1.10"]
    assert page["urls"][0]["yanked"] is True
    assert page["releases"]["1.0"][0]["url"] == "https://here/r/packages/foo/1.0/foo-1.0-py3-none-any.whl"
    assert page["releases"]["1.0"][0]["digests"]["sha256"] == SHA


def test_one_release_has_its_files_and_no_others() -> None:
    releases = ReleaseJson().build(context(version="1.0"), held()[:1])
    assert releases is not None
    page = json.loads(ReleaseJson().dump(context(version="1.0"), releases))
    assert "releases" not in page
    assert [entry["filename"] for entry in page["urls"]] == ["foo-1.0-py3-none-any.whl", "foo-1.0.tar.gz"]
    assert page["info"]["name"] == "Foo"


def test_a_proxied_json_page_leads_here_and_keeps_its_facts() -> None:
    upstream = {
        "info": {"name": "Foo", "version": "2.0", "summary": "s", "custom": 1},
        "releases": {"1.0": [{"filename": "foo-1.0.zip", "url": "https://files/foo-1.0.zip", "size": 3}], "2.0": []},
        "urls": [{"filename": "foo-2.0.zip", "url": "https://files/foo-2.0.zip"}],
        "vulnerabilities": [{"id": "X"}],
    }
    model = ProjectJson().parse(context(), json.dumps(upstream).encode())
    page = json.loads(ProjectJson().dump(context(), model))
    assert page["info"]["custom"] == 1
    assert page["vulnerabilities"] == [{"id": "X"}]
    assert page["releases"]["1.0"] == [
        {"filename": "foo-1.0.zip", "size": 3, "url": "https://here/r/packages/foo/1.0/foo-1.0.zip"}
    ]


def test_json_pages_of_members_become_one() -> None:
    mine = ProjectJson().build(context(), held()[:1])
    body = json.dumps(
        {
            "info": {"version": "9"},
            "releases": {"1.0": [{"filename": "foo-1.0.tar.gz", "size": 1}]},
            "urls": [{"filename": "foo-9.zip"}],
        }
    )
    theirs = ProjectJson().parse(context(), body.encode())
    assert mine is not None
    merged = ProjectJson().merge(context(), [mine, theirs])
    assert merged.info["version"] == "9"
    assert [entry["size"] for entry in merged.files["1.0"]] == [7, 7]
    assert [entry["filename"] for entry in merged.files["9"]] == ["foo-9.zip"]


def test_times_are_in_utc() -> None:
    assert timestamp(NOW) == "2026-03-01T12:30:00.000000Z"


def test_the_assets_member_of_the_rest_api_names_the_release() -> None:
    known = asset("packages/foo/1.0/foo-1.0-cp311-cp311-win_amd64.whl", platform="win_amd64")
    assert Pypi().describe(known) == {"name": "foo", "version": "1.0", "platform": "win_amd64"}
    assert Pypi().browse(known) == ["foo", "1.0", "foo-1.0-cp311-cp311-win_amd64.whl"]
