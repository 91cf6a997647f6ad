"""Doctor names what is wrong, and changes nothing."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pakhus.cli import checks
from pakhus.cli.checks import State
from pakhus.database.diagnosis import diagnose
from pakhus.settings import load
from tests.unit.cli.conftest import Terminal


def states(terminal: Terminal, *words: object, code: int = 0) -> dict[str, str]:
    return {entry["check"]: entry["state"] for entry in terminal.json("doctor", *words, code=code)}


def test_healthy_client_side(terminal: Terminal) -> None:
    found = states(terminal)
    assert found == dict.fromkeys(("server", "clock", "writing", "version", "login", "tls"), "ok")


def test_wrong_token_fails(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAKHUS_TOKEN", "phk_old")
    assert states(terminal, code=1)["login"] == "fail"


def test_unreachable_server_fails(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAKHUS_URL", "http://127.0.0.1:1")
    assert states(terminal, code=1) == {"server": "fail"}


@pytest.mark.parametrize(("seconds", "state"), [(0, State.OK), (60, State.WARN), (-600, State.FAIL)])
def test_clock_skew_is_judged(seconds: int, state: State) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    (check,) = checks.of_clock("Fri, 02 Jan 2026 03:04:05 GMT", now + timedelta(seconds=seconds))
    assert check.state is state
    assert list(checks.of_clock(None, now)) == []


def test_token_that_ends_soon_is_told(outside: Terminal) -> None:
    from tests.unit.cli.peer import PASSWORD

    outside.run("login", outside.url, "-u", "ann", "--password-stdin", stdin=f"{PASSWORD}\n")
    (token,) = outside.state.tokens.values()
    token["expires"] = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert states(outside)["login"] == "warn"
    (outside.home / ".config" / "pakhus" / "client.json").chmod(0o644)
    assert states(outside, code=1)["session file"] == "fail"


def test_new_data_directory_is_a_warning_and_stays_unmade(outside: Terminal, tmp_path: Path) -> None:
    found = states(outside, "--data", tmp_path / "new")
    assert (found["data"], found["database"], found["blobs"]) == ("warn", "warn", "warn")
    assert not (tmp_path / "new").exists()


def test_migrated_database_is_fine_and_an_older_one_is_told(tmp_path: Path) -> None:
    wanted = diagnose(f"sqlite:///{tmp_path}/none.db").wanted
    for revision, current in ((wanted, True), ("0000", False)):
        file = tmp_path / f"{revision}.db"
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.close()
        assert diagnose(f"sqlite:///{file}").is_current is current
    (tmp_path / "broken.db").write_bytes(b"no database at all" * 100)
    assert "not a database" in diagnose(f"sqlite:///{tmp_path}/broken.db").problem


def test_unreachable_database_fails(outside: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAKHUS_DATABASE_DSN", "postgresql://u:hunter2@127.0.0.1:1/d")
    text = outside.run("doctor", "--data", tmp_path, code=1).stdout
    assert "postgresql" in text
    assert "hunter2" not in text


def test_port_in_use_is_told(outside: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("PAKHUS_HTTP_ADDR", f"127.0.0.1:{taken.getsockname()[1]}")
        assert states(outside, "--data", tmp_path)["port"] == "warn"


def test_little_space_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "NO_SPACE", 1 << 80)
    assert checks.of_space("space", tmp_path).state is State.FAIL


def test_wrong_configuration_is_a_finding(outside: Terminal, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("nope: 1")
    assert states(outside, "--config", tmp_path / "p.yaml", code=1) == {"configuration": "fail"}


def test_secret_that_others_can_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "jwt.secret").write_text("x")
    (tmp_path / "jwt.secret").chmod(0o644)
    settings = load(data=tmp_path, environ={}).settings
    assert {check.name for check in checks.of_server(settings) if "chmod" in check.message} >= {"secret"}


def test_certificate_and_key_are_tried(tmp_path: Path) -> None:
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "5",
    ]
    subprocess.run([*command, "-keyout", key, "-out", cert, "-subj", "/CN=localhost"], check=True, capture_output=True)
    environ = {
        "PAKHUS_HTTP_TLS_ENABLED": "1",
        "PAKHUS_HTTP_TLS_CERT_FILE": str(cert),
        "PAKHUS_HTTP_TLS_KEY_FILE": str(key),
    }
    settings = load(data=tmp_path, environ=environ).settings
    assert [check.state for check in checks.of_certificate(settings)] == [State.OK]
    key.write_text("broken")
    assert [check.state for check in checks.of_certificate(settings)] == [State.FAIL]
