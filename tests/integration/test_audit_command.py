"""`pakhus audit verify` on a data directory and on an export, and what a repair by command leaves in the audit."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pakhus.database.audit import Sought
from tests.contract.serving import Serving, serving


def pakhus(*words: object, code: int = 0, stdin: str = "") -> Any:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAKHUS_")}
    command = [sys.executable, "-m", "pakhus.cli", *(str(word) for word in words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, input=stdin, env=inherited)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


async def settled(server: Serving) -> None:
    while await server.application.outbox.deliver():
        pass


@pytest.fixture
async def left(tmp_path: Path) -> Path:
    """The data directory of a server that has been stopped, and an export beside it."""
    async with serving(tmp_path / "data") as server:
        await server.create("raw", "hosted", "files")
        await settled(server)
        export = await server.http.get(f"{server.url}/api/v1/audit/export")
        (tmp_path / "export.ndjson").write_text(export.text)
    return tmp_path


def test_whole_audit_is_verified(left: Path) -> None:
    head = (left / "export.ndjson").read_text().splitlines()[-1]
    last = json.loads(head)

    found = pakhus("audit", "verify", "--data", left / "data", "--anchor", f"{last['id']}:{last['hash']}")

    assert (found["ok"], found["entries"], found["last"], found["hash"]) == (True, last["id"], last["id"], last["hash"])
    assert found["anchors"] >= 1


def test_what_was_done_to_the_database_is_told(left: Path) -> None:
    with sqlite3.connect(left / "data" / "pakhus.db") as database:
        database.execute("UPDATE audit SET user = 'nobody' WHERE id = 2")
    database.close()

    found = pakhus("audit", "verify", "--data", left / "data", code=1)

    assert found["problems"] == ["entry 2 was altered, or the one before it was exchanged"]


def test_chain_that_is_shorter_than_an_anchor_is_told(left: Path) -> None:
    found = pakhus("audit", "verify", "--data", left / "data", "--anchor", f"999:{'0' * 64}", code=1)

    assert found["problems"] == [f"entry 999 was anchored, but the chain ends with {found['last']}"]


def test_export_is_verified_without_a_server(left: Path) -> None:
    export = left / "export.ndjson"
    lines = export.read_text().splitlines(keepends=True)

    assert pakhus("audit", "verify", "--file", export)["entries"] == len(lines)
    assert pakhus("audit", "verify", "--file", "-", stdin="".join(lines[2:]))["first"] == 3
    export.write_text("".join([*lines[:2], *lines[3:]]))
    assert pakhus("audit", "verify", "--file", export, code=1)["problems"] == ["entries 3 to 3 are missing"]
    export.write_text("no entry\n")
    assert pakhus("audit", "verify", "--file", export, code=1)["code"] == 1


async def test_repair_by_command_is_in_the_audit(left: Path) -> None:
    pakhus("admin", "reset-password", "--data", left / "data")
    sought = Sought(action="user.password_changed")
    async with serving(left / "data") as server:
        await settled(server)
        services = server.application.services
        lines = [line async for line in services.audit.export(sought, lambda link: link.entry.credential)]

    assert ["of the operating system" in line for line in lines] == [True]
