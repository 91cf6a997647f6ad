"""The live upstream that an installed client would use by itself, so that no test names a registry's host."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.clients import install, programs


def live_upstream(client: str) -> str:
    """The address of the index, registry or repository that `client` goes to on this machine, without last slash."""
    return ASK[client]().rstrip("/")


def said(*command: str | Path) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def python_index() -> str:
    """pip's configured index, else its built-in one; the root of it, above `simple/`."""
    python = programs.path_of("pip")
    found = said(python, "-m", "pip", "config", "get", "global.index-url") or said(
        python, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    )
    return found.rstrip("/").removesuffix("/simple")


def npm_registry() -> str:
    return said(install.node() / "node", programs.path_of("npm") / "bin/npm-cli.js", "config", "get", "registry")


def maven_central() -> str:
    """A mirror in the user's settings, else `central` of the super POM inside Maven's own library."""
    settings = Path.home() / ".m2" / "settings.xml"
    if settings.exists():
        for mirror in ElementTree.parse(settings).getroot().findall("{*}mirrors/{*}mirror"):
            if mirror.findtext("{*}mirrorOf") in ("*", "central", "external:*") and mirror.findtext("{*}url"):
                return str(mirror.findtext("{*}url")).strip()
    library = programs.path_of("mvn").resolve().parent.parent / "lib"
    jar = next((jar.resolve() for jar in library.glob("maven-model-builder*.jar")), None)
    if jar is None:
        pytest.fail(f"no maven-model-builder in {library}")
    with zipfile.ZipFile(jar) as library_jar:
        pom = ElementTree.fromstring(library_jar.read("org/apache/maven/model/pom-4.0.0.xml"))
    return str(pom.findtext("{*}repositories/{*}repository/{*}url")).strip()


def crates_index() -> str:
    """Cargo logs the address of its index before it connects, which it is kept from here."""
    env = {**os.environ, "CARGO_HTTP_PROXY": "127.0.0.1:1", "CARGO_NET_RETRY": "0", "CARGO_LOG": "network=debug"}
    command = (str(programs.path_of("cargo")), "info", "cargo")
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    found = re.search(r"fetch (https?://\S+/)config\.json", asked.stderr)
    if found is None:
        pytest.fail(f"cargo did not say where its index is: {asked.stderr[-600:]}")
    return found[1]


def go_proxy() -> str:
    """The first of Go's proxies."""
    found = re.split("[,|]", said(programs.path_of("go"), "env", "GOPROXY"))[0]
    if not found.startswith("http"):
        programs.missed(f"go has no proxy here: GOPROXY is {found}")
    return found


def nuget_feed() -> str:
    """What dotnet writes into the configuration of a user who has none."""
    with tempfile.TemporaryDirectory() as home:
        dotnet = programs.program("dotnet", Path(home))
        dotnet.run("nuget", "locals", "all", "--list", home=Path(home)).ok()
        written = Path(home) / ".nuget" / "NuGet" / "NuGet.Config"
        source = ElementTree.parse(written).find("packageSources/add")
    if source is None:
        pytest.fail("dotnet knows no source of packages")
    return source.get("value", "")


ASK: dict[str, Callable[[], str]] = {
    **dict.fromkeys(("pip", "uv", "twine", "poetry"), python_index),
    **dict.fromkeys(("npm", "pnpm", "yarn", "berry"), npm_registry),
    "go": go_proxy,
    "mvn": maven_central,
    "cargo": crates_index,
    "dotnet": nuget_feed,
}
