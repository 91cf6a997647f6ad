"""Who of a provider's people comes in, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from pakhus.services.federation.providers import (
    Admission,
    Attributes,
    GroupRule,
    Person,
    admits,
    person_of,
    roles_of,
)
from pakhus.services.federation.refusal import Refused

NAMES = Attributes("preferred_username", "email", "given_name", "family_name", "realm.groups")
CLAIMS: dict[str, Any] = {
    "preferred_username": "ann",
    "email": "ann@example.org",
    "given_name": "Ann",
    "family_name": "Tester",
    "realm": {"groups": ["dev", "ops", 5, "dev", ""]},
    "sid": "session",
}


def test_claims_describe_a_person() -> None:
    person = person_of("corp", "sub", CLAIMS, NAMES)

    assert person == Person("corp", "sub", "ann", "ann@example.org", False, "Ann", "Tester", ("dev", "ops"), "session")


@pytest.mark.parametrize("name", [None, "", " ", "a b", "a:b", "a/b", "a\\b", "a\0b", "a\nb", "x" * 201, 5, ["", "a"]])
def test_name_that_no_account_could_have_is_refused(name: Any) -> None:
    if name == ["", "a"]:
        assert person_of("corp", "s", {**CLAIMS, "preferred_username": name}, NAMES).user_id == "a"
        return
    with pytest.raises(Refused):
        person_of("corp", "s", {**CLAIMS, "preferred_username": name}, NAMES)


def test_what_no_database_takes_is_left_out() -> None:
    claims = {**CLAIMS, "email": "a\0b", "realm": {"groups": ["a\0b", "ok"]}}

    person = person_of("corp", "s", claims, NAMES)

    assert (person.email, person.groups) == ("", ("ok",))
    with pytest.raises(Refused):
        person_of("corp", "s\0", CLAIMS, NAMES)


def test_groups_give_the_roles_of_every_rule_that_matches() -> None:
    rules = (GroupRule("dev", ("a", "b")), GroupRule("o*", ("b", "c")), GroupRule("none", ("d",)))
    person = person_of("corp", "s", CLAIMS, NAMES)

    assert roles_of(person, Admission(roles=rules, default_roles=("z",))) == ("z", "a", "b", "c")
    assert roles_of(person, Admission(admin_group="ops")) == ("nx-admin",)
    assert roles_of(person, Admission(admin_group="o*")) == ()  # a name, not a pattern


@pytest.mark.parametrize(
    ("changes", "pattern", "admitted"),
    [
        ({}, "ann", True),
        ({}, "DEV", True),
        ({}, "*@example.org", False),
        ({"email_verified": True}, "*@EXAMPLE.org", True),
        ({"email_verified": "true"}, "*@example.org", True),
        ({"preferred_username": "ann@example.org"}, "*@example.org", False),
        ({"preferred_username": "ann@example.org", "email_verified": True}, "*@example.org", True),
        ({}, "bob", False),
    ],
)
def test_allowlist_believes_only_what_the_provider_has_verified(
    changes: dict[str, Any], pattern: str, admitted: bool
) -> None:
    person = person_of("corp", "s", {**CLAIMS, **changes}, NAMES)
    admission = Admission(provisioning="allowlist", allowlist=(pattern,))
    if admitted:
        admits(person, admission, exists=False)
        return
    with pytest.raises(Refused):
        admits(person, admission, exists=True)
