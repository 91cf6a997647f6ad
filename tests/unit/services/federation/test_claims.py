"""Rules on claims say what they say, and why not."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Invalid
from pakhus.services.federation.claims import bound_claims, matches, value_at

CLAIMS = {
    "sub": "repo:acme/app:ref:refs/heads/main",
    "ref_protected": True,
    "project_id": 22,
    "groups": ["dev", "ops"],
    "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "builder"}},
    "https://vendor.example/claims": "x",
}


@pytest.mark.parametrize(
    ("claim", "patterns"),
    [
        ("sub", "repo:acme/*:ref:refs/heads/main"),
        ("sub", ["nothing", "repo:*"]),
        ("ref_protected", True),
        ("ref_protected", "true"),
        ("project_id", 22),
        ("project_id", "2?"),
        ("groups", "ops"),
        ("/kubernetes.io/serviceaccount/name", "build*"),
        ("https://vendor.example/claims", "x"),
    ],
)
def test_claim_that_matches_is_accepted(claim: str, patterns: object) -> None:
    (rule,) = bound_claims({claim: patterns})

    assert rule.flaw(CLAIMS) is None


@pytest.mark.parametrize(
    ("claim", "patterns", "why"),
    [
        ("sub", "repo:acme/app", "is 'repo:acme/app:ref:refs/heads/main' (wanted 'repo:acme/app')"),
        ("sub", "acme/app", "wanted"),
        ("ref_protected", "True", "is True"),
        ("missing", "*", "is missing"),
        ("sub.ref", "*", "is missing"),
        ("groups", "dev,ops", "is ['dev', 'ops']"),
        ("/kubernetes.io", "*", "wanted '*'"),
    ],
)
def test_claim_that_does_not_match_says_why(claim: str, patterns: object, why: str) -> None:
    (rule,) = bound_claims({claim: patterns})

    flaw = rule.flaw(CLAIMS)

    assert flaw is not None
    assert claim in flaw and why in flaw


@pytest.mark.parametrize("patterns", [[], "", None, {}, 1.5, [None], "x" * 600])
def test_rule_that_can_match_nothing_is_refused(patterns: object) -> None:
    with pytest.raises(Invalid):
        bound_claims({"sub": patterns})


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_patterns_match_as_those_of_a_shell(pattern: str, value: str) -> None:
    assert matches(pattern, value) == bool(re.fullmatch(fnmatch.translate(pattern), value))


@given(st.text(max_size=40))
def test_pattern_without_wildcards_matches_itself_only(value: str) -> None:
    if "*" in value or "?" in value:
        return
    assert matches(value, value)
    assert not matches(value, value + "x")


def test_hostile_pattern_takes_no_time() -> None:
    started = time.perf_counter()

    assert not matches("*a" * 200 + "b", "a" * 4096)

    assert time.perf_counter() - started < 5


def test_name_with_dots_is_found_before_a_path() -> None:
    assert value_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert value_at({"a": {"b": 2}}, "a.b") == 2
    assert value_at({"a": [1]}, "a.b") is None
