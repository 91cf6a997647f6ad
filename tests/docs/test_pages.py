"""What the documentation says is there, is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from pakhus.cli import app
from pakhus.settings.keys import Kind, keys
from pakhus.settings.schema import Settings
from tests.docs.endpoints import PAGE, written
from tests.docs.pages import ROOT, Block, anchors, blocks, links, name_of, pages

SETTINGS = {key.variable for key in keys()}
MAPPINGS = {key.variable for key in keys() if key.kind is Kind.MAPPING}
READERS = [
    path.read_text()
    for folder in (ROOT / "src" / "pakhus" / "cli", ROOT / "tests", ROOT / "compose.yaml")
    for path in (folder.rglob("*.py") if folder.is_dir() else [folder])
]

shell = pytest.mark.parametrize("block", list(blocks("sh")), ids=lambda block: name_of(block.page))


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, fragment = link.partition("#")
        place = (page.parent / target).resolve() if target else page
        if not place.exists() or (fragment and fragment not in anchors(place)):
            broken.append(link)

    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    waiting, reached = [ROOT / "README.md"], set()
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        for link in links(page):
            place = (page.parent / link.partition("#")[0]).resolve()
            waiting.extend(sorted(place.glob("*.md")) if place.is_dir() else [place])

    assert [name_of(page) for page in pages() if page not in reached and page.name != "CHANGELOG.md"] == []


def test_page_of_the_endpoints_is_true() -> None:
    assert PAGE.read_text() == written(), "write it anew: python -m tests.docs.endpoints"


@shell
def test_shell_blocks_are_well_formed(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr


@shell
def test_commands_in_shell_blocks_exist(block: Block) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    known = get_command(app)

    assert set(re.findall(r"^make ([a-z]+)", block.text, re.M)) <= targets
    for words in re.findall(r"(?:^|/|\$\()pakhus ((?:[a-z][a-z-]* ?)+)", block.text, re.M):
        command = known
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"there is no `pakhus {words}`"
            command = command.commands[word]


def is_known(variable: str) -> bool:
    """A setting of the server, or one that the commands, the container or the tests read."""
    if variable in SETTINGS or variable.removesuffix("_FILE") in SETTINGS:
        return True
    if any(variable.startswith(f"{mapping}_") for mapping in MAPPINGS):
        return True
    return any(re.search(rf"\b{variable}\b", text) for text in READERS)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_settings_that_are_named_exist(page: Path) -> None:
    named = set(re.findall(r"\bPAKHUS_[A-Z0-9_]*[A-Z0-9]\b", page.read_text()))

    assert {variable for variable in named if not is_known(variable)} == set()


OPERATIONS = [block for block in blocks("yaml") if block.page.parent.name == "operations"]


@pytest.mark.parametrize("block", OPERATIONS, ids=lambda block: name_of(block.page))
def test_configuration_examples_are_accepted(block: Block) -> None:
    given = yaml.safe_load(block.text)

    settings = Settings.model_validate(given)

    assert settings.model_dump(mode="json", exclude_unset=True) == given
