"""Python packages on disk, and how the clients that publish and install them are called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN
from tests.samples.pypi_packages import wheel, wheel_name


def built(folder: Path, name: str, version: str, **metadata: object) -> Path:
    """A wheel on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / wheel_name(name, version)
    file.write_bytes(wheel(name, version, **metadata))  # type: ignore[arg-type]
    return file


def twine_upload(twine: Program, url: str, *files: Path, user: tuple[str, str] = ADMIN) -> Result:
    login = ("--username", user[0], "--password", user[1], "--non-interactive")
    return twine.run("upload", "--repository-url", url, *login, *files)


def uv_publish(uv: Program, url: str, *files: Path, user: tuple[str, str] = ADMIN) -> Result:
    login = ("--username", user[0], "--password", user[1], "--trusted-publishing", "never")
    return uv.run("publish", "--publish-url", url, *login, *files)


def pip_install(pip: Program, index: str, site: Path, *wanted: str) -> Result:
    return pip.run("install", "--no-input", "--no-cache-dir", "--target", site, "--index-url", index, *wanted)


def uv_install(uv: Program, index: str, site: Path, *wanted: str) -> Result:
    python = ("--python", sys.executable)
    return uv.run("pip", "install", *python, "--target", site, "--default-index", index, *wanted)


INSTALL: Mapping[str, Callable[..., Result]] = {"pip": pip_install, "uv": uv_install}


def version_in(site: Path, module: str) -> str:
    """The version that an installed sample prints."""
    return (site / f"{module}.py").read_text().partition("'")[2].partition("'")[0]
