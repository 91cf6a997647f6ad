from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pakhus.cli import app
from tests.unit.cli.peer import State, serving


@dataclass
class Terminal:
    """Runs the command as a shell would, in a home of its own."""

    home: Path
    state: State
    url: str

    def run(self, *words: object, stdin: str = "", code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: object, stdin: str = "", code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", stdin=stdin, code=code).stdout)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal where nobody logged in."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("PAKHUS_URL", "PAKHUS_TOKEN", "PAKHUS_CLIENT_CONFIG", "XDG_CONFIG_HOME", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    state = State()
    with serving(state) as url:
        yield Terminal(home, state, url)


@pytest.fixture
def terminal(outside: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal with a server and a token in the environment."""
    outside.state.tokens["ci"] = {"name": "ci", "token": "phk_ci", "expires": None}
    monkeypatch.setenv("PAKHUS_URL", outside.url)
    monkeypatch.setenv("PAKHUS_TOKEN", "phk_ci")
    return outside
