"""The guide's commands, typed as they are printed, against a new server with a generated password."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.programs import Program, environment
from tests.clients.server import Server
from tests.docs.pages import ROOT, blocks

GUIDE = ROOT / "docs" / "guide" / "first-steps.md"


def test_the_first_steps_work_as_printed(tmp_path: Path, curl: Program) -> None:
    server = Server(tmp_path / "data", settings={"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ""})
    script = "set -euo pipefail\n" + "".join(block.text for block in blocks("sh") if block.page == GUIDE)
    server.start()
    try:
        typed = subprocess.run(
            ["bash"],
            input=script.replace("http://localhost:8081", server.url),
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )
    finally:
        server.stop()

    assert typed.returncode == 0, f"{typed.stdout}\n{typed.stderr}\n{server.said()}"
    assert "greetings/hello.txt" in typed.stdout
    assert (tmp_path / "copy.txt").read_text() == "hello\n"
