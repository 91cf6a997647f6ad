"""The index of a Helm repository: built, read from upstream, merged, and written so that Helm can read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.content import Asset, Blob, Component, Coordinates, Digests
from pakhus.domain.errors import Invalid
from pakhus.formats.helm.index import EPOCH, INDEX, Index, gathered
from pakhus.kit.context import Context
from pakhus.kit.wire import dump_yaml, parse_yaml

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SHA256 = "ab" * 32
CTX = Context("r", "index.yaml", {}, {}, "", None, lambda path: f"http://h/prefix/repository/r/{path}")


def component(name: str, version: str, *paths: str, **more: Any) -> Component:
    blob = Blob(1, "default", "key", 10, Digests(SHA256, "cd" * 20, "ef" * 16, "01" * 64), NOON)
    coordinates = Coordinates(name, version)
    assets = [
        Asset(1, "r", path, blob, "", coordinates, {}, NOON, NOON) for path in paths or (f"{name}-{version}.tgz",)
    ]
    attributes = {"chart": {"apiVersion": "v2", "name": name, "version": version, **more}}
    return Component(1, "r", coordinates, attributes, assets, NOON, NOON)


def parsed(entries: Any, *, url: str = "http://up/charts/index.yaml") -> Index:
    ctx = Context("r", "index.yaml", {}, {}, "", None, CTX.link, source=url)
    return INDEX.parse(ctx, dump_yaml({"apiVersion": "v1", "entries": entries}))


def listed(name: str, version: str, *urls: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "urls": list(urls), **more}


def dumped(model: Index) -> dict[str, Any]:
    body = INDEX.dump(CTX, model)
    document: dict[str, Any] = json.loads(body)
    assert parse_yaml(body) == document
    return document


def test_an_entry_has_all_that_the_chart_says_and_where_it_is() -> None:
    model = INDEX.build(CTX, [component("web", "1.0.0", unknown={"x": [1]}, appVersion="1.10")])

    (entry,) = dumped(model)["entries"]["web"]

    assert entry == {
        "apiVersion": "v2",
        "name": "web",
        "version": "1.0.0",
        "unknown": {"x": [1]},
        "appVersion": "1.10",
        "created": "2026-05-01T12:00:00.000000Z",
        "digest": SHA256,
        "urls": ["web-1.0.0.tgz"],
    }


def test_versions_are_listed_newest_first() -> None:
    versions = ["1.0.0-rc.1", "0.9.0", "1.0.0", "0.10.0"]

    model = INDEX.build(CTX, [component("web", version) for version in versions])

    assert [each["version"] for each in dumped(model)["entries"]["web"]] == ["1.0.0", "1.0.0-rc.1", "0.10.0", "0.9.0"]


def test_a_provenance_file_alone_is_no_chart() -> None:
    assert INDEX.build(CTX, [component("web", "1.0.0", "web-1.0.0.tgz.prov")]).charts == {}


def test_an_empty_index_is_one_that_helm_reads() -> None:
    assert dumped(gathered(())) == {
        "apiVersion": "v1",
        "generated": EPOCH,
        "serverInfo": {"contextPath": "/prefix/repository/r"},
        "entries": {},
    }


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://cdn.example.org/a/web-1.0.0.tgz?x=1", "https://cdn.example.org/a/web-1.0.0.tgz?x=1"),
        ("files/web-1.0.0.tgz", "http://up/charts/files/web-1.0.0.tgz"),
        ("/web.tar.gz", "http://up/web.tar.gz"),
    ],
)
def test_upstream_may_keep_charts_anywhere(url: str, origin: str) -> None:
    model = parsed({"web": [listed("web", "1.0.0", url, digest=f"sha256:{SHA256.upper()}")]})

    entry = model.held["web-1.0.0.tgz"]

    assert (entry.origin, entry.sha256) == (origin, SHA256)
    assert entry.fields["urls"] == ["web-1.0.0.tgz"]


def test_charts_of_another_protocol_keep_their_address() -> None:
    model = parsed({"web": [listed("web", "1.0.0", "oci://registry.example.org/web:1.0.0")]})

    assert model.held == {}
    assert dumped(model)["entries"]["web"][0]["urls"] == ["oci://registry.example.org/web:1.0.0"]


def test_one_bad_entry_does_not_spoil_the_index() -> None:
    good = listed("web", "1.0.0", "web-1.0.0.tgz", appVersion=1.5, keywords="not a list", created="yesterday")
    bad = [
        None,
        "text",
        {"version": "2.0.0"},
        {"urls": ["x.tgz"]},
        listed("web", "../..", "x.tgz"),
        listed("web", "3", ""),
    ]

    model = parsed({"web": [*bad, good], "none": None})

    (entry,) = dumped(model)["entries"]["web"]
    assert entry == {"name": "web", "version": "1.0.0", "urls": ["web-1.0.0.tgz"], "appVersion": "1.5"}


def test_an_index_that_we_wrote_is_read_again() -> None:
    model = INDEX.build(CTX, [component("web", "1.0.0"), component("db", "2.0.0+build.1")])

    again = INDEX.parse(CTX.at("index.yaml", {}), INDEX.dump(CTX, model))

    assert dumped(again) == dumped(model)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"text", b"apiVersion: v1\nentries: [1]", b"entries: {}", b"a: [", b"{"]
)
def test_what_is_no_index_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        INDEX.parse(CTX, body)


def test_the_first_member_wins_and_others_add() -> None:
    first = parsed({"web": [listed("web", "1.0.0", "web-1.0.0.tgz", home="first")]})
    second = parsed({
        "web": [listed("web", "1.0.0", "web-1.0.0.tgz", home="second"), listed("web", "2.0.0", "web-2.0.0.tgz")],
        "db": [listed("db", "1.0.0", "db-1.0.0.tgz")],
    })  # fmt: skip

    entries = dumped(INDEX.merge(CTX, [first, second]))["entries"]

    assert list(entries) == ["db", "web"]
    assert [(each["version"], each.get("home")) for each in entries["web"]] == [("2.0.0", None), ("1.0.0", "first")]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["name", "appVersion", "Keywords", "maintainers", "dependencies", "annotations", "deprecated", "created", "x"]


@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_whatever_upstream_lists_the_index_stays_json_and_yaml_of_the_right_types(stated: dict[str, Any]) -> None:
    ctx = Context("r", "index.yaml", {}, {}, "", None, CTX.link, source="http://up/index.yaml")
    body = json.dumps({"apiVersion": "v1", "entries": {"web": [{**stated, "version": "1.0.0", "urls": ["a.tgz"]}]}})
    try:
        model = INDEX.parse(ctx, body.encode())
    except Invalid:
        return  # numbers beyond JSON

    entry = dumped(model)["entries"]["web"][0]

    assert isinstance(entry.get("appVersion", ""), str)
    assert isinstance(entry.get("deprecated", False), bool)
    assert all(isinstance(each, str) for each in entry.get("Keywords", []))
    assert all(isinstance(each, dict) for name in ("maintainers", "dependencies") for each in entry.get(name, []))
