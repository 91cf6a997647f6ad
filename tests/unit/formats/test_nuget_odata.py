"""Filters and orders of the version 2 feed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid
from pakhus.formats.nuget.odata import Filter, literal, named_id, sort

ROW = {
    "Id": "Foo.Bar",
    "Version": "1.10.0",
    "Tags": "",
    "IsLatestVersion": True,
    "DownloadCount": 7,
    "Published": "2024",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("IsLatestVersion", True),
        ("not IsLatestVersion", False),
        ("Id eq 'foo.bar'", True),
        ("tolower(Id) eq 'other' or DownloadCount gt 5", True),
        ("DownloadCount le 5", False),
        ("Version gt '1.9.0'", True),
        ("(startswith(Id, 'foo') and endswith(Id, 'BAR'))", True),
        ("substringof('o.b',tolower(Id))", True),
        (
            "((Id ne null) and substringof('x',tolower(Id))) or ((Tags ne null) and substringof(' x ',tolower(Tags)))",
            False,
        ),
        ("Published gt datetime'2023-01-01T00:00:00'", True),
        ("Unknown eq null", True),
    ],
)
def test_a_filter_selects(text: str, expected: bool) -> None:
    assert bool(Filter(text).matches(ROW)) is expected


@pytest.mark.parametrize(
    "text", ["Id eq", "(Id", "Id eq 'x", "drop(Id)", "Id eq 'x' nonsense", "tolower(Id,Id)", "(" * 100]
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Filter(text)


@given(st.text(max_size=200))
def test_no_filter_makes_the_parser_fail_otherwise(text: str) -> None:
    with suppress(Invalid):
        Filter(text).matches(ROW)


def test_quotes_in_literals_are_doubled() -> None:
    assert literal("'it''s'") == "it's"


def test_versions_sort_by_their_own_rules() -> None:
    rows = [{"Id": "a", "Version": version} for version in ("1.9.0", "1.10.0", "1.10.0-rc")]
    assert [row["Version"] for row in sort(rows, "Version desc")] == ["1.10.0", "1.10.0-rc", "1.9.0"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("tolower(Id) eq 'x'", "x"), ("Id eq 'x' and IsLatestVersion", "x"), ("Id eq 'x' or Id eq 'y'", None), ("", None)],
)
def test_a_filter_may_be_about_one_package(text: str, expected: str | None) -> None:
    assert named_id(text) == expected
