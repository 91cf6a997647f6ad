"""What belongs to a format: found by its entry point, so that a new one cannot forget a part."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.source import ROOT, SOURCE, imports, pyproject

FORMATS = {
    name: target.partition(":")[0].rpartition(".")[2]
    for name, target in pyproject()["project"]["entry-points"]["pakhus.formats"].items()
}
"""Entry point → module."""

MAY_IMPORT = ("pakhus.kit", "pakhus.domain")

formats = pytest.mark.parametrize(("name", "module"), FORMATS.items(), ids=FORMATS)


def files_of(module: str) -> list[Path]:
    """The format's module, or all those of its package."""
    package = SOURCE / "formats" / module
    return sorted(package.rglob("*.py")) if package.is_dir() else [package.with_suffix(".py")]


@formats
def test_a_format_has_a_page(name: str, module: str) -> None:
    page = ROOT / "docs" / "formats" / f"{name}.md"

    assert page.exists()
    assert page.read_text().startswith("# ")


@formats
def test_a_format_feeds_the_contract(name: str, module: str) -> None:
    assert (ROOT / "tests" / "samples" / f"{name}.py").exists()


@formats
def test_a_format_has_tests_of_its_own(name: str, module: str) -> None:
    assert list((ROOT / "tests" / "unit" / "formats").glob(f"test_{module}*.py"))


@formats
def test_a_format_is_driven_by_a_real_client(name: str, module: str) -> None:
    assert list((ROOT / "tests" / "clients").glob(f"test_{module}*.py"))


@formats
def test_a_format_is_announced(name: str, module: str) -> None:
    changelog = ROOT / "CHANGELOG.md"
    notes = [*(ROOT / "changes").glob("*.md"), *([changelog] if changelog.exists() else [])]

    assert any(word in note.read_text().casefold() for note in notes for word in (name, module))


@formats
def test_a_format_knows_only_the_kit_the_domain_and_itself(name: str, module: str) -> None:
    own = f"pakhus.formats.{module}"
    known = (*MAY_IMPORT, own)
    found = {
        imported
        for path in files_of(module)
        for imported in imports(path)
        if imported.split(".")[0] == "pakhus" and not any(f"{imported}.".startswith(f"{k}.") for k in known)
    }

    # `from pakhus import kit` would be seen as "pakhus": it hides what is used.
    assert found == set()


@formats
def test_a_format_never_asks_for_the_type_of_its_repository(name: str, module: str) -> None:
    asked = [
        f"{path.name}:{node.lineno}"
        for path in files_of(module)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "type" and "repository" in ast.unparse(node.value)
    ]

    assert asked == []
