"""Each order is total, never fails, and agrees with what its ecosystem says of its own versions."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers.debian import compare_versions
from univers.rpm import compare_rpm_versions

from pakhus.kit import versions
from pakhus.kit.versions import (
    debian_key,
    go_key,
    maven_key,
    natural_key,
    nuget_key,
    pep440_key,
    rpm_key,
    semver_key,
)

NAMES = ("semver", "nuget", "go", "pep440", "maven", "debian", "rpm", "natural")
KEYS = {name: getattr(versions, f"{name}_key") for name in NAMES}
PRERELEASES = {name: getattr(versions, f"{name}_prerelease") for name in NAMES}

WRITTEN = st.lists(
    st.sampled_from([*"0129vaAbmz.-_+~^: é٣", "10", "00", "alpha", "rc", "ga", "sp", "SNAPSHOT", "dev", "post", "x"]),
    max_size=9,
).map("".join)
TEXT = st.one_of(WRITTEN, st.text(max_size=8))

ORDERED: list[tuple[str, str]] = [
    ("semver", "1.0.0-0 1.0.0-2 1.0.0-11 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0"),
    ("semver", "1.0.0-rc.1 1.0.0 1.0.0.1 1.0.1 1.2 1.10.0 2 10.0.0"),
    ("nuget", "1.0.0-Alpha 1.0.0-alpha.1 1.0.0-BETA 1.0.0-rc 1.0.0 1.0.0.5"),
    ("go", "v0.0.0-20191109021931-daa7c04131f5 v0.0.0-20200101000000-0123456789ab v0.1.0 v1.0.0-rc.1 v1.0.0 v1.10.0"),
    ("pep440", "1.0.dev1 1.0a1.dev1 1.0a1 1.0b2 1.0rc1 1.0 1.0+local 1.0.post1 1.1 1!0.1"),
    (
        "maven",
        "1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT"
        " 1 1-sp 1-sp2 1-abc 1-pom-1 1-1-snapshot 1-1 1-2 1.1",
    ),
    ("maven", "2.0 2.0.a 2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.b2 11.m11 11 11.a"),
    ("maven", "1.0-20200101.120000-1 1.0-20200101.120000-2 1.0-20200102.000000-1 1.1-SNAPSHOT 1.1"),
    ("debian", "0~ 0 1.0~~ 1.0~~a 1.0~rc1-1 1.0 1.0-1~bpo1 1.0-1 1.0-1+b1 1.0a 1.0+dfsg-1 1.0.1 1:0.5 2:0"),
    ("rpm", "1.0~rc1-1 1.0-1 1.0^20200101-1 1.0a-1 1.0.1-1.fc40 1.0.1-2.fc40 1.0.10-1 1:0.1-1"),
    ("natural", "a a1 a2 a10 b b1.9 b1.10"),
]


@pytest.mark.parametrize(("name", "written"), ORDERED)
def test_published_orders_hold(name: str, written: str) -> None:
    expected = written.split()
    for older, newer in itertools.combinations(expected, 2):
        assert KEYS[name](older) < KEYS[name](newer), (older, newer)


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (maven_key, "1 1.0 1.0.0 1-0 1.0-0 1-ga 1.final 1.0.0-RELEASE 1-0.0.GA 1.ga.0"),
        (maven_key, "1-alpha-1 1-a1 1alpha1 1.0.alpha1 1-ALPHA-1 1.0-A1"),
        (maven_key, "1-rc1 1-cr1 1.0.0-RC-1"),
        (maven_key, "1-SNAPSHOT 1.0-snapshot 1snapshot"),
        (semver_key, "1.2.0 v1.2 1.2.0.0 1.2.0+build 01.2.0"),
        (nuget_key, "1.0.0-RC 1.0-rc"),
        (pep440_key, "1.0 1 1.0.0 v1.0"),
        (debian_key, "1.0 0:1.0 1.0-0 1.00"),
        (rpm_key, "1.0-1 0:1.0-1 1.00-01 1_0-1"),
    ],
)
def test_two_spellings_of_a_version_are_equal(key: Callable[[str], Any], same: str) -> None:
    assert len({key(version) for version in same.split()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_order_is_total(name: str) -> None:
    key = KEYS[name]

    @given(TEXT, TEXT, TEXT)
    def holds(a: str, b: str, c: str) -> None:
        ka, kb, kc = key(a), key(b), key(c)
        assert (ka < kb) + (ka == kb) + (ka > kb) == 1
        assert key(a) == ka and hash(key(a)) == hash(ka)
        if ka <= kb <= kc:
            assert ka <= kc
        if ka == kb:
            assert (ka < kc) == (kb < kc)
        PRERELEASES[name](a)

    holds()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "natural"])
@pytest.mark.parametrize("garbage", ["", "\x00", "?"])
def test_garbage_is_below_every_version(name: str, garbage: str) -> None:
    if name == "maven" and garbage:
        pytest.skip("everything is a version to Maven")
    oldest = {"go": "v0.0.0-0", "pep440": "0.dev0", "maven": "0-alpha"}.get(name, "0")
    assert KEYS[name](garbage) < KEYS[name](oldest)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_of_any_length_is_compared(name: str) -> None:
    key, prefix = KEYS[name], "v1." if name == "go" else "1."
    assert key(prefix + "9" * 6000) != key(prefix + "8" * 6000)


@given(*[st.from_regex(r"([0-3]:)?[0-9][0-9ab.+~]{0,5}(-[0-9a.+~]{1,3})?", fullmatch=True)] * 2)
def test_debian_agrees_with_another_implementation(a: str, b: str) -> None:
    ours = (debian_key(a) > debian_key(b)) - (debian_key(a) < debian_key(b))
    assert ours == compare_versions(a, b)


@given(*[st.from_regex(r"[0-9][0-9ab._~^]{0,6}", fullmatch=True)] * 2)
def test_rpm_agrees_with_another_implementation(a: str, b: str) -> None:
    ours = (rpm_key(a) > rpm_key(b)) - (rpm_key(a) < rpm_key(b))
    assert ours == compare_rpm_versions(a, b)


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("semver", "1.0.0-rc.1 1.0.0-0", "1.0.0 1.0.0+rc1 nonsense"),
        ("go", "v1.0.0-rc.1 v0.0.0-20191109021931-daa7c04131f5", "v1.0.0 v2.0.0+incompatible 1.0.0-rc1"),
        ("pep440", "1.0a1 1.0.dev3 1.0rc1", "1.0 1.0.post1 nonsense"),
        ("maven", "1.0-SNAPSHOT 1.0-rc1 1.0-M2 1.0-alpha 1.0.Beta3", "1.0 1.0.Final 1.0-jre 1.0-sp1 31.1-android"),
        ("debian", "1.0~rc1-1 1.0~beta2", "1.0-1 1.0-1~bpo12+1 1.0~ds-1"),
        ("rpm", "1.0~rc1-1", "1.0-1 1.0^git1-1"),
        ("natural", "1.0-SNAPSHOT v2-beta3 x-nightly", "1.0 device-1 arc1 development"),
    ],
)
def test_prereleases_are_told_from_releases(name: str, yes: str, no: str) -> None:
    assert [v for v in yes.split() if not PRERELEASES[name](v)] == []
    assert [v for v in no.split() if PRERELEASES[name](v)] == []


@pytest.mark.parametrize(
    ("version", "pseudo"),
    [
        ("v0.0.0-20191109021931-daa7c04131f5", True),
        ("v1.2.4-0.20191109021931-daa7c04131f5", True),
        ("v1.2.3-rc.1.0.20191109021931-daa7c04131f5", True),
        ("v2.0.0-20191109021931-daa7c04131f5+incompatible", True),
        ("v1.2.3", False),
        ("v1.2.3-rc.1", False),
    ],
)
def test_a_pseudo_version_is_told_from_a_tag(version: str, pseudo: bool) -> None:
    assert versions.go_pseudo(version) is pseudo


def test_text_without_letters_sorts_by_its_digits() -> None:
    assert sorted(["10", "9", "1"], key=natural_key) == ["1", "9", "10"]
    assert go_key("1.0.0") < go_key("v0.0.1")
