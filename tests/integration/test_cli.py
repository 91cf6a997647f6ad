"""The command against a real server in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pakhus.services.identity.secondfactor import STEP_SECONDS, totp
from tests.clients.server import ADMIN, Server

PRIVATE = "/repository/raw-hosted/nothing-here"


@dataclass
class Shell:
    home: Path
    server: Server

    def run(self, *words: object, stdin: str = "", code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAKHUS_")}
        done = subprocess.run(
            [sys.executable, "-m", "pakhus.cli", *(str(word) for word in words)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.home,
            env={**inherited, "HOME": str(self.home), **environ},
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}\n{self.server.said(20)}"
        return done

    def json(self, *words: object, **options: Any) -> Any:
        return json.loads(self.run(*words, "--json", **options).stdout)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "true"}
    running = Server(tmp_path_factory.mktemp("server") / "data", settings=settings).start()
    yield running
    running.stop()
    running.http.close()


@pytest.fixture
def shell(server: Server, tmp_path: Path) -> Shell:
    return Shell(tmp_path, server)


@pytest.fixture
def member(shell: Shell) -> Shell:
    shell.run("login", shell.server.url, "-u", ADMIN[0], "--password-stdin", stdin=f"{ADMIN[1]}\n")
    return shell


def test_doctor_finds_a_running_server_healthy(shell: Shell) -> None:
    found = {check["check"]: check["state"] for check in shell.json("doctor", "--data", shell.server.data)}
    assert found["database"] == "ok"
    assert "fail" not in found.values()


def test_reset_password_lets_the_administrator_in_at_once(shell: Shell) -> None:
    data, http = shell.server.data, shell.server.http
    for words in ((), ("--username", ADMIN[0])):
        password = shell.run("admin", "reset-password", "--data", data, *words).stdout.strip()
        assert http.get(PRIVATE, auth=(ADMIN[0], password)).status_code == 404
        assert http.get(PRIVATE, auth=ADMIN).status_code == 401
    shell.run("admin", "reset-password", "--data", data, "--password-stdin", stdin="short\n", code=1)
    shell.run("admin", "reset-password", "--data", data, "--password-stdin", stdin=f"{ADMIN[1]}\n")
    assert http.get(PRIVATE, auth=ADMIN).status_code == 404


def test_reset_password_makes_neither_users_nor_databases(shell: Shell, tmp_path: Path) -> None:
    shell.run("admin", "reset-password", "--data", shell.server.data, "-u", "nobody", code=4)
    shell.run("admin", "reset-password", "--data", tmp_path / "new", code=4)
    assert not (tmp_path / "new").exists()


def test_migrate_makes_a_database_that_doctor_finds_current(shell: Shell, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shell.run("migrate", "--data", data)
    shell.run("migrate", "--data", data)
    found = {check["check"]: check["state"] for check in shell.json("doctor", "--data", data)}
    assert found["database"] == "ok"


def test_port_that_is_taken_ends_serve_with_a_failure(shell: Shell, tmp_path: Path) -> None:
    shell.run("serve", "--data", tmp_path / "d", "--port", shell.server.port, code=1, PAKHUS_HTTP_ADDR="127.0.0.1:1")


def test_mistake_in_the_configuration_ends_serve_with_a_hint(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("serve", "--data", tmp_path / "d", code=2, PAKHUS_HTTP_ADRESS=":1")
    assert "did you mean PAKHUS_HTTP_ADDR?" in done.stderr


def test_member_creates_fills_reads_and_deletes_a_repository(member: Shell) -> None:
    folder = member.home / "files"
    contents = {"a.bin": os.urandom(3 << 20), "deep/er/b #1.txt": b"b", "empty": b""}
    for name, body in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    member.run("repo", "create", "raw", "hosted", "shelf", "--write-policy", "allow_once")
    assert member.json("repo", "show", "shelf")["storage"]["writePolicy"].lower() == "allow_once"

    assert member.json("upload", "shelf", folder)["summary"]["uploaded"] == 3
    assert member.json("upload", "shelf", folder)["summary"]["present"] == 3

    done = member.json("download", "shelf", "*", "--output", member.home / "back")
    assert {entry["verified"] for entry in done} <= {"sha256", "sha512"}
    assert {
        p.relative_to(member.home / "back").as_posix() for p in (member.home / "back").rglob("*") if p.is_file()
    } == {*contents}
    for name, body in contents.items():
        assert (member.home / "back" / name).read_bytes() == body

    found = member.json("search", "--repo", "shelf", "--assets")
    assert {item["path"].lstrip("/") for item in found["items"]} == {*contents}
    (folder / "a.bin").write_bytes(b"other")
    assert member.json("upload", "shelf", folder, code=6)["summary"]["failed"] == 1
    member.run("repo", "delete", "shelf", "--yes")
    member.run("repo", "show", "shelf", code=4)


def test_token_may_do_what_its_scopes_say_until_it_is_revoked(member: Shell) -> None:
    (member.home / "x.txt").write_text("x")
    member.run("upload", "raw-hosted", "x.txt", "--prefix", "scopes")
    token = member.json("token", "create", "reader", "--scope", "read", "--days", "1")["token"]
    reader = {"PAKHUS_URL": member.server.url, "PAKHUS_TOKEN": token}
    member.run("download", "raw-hosted", "scopes/x.txt", "-o", "y.txt", **reader)
    member.run("upload", "raw-hosted", "x.txt", "--prefix", "denied", code=3, **reader)
    assert "reader" in {entry["name"] for entry in member.json("token", "list")}
    member.run("token", "revoke", "reader")
    member.run("download", "raw-hosted", "scopes/x.txt", "-o", "z.txt", code=3, **reader)


def test_explanation_says_why_and_what_would_change_it(member: Shell) -> None:
    words = ("explain", "-", "read", "raw-hosted", "x.txt")
    printed = member.run(*words).stdout.splitlines()
    told = member.json(*words)

    assert printed[0] == "- account anonymous: anonymous access is off: log in"
    assert printed[-2:] == [
        "no: a caller without credentials, read raw-hosted/x.txt",
        "  to allow it: enable anonymous access",
    ]
    assert [change["kind"] for change in told["changes"]] == ["anonymous"]
    assert member.json("explain", "admin", "read", "raw-hosted", "x.txt")["allowed"] is True
    member.run("explain", "nobody", "read", "raw-hosted", "x.txt", code=4)
    member.run("explain", "admin", "fly", "raw-hosted", "x.txt", code=2)


def test_client_side_is_found_healthy(member: Shell) -> None:
    found = {check["check"]: check["state"] for check in member.json("doctor")}
    assert found["login"] == "ok"
    assert set(found.values()) == {"ok"}


def test_logout_revokes_the_token(member: Shell) -> None:
    kept = json.loads((member.home / ".config" / "pakhus" / "client.json").read_text())
    assert member.json("logout")["revoked"] is True
    answer = member.server.http.get(PRIVATE, headers={"authorization": f"Bearer {kept['token']}"}, auth=None)
    assert answer.status_code == 401


def test_wrong_password_is_denied(shell: Shell) -> None:
    shell.run("login", shell.server.url, "-u", ADMIN[0], "--password-stdin", stdin="wrong\n", code=3)


def test_login_with_a_second_factor_needs_its_code(shell: Shell) -> None:
    name, password = shell.server.user("doubly", "a-doubly-secured-one", "nx-search-read")
    http, native = shell.server.http, f"{shell.server.url}/api/v1"
    secret = http.post(f"{native}/second-factor", auth=(name, password)).json()["secret"]
    step = int(time.time()) // STEP_SECONDS
    first, second = (totp(base64.b32decode(secret), each) for each in (step - 1, step))
    assert http.put(f"{native}/second-factor", json={"code": first}, auth=(name, password)).status_code == 204
    login = ("login", shell.server.url, "-u", name, "--password-stdin")

    refused = shell.run(*login, stdin=f"{password}\n", code=2)
    shell.run(*login, "--code", second, stdin=f"{password}\n")

    assert "--code" in refused.stderr
    shell.run("repo", "list")


def test_rotated_token_is_good_for_the_overlap(member: Shell) -> None:
    old = member.json("token", "create", "turning", "--scope", "read")["token"]
    new = member.json("token", "rotate", "turning", "--overlap", "2")["token"]
    newest = member.json("token", "rotate", "turning", "--overlap", "0")["token"]

    def good(token: str) -> bool:
        headers = {"authorization": f"Bearer {token}"}
        return member.server.http.get(PRIVATE, headers=headers, auth=None).status_code == 404

    assert [good(each) for each in (old, new, newest)] == [True, False, True]
    assert "turning" in member.run("token", "list").stdout
