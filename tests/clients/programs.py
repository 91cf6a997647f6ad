"""The real clients as the tests call them: a clean environment, a fresh home, and everything they said."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from tests.clients import install

KEPT = ("PATH", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH")
"""All that a client inherits: the settings of the machine (PIP_*, NPM_CONFIG_*, proxies) would answer for ours."""


@dataclass(frozen=True)
class Result:
    """What a client did. `ok()` is the usual way to say that it had to succeed."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return f"{self.stdout}\n{self.stderr}"

    def ok(self) -> Result:
        assert self.code == 0, self.transcript()
        return self

    def refused(self) -> Result:
        assert self.code != 0, self.transcript()
        return self

    def transcript(self) -> str:
        return f"$ {' '.join(self.command)}\nexit {self.code}\n{self.stdout}\n{self.stderr}"


@dataclass(frozen=True)
class Program:
    """A client: what to call, and what it needs in its environment wherever it runs."""

    name: str
    command: tuple[str, ...]
    scratch: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def home(self) -> Path:
        """A new home directory: no cache and no login of an earlier call."""
        return Path(tempfile.mkdtemp(prefix=f"{self.name}-home-", dir=self.scratch))

    def run(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        home: Path | None = None,
        stdin: str | None = None,
        timeout: float = 240,
    ) -> Result:
        """Run it. The home is a fresh one unless the test hands one over, for a login that a later call needs."""
        home = home or self.home()
        command = (*self.command, *(str(arg) for arg in args))
        done = subprocess.run(
            command,
            cwd=cwd or home,
            env={**environment(home), **self.env, **(env or {})},
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        return Result(command, done.returncode, done.stdout, done.stderr)

    def version(self) -> str:
        """The version that the client says of itself, empty if it does not."""
        found = re.search(r"\d+(\.\d+)+", self.run("--version").output)
        return found[0] if found else ""


def environment(home: Path) -> dict[str, str]:
    """The environment of a client at `home`; what it keeps for itself stays below it."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "NO_COLOR": "1",
        "CI": "true",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NPM_CONFIG_GLOBALCONFIG": os.devnull,
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        "GIT_TERMINAL_PROMPT": "0",
        # A JVM takes the home from the password file and never looks at HOME.
        "MAVEN_OPTS": f"-Duser.home={home}",
    }


def path_of(name: str) -> Path:
    """Where a client is."""
    try:
        return install.places()[name]()
    except install.NotInstalled as missing:
        missed(f"{name} is not there: {missing}")


def missed(reason: str) -> NoReturn:
    """What the test needs is not here: a failure in CI, elsewhere the test is skipped."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


SCRIPTS = {
    "npm": "bin/npm-cli.js",
    "pnpm": "bin/pnpm.mjs",
    "yarn": "bin/yarn.js",
    "berry": "bin/yarn.js",
}
MODULES = {"pip": "pip", "build": "build"}


def program(name: str, scratch: Path) -> Program:
    """The client called `name` in `pins.toml`; its homes are made below `scratch`."""
    place = path_of(name)
    if script := SCRIPTS.get(name):
        node = install.node()
        entry = place / script
        if not entry.exists():
            entry = entry.with_suffix(".cjs")
        path = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
        return Program(name, (str(node / "node"), str(entry)), scratch, {"PATH": path})
    if name == "cargo":
        path = f"{place.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return Program(name, (str(place),), scratch, {"PATH": path, "CARGO_TERM_COLOR": "never"})
    if module := MODULES.get(name):
        return Program(name, (str(place), "-m", module), scratch)
    if name == "dotnet":
        return Program(name, (str(place / "dotnet"),), scratch, dotnet_environment(place))
    return Program(name, (str(place),), scratch)


def dotnet_environment(place: Path) -> dict[str, str]:
    """The SDK is older than the machine's OpenSSL and ICU: it gets its own, and does without."""
    try:
        libraries = install.older_library("libssl")
    except install.NotInstalled as missing:
        missed(f"dotnet cannot run: {missing}")
    return {
        "DOTNET_ROOT": str(place),
        "LD_LIBRARY_PATH": str(libraries),
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
        "DOTNET_NOLOGO": "1",
        "DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1",
        "MSBUILDDISABLENODEREUSE": "1",
    }
