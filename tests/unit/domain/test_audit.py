"""The chain gives away whatever is done to it; what it keeps has no secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.audit import GENESIS, Entry, Link, link_of, linked
from pakhus.domain.masking import LARGEST, MASK, masked, recorded
from pakhus.services.audit_chain import Report, follow

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
texts = st.text(max_size=8)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def chain(length: int, before: Any = None) -> list[Link]:
    links: list[Link] = []
    for id in range(1, length + 1):
        entry = Entry(
            id, START + timedelta(seconds=id), "ann", "default", "password", "127.0.0.1", f"r{id}", "role.updated", "",
            f"role {id}", "success", {"n": id}, before, {"id": id},
        )  # fmt: skip
        links.append(linked(links[-1].hash if links else GENESIS, entry))
    return links


def problems(links: list[Link], anchors: dict[int, str] | None = None, *, floor: int = 0) -> list[str]:
    previous = GENESIS if not floor else chain(floor)[-1].hash
    return follow(iter(links), Report(), anchors or {}, floor=floor, previous=previous).problems


def test_whole_chain_has_no_problems() -> None:
    assert problems(chain(20)) == []
    assert problems(chain(20)[5:], floor=5) == []


@given(st.integers(0, 9), st.sampled_from(["user", "subject", "action", "address", "credential", "result"]), texts)
def test_altered_entry_is_found(at: int, member: str, text: str) -> None:
    links = chain(10)
    altered = replace(links[at].entry, **{member: getattr(links[at].entry, member) + "!" + text})
    links[at] = replace(links[at], entry=altered)

    assert problems(links) == [f"entry {at + 1} was altered, or the one before it was exchanged"]


def test_altered_entry_with_a_hash_of_its_own_is_found_at_the_next() -> None:
    links = chain(10)
    links[4] = linked(links[3].hash, replace(links[4].entry, user="bob"))

    assert problems(links) == ["entry 6 was altered, or the one before it was exchanged"]


@given(st.integers(0, 8), st.integers(1, 3))
def test_removed_entries_are_found(at: int, many: int) -> None:
    links = chain(12)
    del links[at : at + many]

    assert problems(links) == [f"entries {at + 1} to {at + many} are missing"]


@given(st.permutations(range(6)))
def test_reordered_entries_are_found(order: list[int]) -> None:
    links = [chain(6)[at] for at in order]

    assert bool(problems(links)) == (list(order) != sorted(order))


def test_chain_that_was_cut_off_or_rewritten_contradicts_its_anchor() -> None:
    links, rewritten = chain(10), chain(10, before="forged")
    anchors = {8: links[7].hash}

    assert problems(links, anchors) == []
    assert problems(links[:7], anchors) == ["entry 8 was anchored, but the chain ends with 7"]
    assert problems(rewritten, anchors) == ["entry 8 is not the one that was anchored"]


@given(documents, documents)
def test_exported_entry_can_be_verified(before: Any, after: Any) -> None:
    entry = replace(chain(1)[0].entry, before=recorded(before), after=recorded(after))
    link = linked(GENESIS, entry)

    assert link_of(json.loads(json.dumps(link.as_mapping(), ensure_ascii=False))) == link


@dataclass
class Account:
    name: str
    password_hash: str
    roles: tuple[str, ...]


def test_secrets_are_masked_wherever_they_are() -> None:
    given = {
        "name": "central",
        "httpClient": {"authentication": {"username": "ann", "password": "s3cret", "bearerToken": "t0ken"}},
        "aptSigning": {"keypair": "-----BEGIN", "passphrase": {"$sealed": "abc"}},
        "proxy": {"remoteUrl": "https://ann:s3cret@example.org/x?y", "also": "https://t0ken@example.org"},
        "passwordMinLength": 8,
        "password": "",
        "people": [Account("ann", "$argon2", ("a",))],
    }

    shown = masked(given)

    assert "s3cret" not in json.dumps(shown)
    assert "t0ken" not in json.dumps(shown)
    assert shown["httpClient"]["authentication"] == {"username": "ann", "password": MASK, "bearerToken": MASK}
    assert shown["aptSigning"] == {"keypair": MASK, "passphrase": MASK}
    assert shown["proxy"]["remoteUrl"] == f"https://{MASK}@example.org/x?y"
    assert (shown["passwordMinLength"], shown["password"]) == (8, "")
    assert shown["people"] == [{"name": "ann", "password_hash": MASK, "roles": ["a"]}]


@given(documents)
def test_what_is_recorded_is_plain_json(value: Any) -> None:
    shown = recorded(value)

    assert json.loads(json.dumps(shown)) == shown
    assert "\\u0000" not in json.dumps(shown)


def test_huge_object_is_recorded_by_its_members() -> None:
    shown = recorded({"name": "x", "matchers": ["y" * 100] * 1000})

    assert shown == {"truncated": True, "members": ["matchers", "name"]}
    assert len(json.dumps(shown)) < LARGEST
