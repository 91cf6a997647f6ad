"""NuGet by its own clients: the .NET SDK speaks version 3, mono's nuget version 2; everything private."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.clients.dotnet import configured, mono_configured, mono_list, project, push, restore, restored
from tests.clients.programs import Program, Result
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream
from tests.samples.nuget_packages import nupkg

CORE, STANDARD = ".NETCoreApp,Version=v3.1", ".NETStandard,Version=v2.0"
GROUPS = (
    '<dependencies><group targetFramework=".NETCoreApp3.1"><dependency id="{core}" version="[1.0,2.0)" /></group>'
    '<group targetFramework=".NETStandard2.0"><dependency id="{standard}" version="1.0.0" /></group></dependencies>'
)
PROGRAM = "class P { static void Main() => System.Console.WriteLine(new Greeter().Hi()); }"
TWO_FRAMEWORKS = {"lib/netcoreapp3.1/_._": b"", "lib/netstandard2.0/_._": b""}


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("nuget")


def written(folder: Path, id: str, version: str, more: str = "", **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{id}.{version}.nupkg"
    file.write_bytes(nupkg(id, version, more, **options))  # type: ignore[arg-type]
    return file


@pytest.mark.parametrize("shape", SHAPES)
def test_what_dotnet_pushes_dotnet_restores(
    shape: str, dotnet: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "dotnet", shape)
    configured(tmp_path, shapes.url(shapes.source(shape), "index.json"))
    id = f"Acme.Lib.{shape}"
    push(dotnet, tmp_path, written(tmp_path / "dist", id, "1.0.0")).ok()
    configured(tmp_path / "app", shapes.url(shape, "index.json"))
    project(tmp_path / "app", (id, "1.0.0"))

    restore(dotnet, tmp_path / "app").ok()

    assert restored(tmp_path / "app")[CORE] == {f"{id}/1.0.0"}


def test_what_dotnet_packs_is_built_against(
    dotnet: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "dotnet", "hosted")
    library, app = tmp_path / "Greeter", tmp_path / "app"
    configured(tmp_path, shapes.url("hosted", "index.json"))
    more = {"Version": "1.2.0", "Authors": "Ada", "IncludeSymbols": "true", "SymbolPackageFormat": "snupkg"}
    project(library, code='public class Greeter { public string Hi() => "hi"; }', **more)
    dotnet.run("pack", "-o", tmp_path / "dist", cwd=library).ok()

    push(dotnet, tmp_path, tmp_path / "dist" / "Greeter.1.2.0.nupkg").ok()

    project(app, ("Greeter", "1.*"), code=PROGRAM, OutputType="Exe")
    assert "hi" in dotnet.run("run", "--framework", "netcoreapp3.1", cwd=app).ok().stdout
    place = "v3/content/greeter/1.2.0"
    assert shapes.near.get(shapes.url("hosted", f"{place}/greeter.1.2.0.snupkg")).status_code == 200


def test_each_framework_gets_its_dependencies_through_a_group(
    dotnet: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "dotnet", "group")
    configured(tmp_path / "here", shapes.url("hosted", "index.json"))
    configured(tmp_path / "there", shapes.url("upstream", "index.json"))
    groups = GROUPS.format(core="For.Core", standard="For.Standard")
    package = written(tmp_path, "Many.Frameworks", "1.0.0", groups, files=TWO_FRAMEWORKS)
    push(dotnet, tmp_path / "here", package).ok()
    for id, version in (("For.Core", "1.5.0"), ("For.Core", "1.0.0"), ("For.Core", "2.0.0"), ("For.Standard", "1.0.0")):
        push(dotnet, tmp_path / "there", written(tmp_path, id, version)).ok()
    configured(tmp_path / "app", shapes.url("nested", "index.json"))
    project(tmp_path / "app", ("Many.Frameworks", "1.0.0"), frameworks="netcoreapp3.1")

    restore(dotnet, tmp_path / "app").ok()

    assert restored(tmp_path / "app")[CORE] == {"Many.Frameworks/1.0.0", "For.Core/1.0.0"}


def test_outdated_packages_are_listed(
    dotnet: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "dotnet", "group")
    configured(tmp_path, shapes.url("hosted", "index.json"))
    for version in ("1.0.0", "1.1.0", "2.0.0-beta.1"):
        push(dotnet, tmp_path, written(tmp_path, "Old.Lib", version)).ok()
    configured(tmp_path / "app", shapes.url("group", "index.json"))
    project(tmp_path / "app", ("Old.Lib", "1.0.0"))
    home = dotnet.home()
    dotnet.run("restore", "--no-cache", cwd=tmp_path / "app", home=home).ok()

    said = dotnet.run("list", "package", "--outdated", cwd=tmp_path / "app", home=home).ok()
    early = dotnet.run("list", "package", "--outdated", "--include-prerelease", cwd=tmp_path / "app", home=home).ok()

    assert "1.1.0" in said.stdout and "2.0.0" not in said.stdout
    assert "2.0.0-beta.1" in early.stdout


def test_a_deleted_version_is_gone(
    dotnet: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "dotnet", "hosted")
    configured(tmp_path, shapes.url("hosted", "index.json"))
    push(dotnet, tmp_path, written(tmp_path, "Gone.Lib", "1.0.0")).ok()

    dotnet.run(
        "nuget", "delete", "Gone.Lib", "1.0.0", "-s", "local", "-k", "any", "--non-interactive", cwd=tmp_path
    ).ok()

    assert shapes.near.get(shapes.url("hosted", "v3/content/gone.lib/index.json")).status_code == 404
    assert shapes.near.get(shapes.url("hosted", "Gone.Lib/1.0.0")).status_code == 404


def test_a_refusal_is_read_in_the_terminal(dotnet: Program, shapes: Topology, tmp_path: Path) -> None:
    configured(tmp_path, shapes.url("hosted", "index.json"))
    bad = written(tmp_path, "Bad.Lib", "1.0.0", files={"Second.nuspec": b"<package/>"})

    said = push(dotnet, tmp_path, bad).refused()

    assert "more than one nuspec" in said.output


def test_what_is_there_is_skipped_when_told_so(dotnet: Program, shapes: Topology, tmp_path: Path) -> None:
    url = shapes.near.create("nuget", "hosted", "nuget-once", storage={"writePolicy": "ALLOW_ONCE"})
    configured(tmp_path, f"{url}index.json")
    package = written(tmp_path, "Once.Lib", "1.0.0")
    push(dotnet, tmp_path, package).ok()

    assert "already exists" in push(dotnet, tmp_path, package).refused().output
    push(dotnet, tmp_path, package, "--skip-duplicate").ok()


def test_without_credentials_nothing_is_restored(dotnet: Program, shapes: Topology, tmp_path: Path) -> None:
    configured(tmp_path / "publisher", shapes.url("hosted", "index.json"))
    push(dotnet, tmp_path / "publisher", written(tmp_path, "Secret.Lib", "1.0.0")).ok()
    configured(tmp_path / "app", shapes.url("hosted", "index.json"), user=None)
    project(tmp_path / "app", ("Secret.Lib", "1.0.0"))

    assert "401" in restore(dotnet, tmp_path / "app").refused().output


@pytest.mark.parametrize("shape", ["proxy", "group", "nested"])
def test_what_was_restored_once_is_there_without_the_upstream(
    shape: str, dotnet: Program, shapes: Topology, tmp_path: Path
) -> None:
    configured(tmp_path, shapes.url("upstream", "index.json"))
    id = f"Offline.{shape}"
    push(dotnet, tmp_path, written(tmp_path, id, "1.0.0")).ok()
    for app in ("before", "after"):
        configured(tmp_path / app, shapes.url(shape, "index.json"))
        project(tmp_path / app, (id, "1.0.0"))
    restore(dotnet, tmp_path / "before").ok()

    with shapes.cut_off():
        restore(dotnet, tmp_path / "after").ok()

    assert restored(tmp_path / "after")[CORE] == {f"{id}/1.0.0"}


@pytest.mark.live
def test_a_real_package_from_the_live_upstream_survives_its_loss(
    dotnet: Program, shapes: Topology, tmp_path: Path
) -> None:
    upstream = live_upstream("dotnet")
    try:
        httpx2.head(upstream, timeout=20)
    except httpx2.TransportError as unreachable:
        pytest.skip(f"dotnet's own upstream cannot be reached from here: {unreachable}")
    near = shapes.near
    near.create("nuget", "proxy", "nuget-live", remote=upstream)
    url = near.create("nuget", "group", "nuget-all", members=[shapes.name("hosted"), "nuget-live"])
    for app in ("before", "after"):
        configured(tmp_path / app, f"{url}index.json")
        project(tmp_path / app, ("Serilog.Sinks.File", "5.0.0"))
    restore(dotnet, tmp_path / "before").ok()

    near.change("nuget", "proxy", "nuget-live", httpClient={"blocked": True})
    restore(dotnet, tmp_path / "after").ok()

    assert restored(tmp_path / "after") == restored(tmp_path / "before")
    assert {"Serilog.Sinks.File/5.0.0", "Serilog/2.10.0"} <= restored(tmp_path / "after")[CORE]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_nuget_pushes_nuget_lists_and_installs(
    shape: str, nuget: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("nuget", "nuget (V2)", shape)
    id = f"Old.Style.{shape}"
    source, url = shapes.url(shapes.source(shape)), shapes.url(shape)
    dependency = written(tmp_path, f"{id}.Below", "0.5.0")
    more = f'<dependencies><dependency id="{id}.Below" version="0.5" /></dependencies>'
    home = nuget.home()
    mono_configured(home, there=source, here=url)

    def run(*args: str) -> Result:
        # This client takes every path for a relative one.
        return nuget.run(*args, "-NonInteractive", cwd=tmp_path, home=home)

    for package in (dependency, written(tmp_path, id, "1.0.0", more), written(tmp_path, id, "1.1.0-rc", more)):
        run("push", package.name, "any", "-Source", source).ok()

    listed = mono_list(nuget, home, id, "-Source", url).ok()
    every = mono_list(nuget, home, id, "-Source", url, "-AllVersions", "-Prerelease").ok()
    run("install", id, "-Source", url, "-OutputDirectory", "out").ok()

    assert f"{id} 1.0.0" in listed.stdout and "1.1.0-rc" not in listed.stdout
    assert f"{id} 1.1.0-rc" in every.stdout and f"{id} 1.0.0" in every.stdout
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [f"{id}.1.0.0", f"{id}.Below.0.5.0"]
