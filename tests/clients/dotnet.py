"""Projects and configurations of .NET on disk, and how dotnet and mono's nuget are called."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN

CONFIG = """\
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources><clear />{sources}</packageSources>
  <packageSourceCredentials>{logins}</packageSourceCredentials>
</configuration>
"""
PROJECT = """\
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFrameworks>{frameworks}</TargetFrameworks>
    <EnableDefaultItems>{code}</EnableDefaultItems>
    <GenerateAssemblyInfo>false</GenerateAssemblyInfo>
    {properties}
  </PropertyGroup>
  <ItemGroup>{references}</ItemGroup>
</Project>
"""


def configured(folder: Path, url: str, *, user: tuple[str, str] | None = ADMIN) -> Path:
    """A `nuget.config` in `folder` whose only source, `local`, is the repository."""
    return _written(folder / "nuget.config", {"local": url}, user)


def mono_configured(home: Path, **urls: str) -> Path:
    """The configuration of mono's nuget: it looks for the credentials of a source by its URL."""
    return _written(home / ".config" / "NuGet" / "NuGet.Config", urls, ADMIN)


def mono_list(nuget: Program, home: Path, *args: str) -> Result:
    """`nuget list` in a terminal: without one it believes in lines of no width and prints empty ones for ever."""
    typed = f"stty cols 160; exec {shlex.join((*nuget.command, 'list', *args))}"
    return replace(nuget, command=("script", "-qec", typed, "/dev/null")).run(home=home, timeout=60)


def _written(file: Path, urls: Mapping[str, str], user: tuple[str, str] | None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    sources = "".join(f'<add key="{name}" value="{url}" />' for name, url in urls.items())
    logins = ""
    if user:
        login = f'<add key="Username" value="{user[0]}" /><add key="ClearTextPassword" value="{user[1]}" />'
        logins = "".join(f"<{name}>{login}</{name}>" for name in urls)
    file.write_text(CONFIG.format(sources=sources, logins=logins))
    return file


def project(
    folder: Path, *references: tuple[str, str], frameworks: str = "netcoreapp3.1", code: str = "", **properties: str
) -> Path:
    """A project that needs these packages; with `code` it can be packed."""
    folder.mkdir(parents=True, exist_ok=True)
    if code:
        (folder / "Code.cs").write_text(code)
    file = folder / f"{folder.name}.csproj"
    file.write_text(
        PROJECT.format(
            frameworks=frameworks,
            code="true" if code else "false",
            properties="".join(f"<{key}>{value}</{key}>" for key, value in properties.items()),
            references="".join(f'<PackageReference Include="{id}" Version="{v}" />' for id, v in references),
        )
    )
    return file


def push(dotnet: Program, folder: Path, package: Path, *more: str, key: str = "any") -> Result:
    """Push to the source of the `nuget.config` in `folder`."""
    return dotnet.run("nuget", "push", package, "-s", "local", "-k", key, *more, cwd=folder)


def restore(dotnet: Program, folder: Path, *more: str) -> Result:
    return dotnet.run("restore", "--no-cache", *more, cwd=folder)


def restored(folder: Path) -> dict[str, Any]:
    """Framework → what was resolved for it (`Id/1.0.0`), from the project's assets file."""
    assets = json.loads((folder / "obj" / "project.assets.json").read_text())
    return {framework: set(found) for framework, found in assets["targets"].items()}
