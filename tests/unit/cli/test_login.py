"""Login keeps a revocable token, and tokens go to no other server."""

from __future__ import annotations

import json
import stat

import pytest

from pakhus.cli.outcome import Failure
from pakhus.cli.session import server_url
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.peer import PASSWORD


def log_in(terminal: Terminal) -> None:
    terminal.run("login", terminal.url, "--username", "ann", "--password-stdin", stdin=f"{PASSWORD}\n")


def test_login_keeps_a_token_and_not_the_password(outside: Terminal) -> None:
    log_in(outside)
    file = outside.home / ".config" / "pakhus" / "client.json"
    (token,) = outside.state.tokens.values()
    assert json.loads(file.read_text())["token"] == token["token"]
    assert PASSWORD not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    outside.run("repo", "list")


def test_wrong_password_is_denied_and_nothing_is_kept(outside: Terminal) -> None:
    result = outside.run("login", outside.url, "-u", "ann", "--password-stdin", stdin="x\n", code=3)
    assert "does not accept" in result.stderr
    assert not (outside.home / ".config").exists()


def test_existing_token_is_checked_before_it_is_kept(outside: Terminal) -> None:
    outside.run("login", outside.url, "--token-stdin", stdin="phk_nope\n", code=3)
    assert not (outside.home / ".config").exists()
    outside.state.tokens["mine"] = {"name": "mine", "token": "phk_mine"}
    outside.run("login", outside.url, "--token-stdin", stdin="phk_mine\n")
    outside.run("repo", "list")


def test_logout_revokes_the_token_of_login(outside: Terminal) -> None:
    log_in(outside)
    outside.run("logout")
    assert outside.state.tokens == {}
    assert "no server" in outside.run("repo", "list", code=3).stderr


def test_logout_forgets_the_token_even_without_the_server(outside: Terminal) -> None:
    log_in(outside)
    file = outside.home / ".config" / "pakhus" / "client.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "url": "http://127.0.0.1:1"}))
    assert outside.json("logout")["revoked"] is False
    assert not file.exists()


def test_kept_token_is_not_sent_to_another_server(outside: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(outside)
    monkeypatch.setenv("PAKHUS_URL", outside.url.replace("127.0.0.1", "localhost"))
    outside.run("repo", "list", code=3)


def test_environment_overrides_what_login_kept(outside: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(outside)
    monkeypatch.setenv("PAKHUS_TOKEN", "phk_wrong")
    outside.run("repo", "list", code=3)


def test_without_a_terminal_nothing_is_asked(outside: Terminal) -> None:
    assert "--password-stdin" in outside.run("login", outside.url, code=2).stderr


def test_unreachable_server_has_its_own_exit_code(outside: Terminal) -> None:
    result = outside.json("login", "http://127.0.0.1:1", "-u", "a", "--password-stdin", stdin="x\n", code=5)
    assert result["kind"] == "unreachable"


@pytest.mark.parametrize("text", ["ftp://host", "http://", "https://u:p@host", "https://host/?q"])
def test_what_is_no_server_url_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        server_url(text)


def test_scheme_is_https_unless_given() -> None:
    assert server_url("packages.example.org/") == "https://packages.example.org"


def test_token_is_created_listed_and_revoked(terminal: Terminal) -> None:
    made = terminal.json("token", "create", "build", "--repo", "pypi-hosted", "--days", "7")
    assert made["token"].startswith("phk_")
    assert terminal.state.tokens["build"]["repositories"] == ["pypi-hosted"]
    assert terminal.state.tokens["build"]["expires_days"] == 7
    assert "build" in terminal.run("token", "list").stdout
    assert made["token"] not in terminal.run("token", "list").stdout
    terminal.run("token", "revoke", "build")
    terminal.run("token", "revoke", "build", code=4)
