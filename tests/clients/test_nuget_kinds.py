"""What else a NuGet package may be than a library, and what else it says: tools, templates, frameworks, hidden ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients import test_nuget
from tests.clients.dotnet import configured, project, push, restore, restored
from tests.clients.programs import Program
from tests.clients.test_nuget import CORE, written
from tests.clients.topology import SHAPES, Topology

shapes = test_nuget.shapes

TEMPLATE = """\
{"author": "Ada", "classifications": ["Sample"], "identity": "Sample.Template", "name": "A sample",
 "shortName": "pakhus-sample", "tags": {"language": "C#", "type": "item"}}
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_a_tool_is_installed_and_run(shape: str, dotnet: Program, shapes: Topology, tmp_path: Path) -> None:
    source = shapes.url(shapes.source(shape), "index.json")
    configured(tmp_path, source)
    name = f"Say{shape.title()}"
    project(
        tmp_path / name,
        code='class P { static void Main() => System.Console.WriteLine("said"); }',
        OutputType="Exe",
        PackAsTool="true",
        ToolCommandName="say",
        Version="1.0.0",
        Authors="Ada",
    )
    dotnet.run("pack", "-o", tmp_path / "dist", cwd=tmp_path / name).ok()
    push(dotnet, tmp_path, tmp_path / "dist" / f"{name}.1.0.0.nupkg").ok()
    reader = configured(tmp_path / "reader", shapes.url(shape, "index.json")).parent

    dotnet.run("tool", "install", name, "--tool-path", tmp_path / "bin", cwd=reader).ok()

    said = Program("say", (str(tmp_path / "bin" / "say"),), tmp_path, dotnet.env).run().ok()
    assert said.stdout.strip() == "said"
    found = shapes.near.get(shapes.url(shape, f"v3/query?q={name}&packageType=DotnetTool")).json()["data"]
    assert [each["id"] for each in found] == [name]
    assert not shapes.near.get(shapes.url(shape, f"v3/query?q={name}&packageType=Template")).json()["data"]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_template_is_installed(shape: str, dotnet: Program, shapes: Topology, tmp_path: Path) -> None:
    configured(tmp_path, shapes.url(shapes.source(shape), "index.json"))
    types = '<packageTypes><packageType name="Template" /></packageTypes>'
    files = {"content/.template.config/template.json": TEMPLATE.encode(), "content/sample.txt": b"made\n"}
    id = f"Sample.Template.{shape}"
    push(dotnet, tmp_path, written(tmp_path, id, "1.0.0", types, files=files)).ok()
    reader = configured(tmp_path / "reader", shapes.url(shape, "index.json")).parent
    home = dotnet.home()

    dotnet.run("new", "-i", f"{id}::1.0.0", cwd=reader, home=home).ok()
    dotnet.run("new", "pakhus-sample", cwd=reader, home=home).ok()

    assert (reader / "sample.txt").read_text() == "made\n"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_newest_version_is_added_and_semver_2_is_understood(
    shape: str, dotnet: Program, shapes: Topology, tmp_path: Path
) -> None:
    configured(tmp_path, shapes.url(shapes.source(shape), "index.json"))
    id = f"Added.{shape}"
    below = f'<dependencies><dependency id="Below.{shape}" version="1.0.0-alpha.1" exclude="Build" /></dependencies>'
    push(dotnet, tmp_path, written(tmp_path, f"Below.{shape}", "1.0.0-alpha.1+meta")).ok()
    for version in ("1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"):
        push(dotnet, tmp_path, written(tmp_path, id, version, below)).ok()
    app = configured(tmp_path / "app", shapes.url(shape, "index.json")).parent
    project(app)

    dotnet.run("add", "package", id, cwd=app).ok()

    assert restored(app)[CORE] == {f"{id}/1.10.0", f"Below.{shape}/1.0.0-alpha.1"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hidden_version_is_restored_by_who_names_it(
    shape: str, dotnet: Program, shapes: Topology, tmp_path: Path
) -> None:
    configured(tmp_path, shapes.url(shapes.source(shape), "index.json"))
    id = f"Hidden.{shape}"
    for version in ("0.9.0", "1.0.0", "1.1.0"):
        push(dotnet, tmp_path, written(tmp_path, id, version)).ok()
    server = shapes.far if shapes.source(shape) == "upstream" else shapes.near
    answer = server.http.post(shapes.url(shapes.source(shape), f"{id}/1.1.0?listed=false"))
    assert answer.status_code == 200, answer.text
    app = configured(tmp_path / "app", shapes.url(shape, "index.json")).parent
    project(app, (id, "[1.1.0]"))
    outdated = configured(tmp_path / "outdated", shapes.url(shape, "index.json")).parent
    project(outdated, (f"{id}", "0.9.0"))

    restore(dotnet, app).ok()
    home = dotnet.home()
    dotnet.run("restore", "--no-cache", cwd=outdated, home=home).ok()
    said = dotnet.run("list", "package", "--outdated", cwd=outdated, home=home).ok().stdout

    assert restored(app)[CORE] == {f"{id}/1.1.0"}
    assert "1.0.0" in said and "1.1.0" not in said
