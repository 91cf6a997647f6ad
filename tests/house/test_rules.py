"""House rules that neither the linter nor the import contracts can say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import modules, name_of, tree_of

LONGEST = 400
"""Lines of a module: what fits in the head."""

NOT_A_NOUN = {"utils", "util", "common", "helpers", "helper", "base", "core", "manager", "misc"}

OUTERMOST = {
    "engine/outbox.py": "one failing subscriber must not stop the others, nor its own later events",
    "web/gateway.py": "a fault becomes a 500 with an incident id",
    "services/webhook_delivery.py": "a database that is away for a while must not end all delivery",
    "services/health.py": "a check that fails in whatever way is an answer: unhealthy",
    "database/writer.py": "whatever a piece of work raises is raised again where its result is awaited",
    "services/tasks.py": "a task that failed in whatever way is told as failed, and the others go on",
    "app.py": "background work that failed is logged, and its next turn comes",
}
"""The only modules that may swallow an unknown exception, and why."""

MAY_COMPARE_TYPES = (
    "engine/",
    "domain/",
    "services/repositories.py",
    "services/uploads.py",
    "rest/repository_shapes.py",
)
"""The engine, and what reads and writes Nexus's JSON of a repository, which has other members for each type."""


def swallowed(tree: ast.AST) -> Iterator[int]:
    """Lines of handlers that catch everything and do not raise it again."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {item.id if isinstance(item, ast.Name) else None if item is None else "" for item in caught}
        passed_on = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        if names & {None, "Exception", "BaseException"} and not passed_on:
            yield node.lineno


def type_comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines which ask of what type a repository is."""
    for node in ast.walk(tree):
        asked: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            asked = [node.value]
        if any(is_type(part) for part in asked):
            yield node.lineno


def is_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "RepositoryType"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_fits_in_the_head(path: Path) -> None:
    lines = path.read_text().count("\n")

    assert lines <= LONGEST, "split it by noun"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_is_named_by_what_is_inside(path: Path) -> None:
    assert not NOT_A_NOUN & {path.stem, *path.parent.parts}


def test_only_the_outermost_loops_swallow_what_they_do_not_know() -> None:
    found = {name_of(path): list(swallowed(tree_of(path))) for path in modules()}

    assert {name: lines for name, lines in found.items() if lines and name not in OUTERMOST} == {}


def test_only_the_engine_asks_for_the_type_of_a_repository() -> None:
    found = {name_of(path): list(type_comparisons(tree_of(path))) for path in modules()}

    assert {name: at for name, at in found.items() if at and not name.startswith(MAY_COMPARE_TYPES)} == {}


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("try: f()\nexcept Exception: pass", [2]),
        ("try: f()\nexcept: pass", [2]),
        ("try: f()\nexcept (OSError, BaseException): pass", [2]),
        ("try: f()\nexcept Exception:\n  undo()\n  raise", []),
        ("try: f()\nexcept OSError: pass", []),
    ],
)
def test_the_rule_on_exceptions_sees_what_it_should(code: str, lines: list[int]) -> None:
    assert list(swallowed(ast.parse(code))) == lines


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("if repository.type == RepositoryType.PROXY: pass", [1]),
        ("if RepositoryType.GROUP is not type: pass", [1]),
        ("match type:\n  case RepositoryType.HOSTED: pass", [2]),
        ("sources = {RepositoryType.HOSTED: hosted}", []),
        ("if repository.name == RepositoryName: pass", []),
    ],
)
def test_the_rule_on_types_sees_what_it_should(code: str, lines: list[int]) -> None:
    assert list(type_comparisons(ast.parse(code))) == lines
