"""Go: names, go.mod, module zips, the order of versions, paths."""

from __future__ import annotations

import contextlib
import io
import stat
import warnings
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Blob, Component, Coordinates, Digests
from pakhus.domain.errors import BadPackage, BadPath, Invalid, NotAllowed
from pakhus.formats.go import Go, modulezip, names
from pakhus.formats.go.documents import Latest, RevisionQuery, VersionList, ordered, preference
from pakhus.formats.go.files import GoModFile, ModuleZip, VersionInfo
from pakhus.formats.go.gomod import Requirement, parse_gomod
from pakhus.formats.go.sumdb import Record, Supported, Tile, TreeHead
from pakhus.kit.context import Context
from tests.samples.go import archive, gomod, module_zip

MODULE = Coordinates("example.com/acme/web", "v1.2.3")
PREFIX = "example.com/acme/web@v1.2.3/"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WORDS = st.from_regex(r"[A-Za-z0-9._~!-]{0,30}", fullmatch=True)


# -- names ---------------------------------------------------------------------------------------------------------


@given(st.from_regex(r"[A-Za-z0-9._~/-]{0,60}", fullmatch=True))
def test_an_escaped_name_is_lower_case_and_means_the_name(name: str) -> None:
    escaped = names.escape(name)
    assert escaped == escaped.lower()
    assert names.unescape(escaped) == name


@given(WORDS)
def test_what_is_unescaped_was_escaped_or_is_refused(text: str) -> None:
    try:
        meant = names.unescape(text)
    except BadPath:
        return
    assert names.escape(meant) == text


@pytest.mark.parametrize("text", ["!", "a!", "!A", "!1", "!!a", "Azure"])
def test_what_no_name_escapes_to_is_refused(text: str) -> None:
    with pytest.raises(BadPath):
        names.unescape(text)


@pytest.mark.parametrize(
    "path",
    [
        "example.com",
        "example.com/Acme/web_2~x",
        "example.com/web/v2",
        "example.com/web/v20",
        "example.com/v",
        "example.com/webv1",
        "gopkg.in/yaml.v2",
        "gopkg.in/yaml.v0",
        "gopkg.in/user/pkg.v3-unstable",
    ],
)
def test_module_paths_are_accepted(path: str) -> None:
    assert names.module_flaw(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "web",
        "Example.com/web",
        "example_1.com/web",
        "-example.com/web",
        "example.com/",
        "example.com//web",
        "/example.com",
        "example.com/.hidden",
        "example.com/web.",
        "example.com/../web",
        "example.com/a b",
        "example.com/a+b",
        "example.com/wéb",
        "example.com/CON",
        "example.com/com1.txt",
        "example.com/web~1",
        "example.com/web/v1",
        "example.com/web/v0",
        "example.com/web/v02",
        "example.com/web/v2.1",
        "gopkg.in/yaml",
        "gopkg.in/yaml.v01",
        "example.com/@v/list",
    ],
)
def test_other_module_paths_are_not(path: str) -> None:
    assert names.module_flaw(path) is not None
    with pytest.raises(BadPath, match="malformed module path"):
        names.check_module(path)


@pytest.mark.parametrize(
    ("module", "version"),
    [
        ("example.com/web", "v0.0.0"),
        ("example.com/web", "v1.2.3-rc.1"),
        ("example.com/web", "v1.2.3-0.20250501120000-fedcba987654"),
        ("example.com/web", "v2.0.0+incompatible"),
        ("example.com/web/v2", "v2.0.0-RC1"),
        ("gopkg.in/yaml.v2", "v2.4.0"),
        ("gopkg.in/yaml.v3-unstable", "v3.0.0"),
        ("gopkg.in/check.v1", "v0.0.0-20161208181325-20d25e280405"),
    ],
)
def test_versions_that_fit_their_module_are_accepted(module: str, version: str) -> None:
    assert names.version_flaw(module, version) is None


@pytest.mark.parametrize(
    ("module", "version", "reason"),
    [
        ("example.com/web", "1.2.3", "canonical"),
        ("example.com/web", "v1.2", "canonical"),
        ("example.com/web", "v1.02.3", "canonical"),
        ("example.com/web", "v1.2.3-01", "canonical"),
        ("example.com/web", "v1.2.3-", "canonical"),
        ("example.com/web", "v1.2.3+meta", "canonical"),
        ("example.com/web", "master", "canonical"),
        ("example.com/web", "v2.0.0", "should be v0 or v1"),
        ("example.com/web", "v1.0.0+incompatible", "v2 or higher"),
        ("example.com/web/v2", "v3.0.0", "should be v2"),
        ("example.com/web/v2", "v2.0.0+incompatible", "without a major version"),
        ("gopkg.in/yaml.v2", "v3.0.0", "should be v2"),
    ],
)
def test_versions_that_do_not_fit_are_refused_with_the_reason(module: str, version: str, reason: str) -> None:
    with pytest.raises(BadPath, match=reason):
        names.check_version(module, version)


@pytest.mark.parametrize("name", ["a.go", "a b/é.txt", "[x]/{y}~1", "$&()+,-.=@^_#%!"])
def test_file_names_are_accepted(name: str) -> None:
    names.check_file(name)


@pytest.mark.parametrize(
    "name", ["a:b", "a*", "a?", 'a"', "a'", "a<", "a|b", "a\\b", "a\tb", "x/aux.go", "a./b", "٣", "…"]
)
def test_file_names_that_some_system_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(BadPackage, match="malformed file path"):
        names.check_file(name)


@pytest.mark.parametrize(("one", "other"), [("README", "readme"), ("É", "é"), ("K", "k"), ("ſ", "s"), ("ẞ", "ß")])
def test_names_that_differ_in_case_fold_to_one(one: str, other: str) -> None:
    assert names.folded(one) == names.folded(other)


def test_sharp_s_is_not_two() -> None:
    assert names.folded("ß") != names.folded("ss")


# -- go.mod --------------------------------------------------------------------------------------------------------

GOMOD = b"""\
// A module of ours.

// Deprecated: use example.com/other
// instead.
module "example.com/acme/web" // trailing

go 1.21.3
toolchain go1.22.0

require example.com/one v1.0.0
require (
\texample.com/two/v2 v2.1.0 // indirect
\t`example.com/three` v0.0.0-20250501120000-fedcba987654 // indirect; why
\t// nothing
)
replace example.com/one => ../one
retract [v1.0.0, v1.1.0] // broken
ignore ./static
"""


def test_the_directives_of_a_gomod_are_read() -> None:
    found = parse_gomod(GOMOD)
    assert found.module == "example.com/acme/web"
    assert (found.go, found.toolchain) == ("1.21.3", "go1.22.0")
    assert found.deprecated == "use example.com/other instead."
    assert found.requires == (
        Requirement("example.com/one", "v1.0.0"),
        Requirement("example.com/two/v2", "v2.1.0", True),
        Requirement("example.com/three", "v0.0.0-20250501120000-fedcba987654", True),
    )
    assert found.retracts == ("[ v1.0.0 , v1.1.0 ]",)


def test_a_module_may_stand_in_a_block_and_behind_windows_line_ends() -> None:
    assert parse_gomod(b"module (\r\n\texample.com/web\r\n)\r\n").module == "example.com/web"


@pytest.mark.parametrize(
    "body", [b"", b"go 1.21\n", b"module a.b\nmodule c.d\n", b"\xff", b'module "a\\x2eb"\n', b"// module a.b"]
)
def test_a_gomod_without_one_module_is_refused(body: bytes) -> None:
    with pytest.raises(BadPackage):
        parse_gomod(body)


@given(st.binary(max_size=200))
def test_any_gomod_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadPackage):
        assert parse_gomod(b"module a.b\n" + body).module


# -- module zips ---------------------------------------------------------------------------------------------------


def checked(files: dict[str, bytes], module: Coordinates = MODULE) -> bytes:
    """go.mod as it would be served."""
    body = io.BytesIO(archive(files))
    modulezip.check(body, module)
    return modulezip.check_gomod(modulezip.read(body, module).gomod, module)


def test_a_module_zip_tells_of_its_module() -> None:
    body = io.BytesIO(module_zip(MODULE.name, MODULE.version, "example.com/one v1.0.0", LICENSE=b"free"))
    modulezip.check(body, MODULE)
    content = modulezip.read(body, MODULE)
    assert modulezip.named(body) == MODULE
    assert content.gomod == gomod(MODULE.name, "example.com/one v1.0.0")
    assert content.attributes == {
        "go": "1.21",
        "dependencies": [{"path": "example.com/one", "version": "v1.0.0", "indirect": False}],
        "readme": "# web\n",
        "readme_file": "README.md",
        "license_file": "LICENSE",
    }


def test_a_module_without_a_gomod_gets_one() -> None:
    assert checked({PREFIX + "web.go": b"package web\n"}) == b"module example.com/acme/web\n"


def test_folders_within_the_module_are_passed_over() -> None:
    checked({PREFIX: b"", PREFIX + "sub/": b"", PREFIX + "sub/a.go": b"package sub\n"})


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no files"),
        ({PREFIX: b""}, "no files"),
        ({"web.go": b""}, "does not begin with"),
        ({"example.com/acme/web@v1.2.4/web.go": b""}, "does not begin with"),
        ({"example.com/": b"", PREFIX + "web.go": b""}, "zip -D"),
        ({PREFIX + "../web.go": b""}, "malformed file path"),
        ({PREFIX + "/web.go": b""}, "malformed file path"),
        ({PREFIX + "a//web.go": b""}, "malformed file path"),
        ({PREFIX + "./web.go": b""}, "malformed file path"),
        ({PREFIX + "nul.go": b""}, "reserved on Windows"),
        ({PREFIX + "web.go": b"", PREFIX + "Web.go": b""}, "differ in case only"),
        ({PREFIX + "sub/a.go": b"", PREFIX + "Sub/b.go": b""}, "differ in case only"),
        ({PREFIX + "sub": b"", PREFIX + "sub/b.go": b""}, "both a file and a folder"),
        ({PREFIX + "sub/go.mod": b""}, "another module"),
        ({PREFIX + "GO.MOD": b""}, "lower case"),
        ({PREFIX + "go.mod": b"module example.com/other\n"}, "declares the module example.com/other"),
        ({PREFIX + "go.mod": b"go 1.21\n"}, "no module directive"),
    ],
)
def test_a_zip_that_breaks_a_rule_is_refused_with_the_rule(files: dict[str, bytes], reason: str) -> None:
    with pytest.raises(BadPackage, match=reason):
        checked(files)


def test_a_file_may_not_stand_twice() -> None:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as zipped:
        warnings.simplefilter("ignore")
        zipped.writestr(PREFIX + "a.go", b"1")
        zipped.writestr(PREFIX + "a.go", b"2")
    with pytest.raises(BadPackage, match="twice"):
        modulezip.check(out, MODULE)


def test_a_symbolic_link_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        link = zipfile.ZipInfo(PREFIX + "link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, b"/etc/passwd")
    with pytest.raises(BadPackage, match="symbolic link"):
        modulezip.check(out, MODULE)


def test_a_gomod_may_not_be_large() -> None:
    with pytest.raises(BadPackage, match="at most 16777216"):
        checked({PREFIX + "go.mod": b"module example.com/acme/web\n" + b"\n" * (16 << 20)})


def test_all_files_together_may_not_be_larger_than_a_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modulezip, "MAX_ZIP", 1000)
    with pytest.raises(BadPackage, match="at most 1000"):
        checked({PREFIX + "a.go": bytes(600), PREFIX + "b.go": bytes(600)})


def test_an_incompatible_version_has_no_gomod() -> None:
    module = Coordinates(MODULE.name, "v2.0.0+incompatible")
    prefix = modulezip.prefix_of(module)
    assert checked({prefix + "a.go": b""}, module) == b"module example.com/acme/web\n"
    with pytest.raises(BadPackage, match=r"cannot be v2\.0\.0\+incompatible"):
        checked({prefix + "go.mod": gomod(MODULE.name)}, module)


def test_a_zip_whose_content_is_damaged_is_refused() -> None:
    body = bytearray(archive({PREFIX + "a.go": b"package web // 0123456789"}, compression=zipfile.ZIP_STORED))
    at = body.index(b"0123456789")
    body[at] = ord("x")
    with pytest.raises(BadPackage, match="CRC"):
        modulezip.zip_hash(io.BytesIO(bytes(body)))


def test_the_hash_is_that_of_a_listing_sorted_by_name() -> None:
    """`(cd m@v && sha256sum …) | sha256sum | xxd -r -p | base64` says the same."""
    body = io.BytesIO(archive({"m@v/b": b"b\n", "m@v/a": b"a\n"}))
    assert modulezip.zip_hash(body) == "h1:+AfQHlMIffnfbvCl1jbGgeRAI2MQvUCnnAgp4Tlc5xg="


# -- documents -----------------------------------------------------------------------------------------------------


def context(path: str, **params: str) -> Context:
    return Context("own", path, params, {}, "", None, lambda path: f"http://localhost/{path}")


def component(version: str, *suffixes: str, **attributes: Any) -> Component:
    where = Coordinates(MODULE.name, version)
    blob = Blob(1, "default", "key", 1, Digests("", "", "", ""), NOW)
    assets = [
        Asset(1, "own", names.module_path(where.name, version, each), blob, "", where, {}, NOW, NOW)
        for each in suffixes or (".zip", ".mod", ".info")
    ]
    return Component(1, "own", where, attributes, assets, NOW, NOW)


VERSIONS = ("v1.10.0", "v1.9.0", "v1.11.0-rc.1", "v0.0.0-20250501120000-fedcba987654", "v2.0.0+incompatible")


def test_the_list_has_tags_in_their_order_and_no_commits() -> None:
    ctx = context("", module="example.com/acme/web")
    model = VersionList().build(ctx, [component(each) for each in VERSIONS])
    assert model is not None
    assert VersionList().dump(ctx, model) == b"v1.9.0\nv1.10.0\nv1.11.0-rc.1\nv2.0.0+incompatible\n"


def test_a_version_without_its_zip_is_not_listed() -> None:
    ctx = context("", module="example.com/acme/web")
    assert VersionList().build(ctx, [component("v1.0.0", ".mod", ".info")]) is None
    assert Latest().build(ctx, [component("v1.0.0", ".mod", ".info")]) is None


def test_a_module_with_commits_only_has_an_empty_list() -> None:
    assert VersionList().build(context("", module="m"), [component(VERSIONS[3])]) == ()


def test_an_upstreams_list_may_have_times_and_nonsense() -> None:
    body = b"v1.2.0 2020-01-01T00:00:00Z\r\n\nlatest\nv1.1.0\nv0.0.0-20250501120000-fedcba987654\n"
    assert VersionList().parse(context(""), body) == ("v1.1.0", "v1.2.0")


@given(st.lists(st.lists(st.sampled_from(["v1.0.0", "v1.10.0", "v1.9.0", "v1.9.0-rc.1"]))))
def test_a_groups_list_is_the_ordered_union(lists: list[list[str]]) -> None:
    models = [ordered(each) for each in lists]
    assert VersionList().merge(context(""), models) == ordered(each for one in lists for each in one)


def test_latest_prefers_releases_then_prereleases_then_commits_by_time() -> None:
    rising = [
        "v1.9.1-0.20240501120000-0123456789ab",
        "v0.0.0-20250501120000-fedcba987654",
        "v3.0.0-rc.1+incompatible",
        "v1.11.0-rc.1",
        "v2.0.0+incompatible",
        "v1.9.0",
        "v1.10.0",
    ]
    assert sorted(rising, key=preference) == rising
    ctx = context("", module="example.com/acme/web")
    found = Latest().build(ctx, [component(each, time="2025-05-01T12:00:00Z") for each in rising])
    assert found == {"Version": "v1.10.0", "Time": "2025-05-01T12:00:00Z"}


def test_the_groups_latest_keeps_what_its_member_says_of_it() -> None:
    one = {"Version": "v1.0.0-rc.1", "Time": "2025-05-01T12:00:00Z"}
    other = {"Version": "v0.9.0", "Time": "2024-05-01T12:00:00Z", "Origin": {"VCS": "git"}}
    assert Latest().merge(context(""), [one, other]) == other


@pytest.mark.parametrize("query", ["fedcba9", "fedcba987654", "fedcba9876543210fedcba9876543210fedcba98"])
def test_a_commit_is_found_by_its_pseudo_version(query: str) -> None:
    ctx = context("", module="example.com/acme/web", query=query)
    found = RevisionQuery().build(ctx, [component(each) for each in VERSIONS])
    assert found == {"Version": VERSIONS[3], "Time": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize("query", ["master", "fedcba", "0123456789ab", "v1"])
def test_other_queries_find_nothing_in_what_was_uploaded(query: str) -> None:
    ctx = context("", module="example.com/acme/web", query=query)
    assert RevisionQuery().build(ctx, [component(each) for each in VERSIONS]) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"Version": 1}', b"not found"])
def test_an_upstreams_answer_without_a_version_is_not_understood(body: bytes) -> None:
    with pytest.raises(Invalid):
        Latest().parse(context(""), body)


# -- files and paths -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("example.com/web/@v/list", VersionList),
        ("example.com/web/@latest", Latest),
        ("example.com/web/@v/v1.0.0-!r!c.1.info", VersionInfo),
        ("example.com/web/@v/v1.0.0.mod", GoModFile),
        ("example.com/web/@v/v2.0.0+incompatible.zip", ModuleZip),
        ("example.com/web/@v/master.info", RevisionQuery),
        ("example.com/web/@v/v1.info", RevisionQuery),
        ("sumdb/sums.example.com/supported", Supported),
        ("sumdb/sums.example.com/path/latest", TreeHead),
        ("sumdb/sums.example.com/lookup/example.com/web@v1.0.0", Record),
        ("sumdb/sums.example.com/tile/8/0/x001/234.p/56", Tile),
    ],
)
def test_each_path_has_its_route(path: str, route: type) -> None:
    assert isinstance(Go().match("GET", path)[0], route)


def test_versions_and_tiles_never_change_and_branches_do() -> None:
    for path in ("example.com/web/@v/v1.0.0.info", "sumdb/s/lookup/x@v1", "sumdb/s/tile/8/0/000"):
        route, params = Go().match("GET", path)
        assert route.immutable(context(path, **params))  # type: ignore[union-attr]
    assert not hasattr(Go().match("GET", "example.com/web/@v/master.info")[0], "immutable")


def test_derived_files_are_not_uploaded() -> None:
    for suffix in (".mod", ".info"):
        with pytest.raises(NotAllowed):
            Go().match("PUT", f"example.com/web/@v/v1.0.0{suffix}")


def test_a_capital_letter_in_a_path_means_its_escaped_form() -> None:
    assert Go().canonical("github.com/Azure/sdk/@v/v1.0.0.zip") == "github.com/!azure/sdk/@v/v1.0.0.zip"
    assert Go().canonical("github.com/!azure/sdk/@v/list") == "github.com/!azure/sdk/@v/list"


def test_an_upstreams_files_tell_of_the_version() -> None:
    params = {"module": "example.com/acme/web", "version": "v1.2.3"}
    info = VersionInfo().inspect(
        context("", **params), io.BytesIO(b'{"Version":"v1.2.3","Time":"2025-05-01T12:00:00Z"}')
    )
    assert info.published == datetime(2025, 5, 1, 12, tzinfo=UTC)
    assert GoModFile().inspect(context("", **params), io.BytesIO(GOMOD)).component["go"] == "1.21.3"
    body = io.BytesIO(module_zip(MODULE.name, MODULE.version))
    assert ModuleZip().inspect(context("", **params), body).component["readme"] == "# web\n"
    with pytest.raises(BadPackage):
        VersionInfo().inspect(context("", **params), io.BytesIO(b'{"Version":"v1.2.3","Time":"yesterday"}'))


def test_the_browse_tree_shows_modules_as_they_are_called() -> None:
    asset = component("v1.0.0", ".zip").assets[0]
    assert list(Go().browse(asset)) == ["example.com", "acme", "web", "v1.0.0", "v1.0.0.zip"]
