"""The command answers at once: what only one command needs is imported by that command."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "httpx2",
    "sqlalchemy",
    "alembic",
    "yaml",
    "asyncio",
    "uvloop",
    "fastapi",
    "pakhus.app",
    "rich.progress",
)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["upload", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from pakhus.cli import app; app(sys.argv[1:], standalone_mode=False);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_reader_that_goes_away_is_no_error_message() -> None:
    code = "from pakhus.cli import main; main()"
    show = subprocess.Popen(
        [sys.executable, "-c", code, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert show.stdout and show.stderr
    show.stdout.close()
    assert show.stderr.read() == ""
    show.stderr.close()
    show.wait()
