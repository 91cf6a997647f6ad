"""The words of a search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid
from pakhus.services.query import BLANKS, MOST_TERMS, folded, keywords, parsed


def plain(value: str) -> list[str | None]:
    return [term.plain for term in parsed(value).terms]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("   ", []),
        ("Log4J", ["log4j"]),
        ("a b", ["a b", "a", "b"]),
        ('"a b"', ["a b"]),
        ('"a b" c', ["a b c", "a b", "c"]),
        (r"a\ b", ["a b"]),
        (r"a\*", ["a*"]),
        ('"a*"', ["a*"]),
        ("a*", [None]),
        ('"', []),
    ],
)
def test_value_becomes_its_alternatives(value: str, expected: list[str | None]) -> None:
    assert plain(value) == expected


def test_wildcards_stand_between_texts() -> None:
    (term,) = parsed("a**b?c").terms

    assert term.pieces == ((False, "a"), (True, "*"), (False, "b"), (True, "?"), (False, "c"))


def test_keyword_is_split_at_what_separates_names() -> None:
    assert [term.plain for term in keywords("org/foo-bar,baz qux")] == ["org", "foo", "bar", "baz", "qux"]


@pytest.mark.parametrize("value", ["x " * (MOST_TERMS + 1), "a*b" * 9, "x" * 1001])
def test_too_much_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        parsed(value)


@given(
    st.text(alphabet=st.characters(exclude_characters='\\"*? \t\n', exclude_categories=["Cs"]), min_size=1, max_size=50)
)
def test_plain_word_stands_for_itself(word: str) -> None:
    assert plain(word) == [folded(word)]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
def test_escaped_text_stands_for_itself(text: str) -> None:
    assert plain("".join("\\" + character for character in text)) == [folded(text)]


@given(st.text(max_size=60))
def test_no_term_has_a_blank_that_nobody_protected(value: str) -> None:
    if '"' in value or "\\" in value:
        return
    try:
        terms = parsed(value).terms
    except Invalid:
        return
    single = terms[1:] if len(terms) > 1 else terms
    assert not any(set(text) & BLANKS for term in single for _, text in term.pieces)
