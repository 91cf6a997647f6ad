"""The documentation lists every key and every command; what it lists exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer

from pakhus.cli import app
from pakhus.cli.outcome import Code
from pakhus.cli.setup.clients import CLIENTS
from pakhus.settings import Key, keys

DOCS = Path(__file__).parents[3] / "docs"


def row(key: Key) -> str:
    default = key.shown(key.default)
    text = str(default).lower() if isinstance(default, bool) else str(default)
    shown = "—" if default in (None, "", [], {}) or key.name == "data" else f"`{text}`"
    return f"| `{key.name}` | `{key.variable}` | {shown} | {key.description} |"


def commands(group: typer.Typer, words: str = "pakhus") -> Iterator[str]:
    for command in group.registered_commands:
        yield f"{words} {command.name}"
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from commands(inner.typer_instance, f"{words} {inner.name}")


def test_every_key_is_documented_with_variable_default_and_meaning() -> None:
    lines = (DOCS / "operations" / "configuration.md").read_text().splitlines()
    assert [row(key) for key in keys() if row(key) not in lines] == []


def test_every_documented_variable_exists() -> None:
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| `(PAKHUS_\w+)` \|", (DOCS / "operations" / "configuration.md").read_text(), re.M
    )
    assert rows == [(key.name, key.variable) for key in keys()]


def test_every_command_and_client_is_documented() -> None:
    text = (DOCS / "guide" / "cli.md").read_text()
    assert [command for command in commands(app) if command not in text] == []
    assert [client for client in CLIENTS if f"`{client}`" not in text] == []


def test_every_exit_code_is_documented() -> None:
    codes = re.findall(r"^\| (\d) \|", (DOCS / "guide" / "cli.md").read_text(), re.M)
    assert [int(code) for code in codes] == [code.value for code in Code]
