"""What each client needs to read: file, lines, and where in the file they belong."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml

from pakhus.cli.outcome import Failure
from pakhus.cli.setup import maven
from pakhus.cli.setup.block import Block, erase, write


@dataclass(frozen=True, slots=True)
class Target:
    """The repository to be used: its URL with trailing slash, and who asks. `id` is its name in the client's file."""

    url: str
    username: str
    token: str
    id: str = "pakhus"

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def is_plain(self) -> bool:
        return self.url.startswith("http:")

    def url_with_token(self, path: str = "") -> str:
        """For clients whose configuration knows no other place for credentials."""
        scheme, _, rest = self.url.partition("://")
        user = f"{quote(self.username or 'token', safe='')}:{quote(self.token, safe='$_-.~')}@" if self.token else ""
        return f"{scheme}://{user}{rest}{path}"


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """A client: the format it speaks, its file, and the file's content with (`add`) and without (`remove`) us.

    `writes` says that it uploads, hence needs a hosted repository.
    """

    format: str
    file: Callable[[Mapping[str, str]], Path]
    add: Callable[[bytes, Target], bytes]
    remove: Callable[[bytes], bytes]
    empty: bytes = b""
    writes: bool = False
    try_it: str = ""


def lines_setup(
    format: str,
    file: Callable[[Mapping[str, str]], Path],
    blocks: Callable[[Target, str], list[Block]],
    ids: tuple[str, ...],
    check: Callable[[str], object],
    *,
    writes: bool = False,
    try_it: str = "",
) -> ClientSetup:
    """A client whose file is edited by lines; `check` parses the file and raises ValueError for a broken one."""

    def remove(body: bytes) -> bytes:
        text = body.decode("utf-8")
        for id in ids:
            text = erase(text, Block(id, ()))
        return text.encode("utf-8")

    def add(body: bytes, target: Target) -> bytes:
        before = remove(body).decode("utf-8")
        sound(check, before, "the file is damaged already")
        text = before
        for block in blocks(target, before):
            text = write(text, block)
        sound(check, text, "the file has settings that this command cannot join with its own")
        return text.encode("utf-8")

    return ClientSetup(format, file, add, remove, writes=writes, try_it=try_it)


def sound(check: Callable[[str], object], text: str, problem: str) -> None:
    try:
        check(text)
    except (ValueError, IniError, yaml.YAMLError) as error:
        raise Failure(f"{problem}: {error}") from error


def no_check(text: str) -> None:
    """npm takes any line."""


def ini(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


# -- Python


def pip_file(environ: Mapping[str, str]) -> Path:
    if named := environ.get("PIP_CONFIG_FILE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(environ["APPDATA"]) / "pip" / "pip.ini"
    old = Path.home() / ".pip" / "pip.conf"
    return old if old.exists() else config_home(environ) / "pip" / "pip.conf"


def config_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def pip_blocks(target: Target, before: str) -> list[Block]:
    lines = [f"index-url = {target.url_with_token('simple/')}"]
    overrides = {"index-url"}
    if target.is_plain:
        lines.append(f"trusted-host = {target.host}")
        overrides.add("trusted-host")
    return [Block("pip", tuple(lines), section="global", overrides=frozenset(overrides))]


def uv_blocks(target: Target, before: str) -> list[Block]:
    if any(index.get("default") for index in tomllib.loads(before).get("index", [])):
        raise Failure("uv.toml has a default index already: remove its `default = true` first")
    lines = ("[[index]]", f'name = "{target.id}"', f'url = "{target.url_with_token("simple/")}"', "default = true")
    return [Block("uv", lines)]


def twine_blocks(target: Target, before: str) -> list[Block]:
    parser = ini(before)
    if parser.has_section(target.id):
        raise Failure(f".pypirc has a section [{target.id}] of its own: choose another --name")
    others = parser.get("distutils", "index-servers", fallback="").split()
    servers = ("index-servers =", *(f"    {name}" for name in (*others, target.id)))
    account = (f"repository = {target.url}", f"username = {target.username or 'token'}", f"password = {target.token}")
    return [
        Block("twine-servers", servers, section="distutils", overrides=frozenset({"index-servers"})),
        Block("twine", account, section=target.id),
    ]


# -- JavaScript


def npm_file(environ: Mapping[str, str]) -> Path:
    named = environ.get("NPM_CONFIG_USERCONFIG") or environ.get("npm_config_userconfig")
    return Path(named) if named else Path.home() / ".npmrc"


def npm_blocks(target: Target, before: str) -> list[Block]:
    credentials = (f"//{target.url.partition('://')[2]}:_authToken={target.token}",) if target.token else ()
    return [Block("npm", (f"registry={target.url}", *credentials))]


def yarn_classic_blocks(target: Target, before: str) -> list[Block]:
    (block,) = npm_blocks(target, before)
    return [Block("yarn-classic", (*block.lines, "always-auth=true"))]


def yarn_blocks(target: Target, before: str) -> list[Block]:
    settings: dict[str, object] = {"npmRegistryServer": target.url}
    if target.token:
        settings |= {"npmAuthToken": target.token, "npmAlwaysAuth": True}
    if target.is_plain:
        settings["unsafeHttpWhitelist"] = [urlsplit(target.url).hostname]
    # A JSON value is a YAML value.
    lines = [f"{key}: {json.dumps(value)}" for key, value in settings.items()]
    return [Block("yarn", tuple(lines), overrides=frozenset(settings), assign=":")]


# -- Java


def maven_add(body: bytes, target: Target) -> bytes:
    username = target.username or "token"
    return maven.write(body, id=target.id, url=target.url, username=username, password=target.token)


CLIENTS: dict[str, ClientSetup] = {
    "pip": lines_setup("pypi", pip_file, pip_blocks, ("pip",), ini, try_it="pip download PACKAGE"),
    "uv": lines_setup(
        "pypi",
        lambda environ: config_home(environ) / "uv" / "uv.toml",
        uv_blocks,
        ("uv",),
        tomllib.loads,
        try_it="uv pip install PACKAGE",
    ),
    "twine": lines_setup(
        "pypi",
        lambda environ: Path.home() / ".pypirc",
        twine_blocks,
        ("twine", "twine-servers"),
        ini,
        writes=True,
        try_it="twine upload -r pakhus dist/*",
    ),
    "npm": lines_setup("npm", npm_file, npm_blocks, ("npm",), no_check, try_it="npm view PACKAGE"),
    "yarn-classic": lines_setup("npm", npm_file, yarn_classic_blocks, ("yarn-classic",), no_check),
    "yarn": lines_setup(
        "npm",
        lambda environ: Path.home() / ".yarnrc.yml",
        yarn_blocks,
        ("yarn",),
        yaml.safe_load,
        try_it="yarn npm info P",
    ),
    "mvn": ClientSetup(
        "maven2",
        lambda environ: Path.home() / ".m2" / "settings.xml",
        maven_add,
        maven.erase,
        empty=maven.EMPTY,
        try_it="mvn dependency:get -Dartifact=GROUP:ARTIFACT:VERSION",
    ),
}
ALIASES = {"maven": "mvn", "pnpm": "npm", "yarn1": "yarn-classic", "yarn-berry": "yarn"}


def environment() -> Mapping[str, str]:
    return os.environ
