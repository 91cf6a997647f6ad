"""Registrations of upstreams, read and merged."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pakhus.formats.nuget.leaves import Page, Registration
from pakhus.formats.nuget.registration import REGISTRATION, SEMVER2, joined
from pakhus.kit.context import Context

SOURCE = "https://upstream.example/reg/foo/index.json"


def context() -> Context:
    params = {"hive": SEMVER2, "id": "foo"}
    path = "v3/registrations-gz-semver2/foo/index.json"
    return Context("nuget", path, params, {}, "", None, lambda inner: f"https://here/{inner}", SOURCE)


def item(version: str, **entry: Any) -> dict[str, Any]:
    told = {"@id": "https://upstream.example/catalog/1", "id": "Foo", "version": version, "listed": True, **entry}
    return {"@id": "x", "catalogEntry": told, "packageContent": f"https://upstream.example/foo.{version}.nupkg"}


def upstream(*pages: dict[str, Any]) -> Registration:
    return REGISTRATION.parse(context(), json.dumps({"count": len(pages), "items": pages}).encode())


def inlined(*items: dict[str, Any]) -> dict[str, Any]:
    versions = [each["catalogEntry"]["version"] for each in items]
    return {"@id": f"{SOURCE}#p", "lower": versions[0], "upper": versions[-1], "count": len(items), "items": items}


APART = {"@id": "page/1.0.0/3.0.0.json", "lower": "1.0.0", "upper": "3.0.0", "count": 64}


def written(model: Registration) -> Any:
    import gzip

    return json.loads(gzip.decompress(REGISTRATION.dump(context(), model)))


def test_what_upstream_says_is_told_as_published_with_links_here() -> None:
    group = {"@id": "x", "targetFramework": "net6.0", "dependencies": [{"id": "Bar", "range": "[1.0, )"}]}
    entry = {
        "vulnerabilities": [{"severity": "2"}],
        "deprecation": {"reasons": ["Legacy"]},
        "dependencyGroups": [group],
    }

    page = written(upstream(inlined(item("1.0.0", **entry))))["items"][0]

    told = page["items"][0]["catalogEntry"]
    assert told["vulnerabilities"] == [{"severity": "2"}]
    assert told["deprecation"] == {"reasons": ["Legacy"]}
    (dependency,) = told["dependencyGroups"][0]["dependencies"]
    assert dependency["range"] == "[1.0, )"
    assert dependency["registration"] == "https://here/v3/registrations-gz-semver2/bar/index.json"
    assert told["packageContent"] == "https://here/v3/content/foo/1.0.0/foo.1.0.0.nupkg"
    assert "upstream.example" not in json.dumps(page)


def test_pages_of_their_own_stay_so() -> None:
    model = upstream(APART)

    assert model.pages == (Page("1.0.0", "3.0.0", 64, None, "https://upstream.example/reg/foo/page/1.0.0/3.0.0.json"),)
    (page,) = written(model)["items"]
    assert page["@id"] == "https://here/v3/registrations-gz-semver2/foo/page/1.0.0/3.0.0.json"
    assert "items" not in page


def test_the_first_member_tells_of_a_version() -> None:
    first, second = (
        upstream(inlined(item("2.0.0", title="in the page"), item("4.0.0", title="ours"))),
        upstream(inlined(item("0.9.0"), item("4.0.0")), APART),
    )

    merged = REGISTRATION.merge(context(), [first, second])

    assert [(leaf.version, leaf.entry.get("title")) for leaf in merged.leaves] == [("0.9.0", None), ("4.0.0", "ours")]
    assert [page.leaves is None for page in merged.pages] == [False, True]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=8))
def test_pages_that_overlap_become_one(bounds: list[tuple[int, int]]) -> None:
    pages = [Page(f"1.{low}.0", f"1.{low + more}.0", 1) for low, more in bounds]

    found = joined(pages)

    for number in range(40):
        version = f"1.{number}.0"
        assert sum(page.covers(version) for page in found) == any(page.covers(version) for page in pages)
