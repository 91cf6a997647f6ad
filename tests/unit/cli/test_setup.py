"""Client configuration: written twice is written once, and undo gives back the very file."""

from __future__ import annotations

import stat
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from pakhus.cli.outcome import Failure
from pakhus.cli.setup import maven
from pakhus.cli.setup.block import Block, erase, write
from pakhus.cli.setup.clients import CLIENTS, Target
from tests.unit.cli.conftest import Terminal

TARGET = Target("https://h.example/repository/r/", "ann", "phk_1")
PLAIN = Target("http://h.example:8081/repository/r/", "ann", "phk_1")
LINES = st.lists(
    st.sampled_from(
        [
            "",
            "# note",
            "[global]",
            "[install]",
            "index-url = a",
            "Index_URL: b",
            "  continued",
            "timeout = 5",
            "[x",
            "- y",
        ]
    ),
    max_size=12,
)


@st.composite
def files(draw: st.DrawFn) -> str:
    return "\n".join(draw(LINES)) + draw(st.sampled_from(["", "\n"]))


BLOCKS = st.builds(
    Block,
    st.just("pip"),
    st.lists(st.sampled_from(["index-url = ours", "trusted-host = h"]), min_size=1, max_size=2).map(tuple),
    section=st.sampled_from(["", "global", "missing"]),
    overrides=st.sampled_from([frozenset(), frozenset({"index-url"})]),
)


@given(files(), BLOCKS)
def test_erase_undoes_write_for_any_file(text: str, block: Block) -> None:
    assert erase(write(text, block), block) == text


@given(files(), BLOCKS)
def test_writing_twice_is_writing_once(text: str, block: Block) -> None:
    assert write(write(text, block), block) == write(text, block)


@given(files(), BLOCKS)
def test_no_overridden_key_stays_beside_ours(text: str, block: Block) -> None:
    written = write(text, Block("pip", block.lines, section="global", overrides=frozenset({"index-url"})))
    section = written.partition("[global]")[2].partition("\n[")[0].splitlines()
    keys = [line for line in section if line.lower().replace("_", "-").startswith("index-url")]
    assert [line for line in keys if "ours" not in line] == []


def parsed(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


OLD = {
    "pip": "[global]\ntimeout = 5\nindex-url = https://old.example\nextra-index-url =\n    a\n    b\n[install]\nx = 1",
    "uv": 'native-tls = true\n\n[[index]]\nname = "old"\nurl = "https://old.example"\n',
    "twine": "[distutils]\nindex-servers =\n    old\n[old]\nrepository = https://old.example\n",
    "npm": "registry=https://old.example/\nsave-exact=true",
    "yarn": 'npmRegistryServer: "https://old.example"\nunsafeHttpWhitelist:\n  - a\n  - b\nnodeLinker: pnp\n',
    "yarn-classic": "",
    "mvn": """<?xml version="1.0" encoding="UTF-8"?>
<!-- mine > yours -->
<settings>
  <servers/>
  <mirrors>
    <mirror><id>old</id><mirrorOf>*</mirrorOf><url>https://old.example</url></mirror>
  </mirrors>
</settings>
""",
}


@pytest.mark.parametrize("client", sorted(CLIENTS))
@pytest.mark.parametrize("target", [TARGET, PLAIN], ids=["https", "http"])
def test_every_client_can_be_set_up_twice_and_undone(client: str, target: Target) -> None:
    setup = CLIENTS[client]
    for old in (OLD[client].encode(), setup.empty):
        once = setup.add(old, target)
        assert setup.add(once, target) == once
        assert b"phk_1" in once
        if client != "mvn" or old == setup.empty:
            assert setup.remove(once) == old
        assert setup.add(setup.remove(once), target) == once


def test_pip_asks_our_index_and_keeps_other_settings() -> None:
    config = parsed(CLIENTS["pip"].add(OLD["pip"].encode(), PLAIN).decode())
    assert config["global"]["index-url"] == "http://ann:phk_1@h.example:8081/repository/r/simple/"
    assert config["global"]["trusted-host"] == "h.example:8081"
    assert config["global"]["timeout"] == "5"
    assert config["global"]["extra-index-url"].split() == ["a", "b"]


def test_twine_keeps_the_servers_that_were_there() -> None:
    config = parsed(CLIENTS["twine"].add(OLD["twine"].encode(), TARGET).decode())
    assert config["distutils"]["index-servers"].split() == ["old", "pakhus"]
    assert config["pakhus"]["password"] == "phk_1"
    with pytest.raises(Failure, match="choose another --name"):
        CLIENTS["twine"].add(b"[pakhus]\n", TARGET)


def test_uv_has_our_index_as_default() -> None:
    config = tomllib.loads(CLIENTS["uv"].add(OLD["uv"].encode(), TARGET).decode())
    assert [index.get("default", False) for index in config["index"]] == [False, True]
    with pytest.raises(Failure, match="default index already"):
        CLIENTS["uv"].add(b'[[index]]\nurl = "x"\ndefault = true\n', TARGET)


def test_yarn_replaces_lists_whole() -> None:
    config = yaml.safe_load(CLIENTS["yarn"].add(OLD["yarn"].encode(), PLAIN))
    assert config == {
        "npmRegistryServer": PLAIN.url,
        "npmAuthToken": "phk_1",
        "npmAlwaysAuth": True,
        "unsafeHttpWhitelist": ["h.example"],
        "nodeLinker": "pnp",
    }


def test_npm_token_is_bound_to_the_repository() -> None:
    text = CLIENTS["npm"].add(OLD["npm"].encode(), TARGET).decode()
    assert "//h.example/repository/r/:_authToken=phk_1" in text.splitlines()
    assert text.splitlines().index("registry=https://old.example/") < text.splitlines().index(f"registry={TARGET.url}")


def test_damaged_file_is_not_touched() -> None:
    for client, text in {"pip": "index-url", "uv": "= 1", "yarn": "a: [", "mvn": "<settings>"}.items():
        with pytest.raises(Failure):
            CLIENTS[client].add(text.encode(), TARGET)


class TestMaven:
    def test_our_mirror_is_first_and_the_server_has_the_token(self) -> None:
        root = ElementTree.fromstring(CLIENTS["mvn"].add(OLD["mvn"].encode(), PLAIN))
        assert [mirror.findtext("id") for mirror in root.iterfind("mirrors/mirror")] == ["pakhus", "old"]
        assert root.findtext("mirrors/mirror/blocked") == "false"
        assert root.findtext("servers/server/password") == "phk_1"

    def test_namespace_comments_and_other_encodings_survive(self) -> None:
        body = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<s:settings xmlns:s="urn:x"/>'
        with pytest.raises(Failure):
            maven.write(body.encode(), id="a", url="https://x", username="u", password="p")
        body = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<settings xmlns="urn:x"><!-- é --></settings>'
        written = maven.write(body.encode("latin-1"), id="a", url="https://x?a&b", username="é", password="<>")
        root = ElementTree.fromstring(written)
        assert root.findtext("{*}servers/{*}server/{*}username") == "é"
        assert root.findtext("{*}mirrors/{*}mirror/{*}url") == "https://x?a&b"
        assert "<!-- é -->".encode("latin-1") in written

    def test_id_of_somebody_else_is_refused(self) -> None:
        with pytest.raises(Failure, match="of its own"):
            maven.write(OLD["mvn"].encode(), id="old", url="https://x", username="u", password="p")

    def test_entities_are_refused(self) -> None:
        bomb = b'<!DOCTYPE settings [<!ENTITY a "aaaa">]><settings>&a;</settings>'
        with pytest.raises(Failure, match="entities"):
            maven.write(bomb, id="a", url="https://x", username="u", password="p")


class TestCommand:
    def test_printed_lines_do_not_show_the_token(self, terminal: Terminal) -> None:
        terminal.state.add("npm-all", "npm", "group")
        terminal.state.add("npm-hosted", "npm")
        text = terminal.run("setup", "npm").stdout
        assert f"registry={terminal.url}/repository/npm-all/" in text
        assert "phk_ci" not in text and "$PAKHUS_TOKEN" in text
        assert "phk_ci" in terminal.run("setup", "npm", "--show-token").stdout

    def test_written_file_is_for_its_owner_and_undo_removes_it(self, terminal: Terminal) -> None:
        terminal.state.add("npm-all", "npm", "group")
        file = terminal.home / ".npmrc"
        terminal.run("setup", "npm", "--write")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert terminal.json("setup", "npm", "--write")["changed"] is False
        terminal.run("setup", "npm", "--undo")
        assert list(terminal.home.iterdir()) == []
        assert terminal.json("setup", "npm", "--undo")["changed"] is False

    @pytest.mark.parametrize("old", ["save-exact=true", "registry=x\n"])
    def test_undo_restores_the_file_and_its_mode(self, terminal: Terminal, old: str) -> None:
        terminal.state.add("npm-all", "npm", "group")
        file = terminal.home / ".npmrc"
        file.write_text(old)
        file.chmod(0o640)
        assert "chmod 600" in terminal.run("setup", "npm", "--write").stderr
        assert (terminal.home / ".npmrc.before-pakhus").read_text() == old
        terminal.run("setup", "npm", "--undo")
        assert file.read_text() == old
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert [p.name for p in terminal.home.iterdir()] == [".npmrc"]

    def test_edits_made_since_survive_undo(self, terminal: Terminal) -> None:
        terminal.state.add("npm-all", "npm", "group")
        file = terminal.home / ".npmrc"
        file.write_text("a=1\n")
        terminal.run("setup", "npm", "--write")
        file.write_text(file.read_text() + "b=2\n")
        terminal.run("setup", "npm", "--undo")
        assert file.read_text() == "a=1\nb=2\n"

    def test_repository_of_another_format_is_refused(self, terminal: Terminal) -> None:
        terminal.state.add("raw-hosted", "raw")
        terminal.run("setup", "npm", "--repo", "raw-hosted", code=2)
        terminal.run("setup", "npm", "--repo", "none", code=4)
        terminal.run("setup", "npm", code=4)
        terminal.run("setup", "nonsense", code=2)

    def test_uploading_client_gets_the_hosted_repository(self, terminal: Terminal, tmp_path: Path) -> None:
        terminal.state.add("pypi-all", "pypi", "group")
        terminal.state.add("pypi-hosted", "pypi")
        terminal.run("setup", "twine", "--write", "--file", tmp_path / "rc")
        assert f"repository = {terminal.url}/repository/pypi-hosted/" in (tmp_path / "rc").read_text()

    def test_symbolic_link_stays_one(self, terminal: Terminal, tmp_path: Path) -> None:
        terminal.state.add("npm-all", "npm", "group")
        (tmp_path / "dotfiles").write_text("a=1\n")
        (terminal.home / ".npmrc").symlink_to(tmp_path / "dotfiles")
        terminal.run("setup", "npm", "--write")
        assert (terminal.home / ".npmrc").is_symlink()
        assert "registry=" in (tmp_path / "dotfiles").read_text()
