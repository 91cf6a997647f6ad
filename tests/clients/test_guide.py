"""The guide's commands, typed as they are printed, against a new server with a generated password."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.programs import Program, environment
from tests.clients.server import ADMIN, Server
from tests.docs.pages import ROOT, blocks
from tests.peers import slapd

DOCS = ROOT / "docs"


def typed(page: Path, server: Server, folder: Path, **replaced: str) -> str:
    """What the page's commands print, typed one after the other; `replaced` are words of the page."""
    script = "set -euo pipefail\n" + "".join(block.text for block in blocks("sh") if block.page == page)
    for word, stands_for in replaced.items():
        script = script.replace(word, stands_for)
    server.start()
    try:
        done = subprocess.run(
            ["bash"],
            input=script.replace("http://localhost:8081", server.url),
            cwd=folder,
            env={**environment(folder), "URL": server.url},
            capture_output=True,
            text=True,
        )
    finally:
        server.stop()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.said()}"
    return done.stdout


def test_the_first_steps_work_as_printed(tmp_path: Path, curl: Program) -> None:
    server = Server(tmp_path / "data", settings={"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ""})

    printed = typed(DOCS / "guide" / "first-steps.md", server, tmp_path)

    assert "greetings/hello.txt" in printed
    assert (tmp_path / "copy.txt").read_text() == "hello\n"


def test_users_and_tokens_work_as_printed(tmp_path: Path, curl: Program) -> None:
    settings = {"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": "", "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "true"}

    printed = typed(DOCS / "guide" / "users.md", Server(tmp_path / "data", settings=settings), tmp_path)

    assert '"petra@example.org"' in printed and '"builder"' in printed


def test_a_directory_is_connected_as_printed(tmp_path: Path, curl: Program) -> None:
    with slapd.running() as directory:
        settings = {"PAKHUS_AUTH_LDAP_CA_FILE": str(directory.chain)}
        server = Server(tmp_path / "data", settings=settings)
        ports = {"ldap.example.org": slapd.HOST, "389": str(directory.ldap), "$PASSWORD": ADMIN[1]}
        typed(DOCS / "operations" / "ldap.md", server, tmp_path, **ports)
        server.start()
        try:
            answer = server.http.get("/service/rest/v1/repositories", auth=(slapd.ADA.uid, slapd.ADA.password))
        finally:
            server.stop()

    assert answer.status_code == 200


def test_the_page_on_access_works_as_printed(tmp_path: Path, curl: Program) -> None:
    printed = typed(DOCS / "guide" / "access.md", Server(tmp_path / "data"), tmp_path, **{"$PASSWORD": ADMIN[1]})

    assert '"allowed":true' in printed.replace(" ", "")
