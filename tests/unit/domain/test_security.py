"""Who may do what: a decision, and the reach that lists go by, never disagree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.csel import holds, parsed
from pakhus.domain.repository import Repository, RepositoryType
from pakhus.domain.security import ANY_NAME, Actor, ContentSelector, Grant, Permission, may, permits, reach

FILES = Repository(1, "files", "raw", RepositoryType.HOSTED)
PATHS = ["a", "a/b", "b", "a/c.jar", ""]


def selector(text: str) -> ContentSelector:
    return ContentSelector(text, text, parsed(text))


selectors = st.sampled_from(
    [
        None,
        *map(
            selector,
            [
                'path =^ "/a"',
                'path == "/b"',
                'format == "npm"',
                'format == "raw"',
                r'path =~ ".*\\.jar"',
                'path != "/a"',
            ],
        ),
    ]
)
patterns = st.sampled_from(
    [
        "*",
        "repository-view:*",
        "repository-view:raw:files:read",
        "repository-view:*:files:browse,read",
        "repository-view:npm:*:read",
        "repository-view:raw:other:*",
        "repository-admin:*:*:*",
        "users:read",
    ]
)
grants = st.builds(lambda pattern, by: Grant.parse(pattern, privilege=pattern, selector=by), patterns, selectors)
actors = st.builds(
    lambda held, limits: Actor("ann", tuple(held), None if limits is None else tuple(limits)),
    st.lists(grants, max_size=4),
    st.none() | st.lists(grants, max_size=3),
)


@given(actors, st.sampled_from(Permission), st.sampled_from(PATHS))
def test_reach_is_where_the_decision_is_yes(actor: Actor, action: Permission, path: str) -> None:
    within = reach(actor, action, FILES)

    assert (within if isinstance(within, bool) else holds(within, "", "/" + path)) is may(
        actor, action, FILES, path
    ).allowed


@given(actors, st.sampled_from(Permission), st.sampled_from(PATHS))
def test_who_may_see_a_path_may_see_that_there_is_a_repository(actor: Actor, action: Permission, path: str) -> None:
    if may(actor, action, FILES, path).allowed:
        assert may(actor, action, FILES, None).allowed


@pytest.mark.parametrize(
    ("pattern", "wanted", "expected"),
    [
        ("*", ("users", "read"), True),
        ("users", ("users", "read"), True),
        ("users:*", ("users", "read"), True),
        ("users:read", ("users", "update"), False),
        ("users:read,update", ("users", "update"), True),
        ("users:read", ("users",), False),
        ("repository-admin:raw:team:add", ("repository-admin", "raw", ANY_NAME, "add"), True),
        ("repository-admin:raw:team:edit", ("repository-admin", "raw", ANY_NAME, "add"), False),
        ("repository-admin:npm:*:add", ("repository-admin", "raw", ANY_NAME, "add"), False),
        ("repository-view:raw:Files:read", ("repository-view", "raw", "files", "read"), False),
    ],
)
def test_grant_implies_what_its_parts_say(pattern: str, wanted: tuple[str, ...], expected: bool) -> None:
    assert Grant.parse(pattern).implies(wanted) is expected


def test_token_allows_only_what_its_user_may_do() -> None:
    limits = (Grant.parse("repository-view:*:files:read", privilege="token t"),)
    nobody = Actor("ann", (), limits, token="t")
    everybody = Actor("ann", (Grant.parse("*", privilege="all"),), limits, token="t")

    assert not may(nobody, Permission.READ, FILES, "a").allowed
    assert may(everybody, Permission.READ, FILES, "a").allowed
    refused = may(everybody, Permission.EDIT, FILES, "a")
    assert refused.reason == "token 't' is not scoped for repository-view:raw:files:edit"


def test_refusal_names_what_nearly_allowed_it() -> None:
    narrow = Grant.parse("repository-view:*:*:*", privilege="team", selector=selector('path =^ "/team/"'))

    decision = may(Actor("ann", (narrow,)), Permission.READ, FILES, "secret")

    assert [(step.rule, step.allowed) for step in decision.steps] == [("privilege team", False)]
    assert "does not select this path" in decision.steps[0].reason
    assert decision.reason == "user 'ann' lacks repository-view:raw:files:read for /secret"
    assert permits(Actor("ann"), ("users", "read")).reason == "user 'ann' lacks users:read"
