"""What databases are told of a reach: never less than it, and exactly it where they say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, insert, select

from pakhus.csel import Comparison, Operator, Subject, holds, patterns
from pakhus.database.generation import Generation
from pakhus.database.narrowing import is_exact, within
from pakhus.database.tables import Word
from pakhus.database.transaction import Database, Transaction
from tests.peers import postgresql

paths = Table("narrowed", MetaData(), Column("path", Word, primary_key=True))
PATHS = [
    *("a", "b", "ab", "aab", "ba.b", "a/b", "a/b/c", "a b", "a-b", "a_b", "a+b", "A", "AB", "a0", "a12", "1", "12/b"),
    *(
        "æ",
        "aæ",
        "a]",
        "a^b",
        "a{2}",
        "a$",
        "org/x.jar",
        "org/x.jar.sha1",
        "org/acme/1.0/x.pom",
        "z",
        "zz",
        "\U0010fffd",
    ),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("narrowing")
    if request.param == "sqlite":
        yield from _filled(folder, f"sqlite:///{folder / 'test.db'}")
        return
    with postgresql.running() as dsn:
        yield from _filled(folder, dsn)


def _filled(folder: Path, dsn: str) -> Iterator[Database]:
    made = Database(dsn, Generation(folder / "generation"), now=lambda: datetime.now(UTC))
    paths.metadata.create_all(made.engine.execution_options(pakhus_write=True))
    made.write_now(lambda tx: tx.execute(insert(paths), [{"path": path} for path in PATHS]))
    yield made
    made.close()


def found(database: Database, comparison: Comparison) -> set[str]:
    def work(tx: Transaction) -> Sequence[str]:
        return [row.path for row in tx.rows(select(paths.c.path).where(within(paths.c.path, comparison, tx.dialect)))]

    return set(database.read_now(work))


def check(database: Database, comparison: Comparison) -> None:
    wanted = {path for path in PATHS if holds(comparison, "", "/" + path)}

    shown = found(database, comparison)

    assert shown >= wanted
    if is_exact(comparison, database.dialect):
        assert shown == wanted


def path(operator: str, text: str) -> Comparison:
    return Comparison(Subject.PATH, Operator(operator), text)


@pytest.mark.parametrize("operator", ["==", "!=", "=^"])
@pytest.mark.parametrize("text", ["", "/", "/a", "a", "/a/", "/a/b", "//", "/æ", "/%", "/z"])
def test_comparison_says_the_same_in_the_database(database: Database, operator: str, text: str) -> None:
    check(database, path(operator, text))


TRANSLATED = [
    *(".*", "/a.*", "/org/[^/]+\\.jar", "/a|/b", "(/a|/b).*", "/a(?:b|/b)?/?c?", "/\\w+", "/a\\d{1,2}", "/[a-z]{2}"),
    *(
        "^/a$",
        "/a$|^/b",
        "(^/)a",
        "/a[+-]b",
        "/a[\\]^]b?",
        "/[^a-y]+",
        "/\\S*\\s\\S*",
        "/a*?b+?",
        "()/a",
        "/a(|/b)",
        "/\\W",
    ),
    *("/a\\{2\\}", "/a\\$", "/(((a)))", "/[.]*[\\w.]+", "/a\\ b", "/[\\d/]+b", "(/.){1,3}"),
]
RANGED = [
    "/a[(]b|/c",
    "/a\\Q(\\E|/b",
    "/b|/a(?i)b",
    "(?i)/a.*",
    "/[[:alpha:]]+",
    "/\\pL",
    "/a\\b.*",
    "/æ",
    "/a.*\\z",
    "(?P<x>/a)",
    "/\\Qa.b\\E",
    "/x41",
    "/[]a]+",
    "/a{300}",
]


@pytest.mark.parametrize("pattern", TRANSLATED)
def test_pattern_that_is_translated_matches_the_same(database: Database, pattern: str) -> None:
    assert patterns.flaw(pattern) is None
    assert is_exact(path("=~", pattern), "postgresql")

    check(database, path("=~", pattern))


@pytest.mark.parametrize("pattern", RANGED)
def test_pattern_that_is_not_translated_loses_nothing(database: Database, pattern: str) -> None:
    assert patterns.flaw(pattern) is None

    check(database, path("=~", pattern))


alphabet = st.sampled_from([*"ab/.|()[]^$*+?{}2,-\\dwsWæ ", "(?:", "[^", "{1,2}", "/a", ".*", "a-z"])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(alphabet, max_size=9).map("".join))
def test_no_pattern_is_translated_to_another_meaning(database: Database, pattern: str) -> None:
    if patterns.flaw(pattern) is None:
        check(database, path("=~", pattern))
        check(database, path("=~", "/" + pattern) if patterns.flaw("/" + pattern) is None else path("==", ""))
