"""Download: resumed, verified, and never outside the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pakhus.cli.download import below
from pakhus.cli.outcome import Failure
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.peer import State, serving

BODY = bytes(range(256)) * 4096


@pytest.fixture
def stocked(terminal: Terminal) -> Terminal:
    terminal.state.assets = {
        ("r", "a/one.bin"): BODY,
        ("r", "a/two.bin"): b"2",
        ("r", "b/three #1.txt"): b"3",
        ("other", "a/four.bin"): b"4",
    }
    return terminal


def test_one_file_is_written_here_and_verified(stocked: Terminal) -> None:
    (entry,) = stocked.json("download", "r", "/a/one.bin")
    assert (stocked.home / "one.bin").read_bytes() == BODY
    assert entry["verified"] == "sha256"
    assert [file.name for file in stocked.home.iterdir()] == ["one.bin"]


def test_download_without_any_digest_says_so(stocked: Terminal) -> None:
    stocked.state.searchable = False
    assert "no checksum to verify" in stocked.run("download", "r", "a/two.bin").stdout


def test_output_names_a_file_or_a_folder(stocked: Terminal) -> None:
    stocked.run("download", "r", "b/three #1.txt", "-o", "sub/x.txt")
    (stocked.home / "dir").mkdir()
    stocked.run("download", "r", "a/two.bin", "-o", "dir")
    assert (stocked.home / "sub" / "x.txt").read_text() == "3"
    assert (stocked.home / "dir" / "two.bin").read_text() == "2"


def test_dash_writes_to_standard_output(stocked: Terminal) -> None:
    assert stocked.run("download", "r", "a/one.bin", "-o", "-").stdout_bytes == BODY


def test_pattern_keeps_the_folders(stocked: Terminal) -> None:
    stocked.run("download", "r", "*.bin", "-o", "out")
    assert {p.relative_to(stocked.home / "out").as_posix() for p in (stocked.home / "out").rglob("*.*")} == {
        "a/one.bin",
        "a/two.bin",
    }
    stocked.run("download", "r", "*.none", code=4)


def test_broken_connection_is_continued_where_it_broke(stocked: Terminal) -> None:
    stocked.state.cut = 300_000
    stocked.run("download", "r", "a/one.bin", "--retry-for", "5")
    assert (stocked.home / "one.bin").read_bytes() == BODY
    assert len(stocked.state.asked("GET")) == 3


def test_second_run_continues_the_part_of_the_first(stocked: Terminal) -> None:
    stocked.state.cut = 300_000
    stocked.run("download", "r", "a/one.bin", "--retry-for", "0", code=5)
    part = stocked.home / "one.bin.part"
    assert part.read_bytes() == BODY[: part.stat().st_size]
    assert part.stat().st_size > 0
    stocked.run("download", "r", "a/one.bin")
    assert (stocked.home / "one.bin").read_bytes() == BODY
    assert not part.exists()


def test_part_of_a_file_that_changed_is_begun_anew(stocked: Terminal) -> None:
    stocked.state.cut = 300_000
    stocked.run("download", "r", "a/one.bin", "--retry-for", "0", code=5)
    stocked.state.assets["r", "a/one.bin"] = BODY[::-1]
    stocked.run("download", "r", "a/one.bin")
    assert (stocked.home / "one.bin").read_bytes() == BODY[::-1]


def test_part_without_validator_is_begun_anew(stocked: Terminal) -> None:
    stocked.state.etag = False
    stocked.state.cut = 300_000
    stocked.run("download", "r", "a/one.bin", "--retry-for", "5")
    assert (stocked.home / "one.bin").read_bytes() == BODY


def test_wrong_digest_keeps_nothing(stocked: Terminal) -> None:
    stocked.state.corrupt = True
    assert "nothing was kept" in stocked.run("download", "r", "a/*", code=1).stderr
    assert not [p for p in stocked.home.rglob("*") if p.is_file()]


def test_missing_path_is_not_found_and_leaves_nothing(stocked: Terminal) -> None:
    stocked.run("download", "r", "none.bin", code=4)
    assert list(stocked.home.iterdir()) == []


def test_redirect_to_another_host_is_followed_without_the_token(stocked: Terminal) -> None:
    store = State(open=True, assets=dict(stocked.state.assets))
    with serving(store) as url:
        stocked.state.elsewhere = url
        stocked.run("download", "r", "a/one.bin")
    assert (stocked.home / "one.bin").read_bytes() == BODY
    assert store.authorizations == [""]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a\\..\\x", "C:/x"])
def test_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(Failure, match="leaves the folder"):
        below(Path("out"), path)
