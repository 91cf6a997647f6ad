"""Upload: the right repository, nothing twice, nothing lost when the server goes away for a while."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path

import pytest

from pakhus.cli.client import Client, Patience, persist
from pakhus.cli.outcome import Code, Failure
from pakhus.cli.session import Session
from pakhus.cli.upload.plan import Parcel
from pakhus.cli.upload.transfer import Journal, Sender
from tests.unit.cli.conftest import Terminal
from tests.unit.cli.packages import mixed, plain, zipped

SOON = Patience(total=0.2, first=0.001, longest=0.01)


@pytest.fixture
def full(terminal: Terminal) -> Terminal:
    """A server with the usual repositories."""
    for format in ("pypi", "npm", "helm", "raw"):
        terminal.state.add(f"{format}-hosted", format)
        terminal.state.add(f"{format}-group", format, "group")
    terminal.state.add("maven-releases", "maven2", maven={"versionPolicy": "RELEASE"})
    terminal.state.add("maven-snapshots", "maven2", maven={"versionPolicy": "SNAPSHOT"})
    return terminal


def test_each_file_of_a_folder_goes_to_the_repository_for_its_type(full: Terminal, tmp_path: Path) -> None:
    told = full.json("upload", mixed(tmp_path / "dist"))
    assert told["summary"]["uploaded"] == 8
    assert told["summary"]["skipped"] == 2
    assert {(repository, field, name) for repository, field, name in full.state.posted} == {
        ("pypi-hosted", "pypi.asset", "demo-1.0-py3-none-any.whl"),
        ("pypi-hosted", "pypi.asset", "demo-1.0.tar.gz"),
        ("npm-hosted", "npm.asset", "acme-demo-1.0.0.tgz"),
        ("helm-hosted", "helm.asset", "chart-0.1.0.tgz"),
    }
    assert full.state.assets["raw-hosted", "notes/read me.txt"] == b"x"
    assert ("maven-releases", "com/acme/lib/1.5/lib-1.5.jar") in full.state.assets
    assert ("maven-releases", "com/acme/tool/2.0/tool-2.0.pom") in full.state.assets


def test_snapshot_goes_to_the_snapshot_repository(full: Terminal, tmp_path: Path) -> None:
    plain(tmp_path / "m2" / "org/x/y/1-SNAPSHOT/y-1-SNAPSHOT.jar")
    full.run("upload", tmp_path / "m2")
    assert ("maven-snapshots", "org/x/y/1-SNAPSHOT/y-1-SNAPSHOT.jar") in full.state.assets


def test_posted_file_arrives_byte_for_byte(full: Terminal, tmp_path: Path) -> None:
    wheel = zipped(tmp_path / "a-1-py3-none-any.whl", {"a": "\r\n\x00" * 100})
    full.run("upload", wheel)
    assert full.state.assets["pypi-hosted", f"packages/{wheel.name}"] == wheel.read_bytes()


def test_form_is_filled_as_the_server_asks(full: Terminal, tmp_path: Path) -> None:
    full.state.add("yum-hosted", "yum")
    full.state.add("apt-hosted", "apt")
    file, filename = {"name": "asset", "optional": False}, {"name": "filename", "optional": False}
    full.state.forms["yum"] = {
        "componentFields": [{"name": "directory", "optional": True}],
        "assetFields": [file, filename],
    }
    full.state.forms["apt"] = {"componentFields": [{"name": "section", "optional": False}], "assetFields": [file]}
    full.run("upload", plain(tmp_path / "a.rpm"), plain(tmp_path / "b.rpm"))
    assert full.state.fields == ["yum.asset.filename"] * 2
    assert len([path for path in full.state.asked("GET") if "upload-specs" in path]) == 1
    assert "needs section" in full.run("upload", plain(tmp_path / "a.deb"), code=1).stderr


def test_named_repository_takes_everything(full: Terminal, tmp_path: Path) -> None:
    wheel = zipped(tmp_path / "a-1-py3-none-any.whl", {"a": ""})
    full.run("upload", "raw-hosted", wheel, "--prefix", "/dist/")
    full.run("upload", "--repo", "raw-hosted", wheel)
    assert {path for _, path in full.state.assets} == {f"dist/{wheel.name}", wheel.name}
    full.run("upload", "--repo", "none", wheel, code=4)


def test_map_decides_by_pattern(full: Terminal, tmp_path: Path) -> None:
    full.state.add("team-pypi", "pypi")
    wheel = zipped(tmp_path / "a-1-py3-none-any.whl", {"a": ""})
    full.run("upload", wheel, "--map", "*.txt=raw-hosted", "--map", "*.whl=team-pypi")
    assert full.state.posted[0][0] == "team-pypi"
    full.run("upload", wheel, "--map", "nonsense", code=2)


def test_file_with_two_possible_repositories_is_not_sent(terminal: Terminal, tmp_path: Path) -> None:
    terminal.state.add("a", "pypi")
    terminal.state.add("b", "pypi")
    told = terminal.json("upload", zipped(tmp_path / "a-1-py3-none-any.whl", {"a": ""}), code=1)
    assert "could go to a, b" in told["files"][0]["reason"]


def test_dry_run_sends_nothing(full: Terminal, tmp_path: Path) -> None:
    plan = full.json("upload", mixed(tmp_path), "--dry-run")
    assert len(plan) == 10
    assert full.state.assets == {}
    assert not full.state.asked("PUT") and not full.state.asked("POST")


def test_second_upload_sends_nothing(full: Terminal, tmp_path: Path) -> None:
    mixed(tmp_path / "dist")
    full.run("upload", tmp_path / "dist")
    sent = len(full.state.asked("PUT") + full.state.asked("POST"))
    told = full.json("upload", tmp_path / "dist")
    assert told["summary"]["present"] == 8
    assert len(full.state.asked("PUT") + full.state.asked("POST")) == sent


def test_same_bytes_under_another_path_are_sent(full: Terminal, tmp_path: Path) -> None:
    full.run("upload", plain(tmp_path / "a.txt"))
    full.run("upload", plain(tmp_path / "b.txt"))
    assert ("raw-hosted", "b.txt") in full.state.assets


def test_token_that_may_not_search_may_upload(full: Terminal, tmp_path: Path) -> None:
    full.state.searchable = False
    assert full.json("upload", plain(tmp_path / "a.txt"))["summary"]["uploaded"] == 1


def test_state_file_makes_a_second_run_ask_nothing(full: Terminal, tmp_path: Path) -> None:
    folder, state = mixed(tmp_path / "dist"), tmp_path / "state"
    full.run("upload", folder, "--state", state)
    with state.open("a") as stream:
        stream.write('{"key": "cut off')
    before = len(full.state.requests)
    assert full.json("upload", folder, "--state", state)["summary"]["present"] == 8
    asked = {path.partition("?")[0] for _, path in full.state.requests[before:]}
    assert not any("search" in path or path.startswith("/repository/") for path in asked)


def test_changed_file_is_sent_in_spite_of_the_state_file(full: Terminal, tmp_path: Path) -> None:
    file, state = plain(tmp_path / "a.txt"), tmp_path / "state"
    full.run("upload", file, "--state", state)
    full.state.assets.clear()
    plain(file, "longer")
    full.run("upload", file, "--state", state)
    assert full.state.assets["raw-hosted", "a.txt"] == b"longer"


@pytest.mark.parametrize("fault", [503, 502, 0])
def test_upload_survives_a_server_that_goes_away(full: Terminal, tmp_path: Path, fault: int) -> None:
    full.state.faults = [fault, fault]
    with Client(Session(full.url, token="phk_ci")) as client:
        sender = Sender(client, patience=SOON, journal=Journal(None))
        receipt = sender.send(Parcel(plain(tmp_path / "a.txt"), "raw", "raw-hosted", "a.txt"))
    assert receipt.status == "uploaded"
    assert full.state.assets["raw-hosted", "a.txt"] == b"x"


def test_upload_whose_answer_was_lost_is_a_success(full: Terminal, tmp_path: Path) -> None:
    full.state.lose_answer = True
    with Client(Session(full.url, token="phk_ci")) as client:
        sender = Sender(client, patience=SOON, journal=Journal(None))
        receipt = sender.send(Parcel(plain(tmp_path / "a.txt"), "raw", "raw-hosted", "a.txt"))
    assert (receipt.status, len(full.state.asked("PUT"))) == ("uploaded", 2)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 429])
def test_refusal_is_never_tried_again(full: Terminal, tmp_path: Path, status: int) -> None:
    full.state.faults = [status, status]
    told = full.json("upload", plain(tmp_path / "a.txt"), code={403: 3, 404: 4}.get(status, 1))
    assert "ordered by the test" in told["files"][0]["reason"]
    assert len(full.state.asked("PUT")) == 1


def test_server_that_stays_away_is_unreachable(full: Terminal, tmp_path: Path) -> None:
    full.state.faults = [503] * 100
    full.run("upload", mixed(tmp_path), "--retry-for", "0", code=5)


def test_one_failure_among_successes_is_partial(full: Terminal, tmp_path: Path) -> None:
    full.state.assets["raw-hosted", "a.txt"] = b"other"
    plain(tmp_path / "d" / "a.txt")
    plain(tmp_path / "d" / "b.txt")
    report = tmp_path / "report.json"
    result = full.run("upload", tmp_path / "d", "--report", report, code=6)
    assert "1 uploaded, 1 failed" in result.stdout
    assert "does not allow updating" in result.stderr
    entry = next(entry for entry in json.loads(report.read_text())["files"] if entry["status"] == "uploaded")
    assert entry["sha256"] == hashlib.sha256(b"x").hexdigest()


def test_large_file_is_never_whole_in_memory(full: Terminal, tmp_path: Path) -> None:
    size = 64 << 20
    with (tmp_path / "large.bin").open("wb") as stream:
        stream.truncate(size)
    full.state.faults = [403]
    with Client(Session(full.url, token="phk_ci")) as client:
        sender = Sender(client, patience=SOON, journal=Journal(None), skip_present=False)
        tracemalloc.start()
        read_by_peer = size + (16 << 20)
        receipt = sender.send(Parcel(tmp_path / "large.bin", "raw", "raw-hosted", "large.bin"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert receipt.code is Code.DENIED
    # The peer lives in this process and holds the body once; a client that did too would double it.
    assert peak < read_by_peer


def test_missing_file_is_wrong_usage(full: Terminal) -> None:
    full.run("upload", "nowhere.txt", code=2)


def test_pauses_grow_to_the_limit_and_end_with_the_patience() -> None:
    waited: list[float] = []

    def never() -> None:
        raise Failure("away", Code.UNREACHABLE)

    with pytest.raises(Failure, match="away"):
        persist(never, Patience(total=60, first=1, longest=8), sleep=waited.append)
    assert sum(waited) == pytest.approx(60)
    assert max(waited) <= 8
