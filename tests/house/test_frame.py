"""Locks, commands and containers: what is easily left behind when something else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, pyproject

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.M)
INSTRUCTIONS = {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "USER"} | {
    "VOLUME",
    "WORKDIR",
}


def pins(lock: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in PINNED.findall((ROOT / lock).read_text()):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def wanted(lock: str) -> list[Requirement]:
    project = pyproject()
    dev = project["dependency-groups"]["dev"] if lock == "requirements-dev.lock" else []
    return [Requirement(text) for text in [*project["project"]["dependencies"], *dev]]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_what_the_project_declares(lock: str) -> None:
    pinned = pins(lock)
    stale = [
        str(requirement)
        for requirement in wanted(lock)
        if not any(
            requirement.specifier.contains(version, prereleases=True)
            for version in pinned.get(canonicalize_name(requirement.name), [])
        )
    ]

    assert stale == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_has_a_hash_for_everything_and_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]

    assert "://" not in text
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_both_locks_agree() -> None:
    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")

    assert {name: versions for name, versions in run.items() if dev.get(name) != versions} == {}


def test_every_command_of_make_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.M)

    assert set(phony.split()) == set(re.findall(r"^([a-z]+):.*## \S", text, re.M))


def test_scripts_stop_at_what_they_do_not_expect() -> None:
    scripts = [ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()]

    for script in scripts:
        assert script.stat().st_mode & 0o111, f"{script} cannot be executed"
        assert re.search(r"^set -e?uo? ?pipefail$", script.read_text(), re.M), f"{script} goes on after errors"


def test_compose_describes_the_server_and_its_database() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    assert services["pakhus"]["read_only"] is True
    assert services["pakhus"]["healthcheck"]["test"]
    assert services["postgres"]["profiles"] == ["postgres"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            assert not str(volume).startswith("/"), f"{name} mounts a path of one machine"


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Instruction and arguments of each logical line."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.M)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [
        (word.upper(), rest.strip())
        for word, _, rest in (line.strip().partition(" ") for line in lines if line.strip())
    ]


def test_the_image_runs_without_root_and_says_when_it_is_healthy() -> None:
    found = instructions(ROOT / "Dockerfile")
    last_stage = found[max(n for n, (word, _) in enumerate(found) if word == "FROM") :]
    final = dict(last_stage)

    assert {word for word, _ in found} <= INSTRUCTIONS
    assert [word for word, _ in found].count("FROM") >= 2
    assert final["USER"].split(":")[0] not in ("root", "0")
    assert "/readyz" in final["HEALTHCHECK"] or "/healthz" in final["HEALTHCHECK"]
    assert final["ENTRYPOINT"].startswith("[")


def test_what_the_image_copies_exists() -> None:
    sources = [
        source
        for word, rest in instructions(ROOT / "Dockerfile")
        if word == "COPY" and "--from=" not in rest
        for source in [part for part in rest.split() if not part.startswith("--")][:-1]
    ]

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
