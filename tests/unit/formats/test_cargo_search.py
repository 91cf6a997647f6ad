"""Search and owners of crates: what hosted repositories answer, and how members' answers are merged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pakhus.domain.content import Component, Coordinates
from pakhus.domain.errors import UpstreamDown
from pakhus.formats.cargo.owners import Owners, owners_of, user
from pakhus.formats.cargo.search import MOST, Results, Search
from pakhus.kit.context import Context, Settings

SEARCH, OWNERS = Search(), Owners()
START = datetime(2026, 1, 1, tzinfo=UTC)


def context(query: Mapping[str, str] | None = None, **params: str) -> Context:
    return Context("cargo", "", params, query or {}, "", Settings(), "https://here.example/{}".format)


def version(name: str, number: str, *, day: int = 0, uploader: str = "ann", **attributes: Any) -> Component:
    asset: Any = SimpleNamespace(uploader=uploader)
    known = {"entry": {"name": name}, **attributes}
    moment = START + timedelta(days=day)
    return Component(1, "cargo", Coordinates(name.lower(), number), known, (asset,), moment, moment)


def package(name: str, **attributes: Any) -> Component:
    return Component(2, "cargo", Coordinates(name), attributes, (), START, START)


def found(text: str, *held: Component, **query: str) -> list[str]:
    ctx = context({"q": text, **query})
    crates = json.loads(SEARCH.dump(ctx, SEARCH.build(ctx, held)))["crates"]
    return [f"{crate['name']} {crate['max_version']}" for crate in crates]


def test_a_crate_is_found_by_name_description_and_keywords() -> None:
    web = version("Web-Tools", "1.0.0", description="Serves pages", keywords=["http"])
    for text in ("web", "web-tools", "tools PAGES", "http", ""):
        assert found(text, web) == ["Web-Tools 1.0.0"], text
    assert found("web other", web) == []


def test_the_newest_version_is_neither_yanked_nor_a_prerelease_while_there_is_another() -> None:
    held = [
        version("a", "1.9.0"),
        version("a", "1.10.0"),
        version("a", "2.0.0-rc.1"),
        version("a", "1.11.0", yanked=True),
    ]
    assert found("a", *held) == ["a 1.10.0"]
    assert found("a", held[2]) == ["a 2.0.0-rc.1"]
    assert found("a", held[3]) == ["a 1.11.0"]


def test_the_name_itself_comes_first() -> None:
    held = [version("a-serde", "1.0.0"), version("other", "1.0.0", description="for serde"), version("serde", "1.0.0")]
    assert found("serde", *held) == ["serde 1.0.0", "a-serde 1.0.0", "other 1.0.0"]


@pytest.mark.parametrize(("asked", "given"), [({}, 10), ({"per_page": "3"}, 3), ({"per_page": "1000"}, MOST)])
def test_as_many_are_given_as_were_asked_for(asked: dict[str, str], given: int) -> None:
    held = [version(f"a{number}", "1.0.0") for number in range(150)]
    assert len(found("a", *held, **asked)) == given


def test_a_group_names_each_crate_once() -> None:
    own = Results([{"name": "my-crate", "max_version": "1.0.0"}], 1)
    far = Results([{"name": "my_crate", "max_version": "9.0.0"}, {"name": "other", "max_version": "1.0.0"}], 20)
    merged = SEARCH.merge(context(), [own, far])
    assert [crate["max_version"] for crate in merged.crates] == ["1.0.0", "1.0.0"]
    assert merged.total == 20


def test_what_is_no_answer_to_a_search_is_refused() -> None:
    for body in (b"[]", b"{}", b'{"crates": 1}'):
        with pytest.raises(UpstreamDown):
            SEARCH.parse(context(), body)
        with pytest.raises(UpstreamDown):
            OWNERS.parse(context(name="a"), body)


def test_the_first_uploader_owns_a_crate_until_owners_are_set() -> None:
    held = [version("A", "1.1.0", day=1, uploader="bob"), version("A", "1.0.0", uploader="ann")]
    assert owners_of("a", held) == ["ann"]
    assert owners_of("A", [package("a", owners=["cid"]), *held]) == ["cid"]
    assert owners_of("a", [package("a", owners=["cid"])]) is None


def test_owners_have_numbers_of_32_bits() -> None:
    assert 0 <= user("ann")["id"] < 1 << 32
    assert user("ann")["id"] != user("bob")["id"]
