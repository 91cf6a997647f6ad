"""The guide's commands, typed as they are printed, against a new server with a generated password."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.programs import Program, environment
from tests.clients.server import ADMIN, Server
from tests.docs.pages import ROOT, blocks

GUIDE = ROOT / "docs" / "guide" / "first-steps.md"


def test_the_first_steps_work_as_printed(tmp_path: Path, curl: Program) -> None:
    server = Server(tmp_path / "data", settings={"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ""})
    typed = run(server, tmp_path, "".join(block.text for block in blocks("sh") if block.page == GUIDE))

    assert "greetings/hello.txt" in typed.stdout
    assert (tmp_path / "copy.txt").read_text() == "hello\n"


def test_the_page_on_access_works_as_printed(tmp_path: Path, curl: Program) -> None:
    server = Server(tmp_path / "data")
    commands = "".join(block.text for block in blocks("sh") if block.page == GUIDE.with_name("access.md"))
    typed = run(server, tmp_path, f"PASSWORD={ADMIN[1]}\n{commands}")

    assert '"allowed":true' in typed.stdout.replace(" ", "")


def run(server: Server, tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    server.start()
    try:
        typed = subprocess.run(
            ["bash"],
            input="set -euo pipefail\n" + script.replace("http://localhost:8081", server.url),
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
        )
    finally:
        server.stop()

    assert typed.returncode == 0, f"{typed.stdout}\n{typed.stderr}\n{server.said()}"
    return typed
