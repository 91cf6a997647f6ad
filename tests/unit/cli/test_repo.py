"""Repositories and search from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Terminal


def test_list_is_filtered_by_format_and_type(terminal: Terminal) -> None:
    terminal.state.add("b", "npm")
    terminal.state.add("a", "maven2", "proxy")
    assert [r["name"] for r in terminal.json("repo", "list")] == ["a", "b"]
    assert [r["name"] for r in terminal.json("repo", "list", "--format", "maven")] == ["a"]
    assert terminal.run("repo", "list", "--type", "hosted").stdout.splitlines()[1].split()[:3] == ["b", "npm", "hosted"]


def test_created_repository_has_the_common_members(terminal: Terminal) -> None:
    terminal.run(
        "repo",
        "create",
        "maven2",
        "hosted",
        "releases",
        "--write-policy",
        "allow_once",
        "--set",
        "maven.versionPolicy=RELEASE",
    )
    made = terminal.state.settings["releases"]
    assert made["format"] == "maven"
    assert made["storage"] == {
        "blobStoreName": "default",
        "strictContentTypeValidation": True,
        "writePolicy": "ALLOW_ONCE",
    }
    assert made["maven"] == {"versionPolicy": "RELEASE"}


def test_proxy_and_group_take_upstream_and_members_in_order(terminal: Terminal) -> None:
    terminal.run(
        "repo", "create", "npm", "proxy", "p", "--remote-url", "https://x.example", "--set", "proxy.contentMaxAge=5"
    )
    assert terminal.state.settings["p"]["proxy"]["remoteUrl"] == "https://x.example"
    assert terminal.state.settings["p"]["proxy"]["contentMaxAge"] == 5
    terminal.run("repo", "create", "npm", "group", "g", "--member", "z", "--member", "a")
    assert terminal.state.settings["g"]["group"] == {"memberNames": ["z", "a"]}


def test_whole_body_is_taken_from_standard_input(terminal: Terminal) -> None:
    body = {"online": False, "storage": {"blobStoreName": "s3"}}
    terminal.run("repo", "create", "raw", "hosted", "r", "--body", "-", stdin=json.dumps(body))
    assert terminal.state.settings["r"]["online"] is False


def test_options_of_another_type_are_wrong_usage(terminal: Terminal) -> None:
    terminal.run("repo", "create", "npm", "hosted", "h", "--remote-url", "https://x.example", code=2)
    terminal.run("repo", "create", "npm", "proxy", "h", code=2)
    terminal.run("repo", "create", "npm", "group", "h", code=2)
    terminal.run("repo", "create", "npm", "hosted", "h", "--set", "novalue", code=2)


def test_refusal_is_told_in_the_words_of_the_server(terminal: Terminal) -> None:
    terminal.state.add("a", "raw")
    assert "name: Name is already used" in terminal.run("repo", "create", "raw", "hosted", "a", code=1).stderr


def test_shown_settings_are_those_of_its_format(terminal: Terminal) -> None:
    terminal.state.add("a", "raw", raw={"contentDisposition": "INLINE"})
    assert terminal.json("repo", "show", "a")["raw"] == {"contentDisposition": "INLINE"}
    assert "raw.contentDisposition" in terminal.run("repo", "show", "a").stdout
    terminal.run("repo", "show", "none", code=4)


def test_delete_asks_or_is_told_yes(terminal: Terminal) -> None:
    terminal.state.add("a", "raw")
    terminal.run("repo", "delete", "a", code=2)
    terminal.run("repo", "delete", "a", "--yes")
    assert terminal.state.repositories == []


def test_search_reads_all_pages_and_says_when_there_is_more(terminal: Terminal) -> None:
    assert terminal.json("search", "lib")["complete"] is True
    assert len(terminal.json("search", "lib")["items"]) == 5
    cut = terminal.json("search", "lib", "--limit", "3")
    assert (len(cut["items"]), cut["complete"]) == (3, False)


def test_search_passes_parameters_of_a_format_even_empty_ones(terminal: Terminal) -> None:
    terminal.run("search", "--format", "maven2", "-p", "maven.classifier=", "-p", "maven.extension=jar", "--assets")
    assert "maven.classifier=&maven.extension=jar" in terminal.state.requests[-1][1]


def test_config_show_tells_origins_and_masks_secrets(outside: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("log: {level: debug}\nbootstrap: {admin_password: hunter22}\n")
    shown = outside.json("config", "show", "--config", file)
    assert shown["log.level"]["value"] == "debug"
    assert shown["log.level"]["origin"] == "file"
    assert "hunter22" not in outside.run("config", "show", "--config", file).stdout
    file.write_text("logs: {level: debug}\n")
    assert "unknown key logs" in outside.run("config", "show", "--config", file, code=2).stderr


def test_version_is_printed(outside: Terminal) -> None:
    assert outside.run("--version").stdout.startswith("pakhus ")
