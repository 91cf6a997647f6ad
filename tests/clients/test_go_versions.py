"""Which versions go sees: retracted and deprecated ones, majors in the path and without, and replacements."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients import test_go
from tests.clients.test_go import OWN, Workspace, publish, put
from tests.clients.topology import SHAPES, Topology
from tests.samples.go import archive, gomod, module_zip

shapes, workspace = test_go.shapes, test_go.workspace


def zipped(module: str, version: str, more: str, comment: str = "") -> bytes:
    """A module whose go.mod says more."""
    manifest = comment.encode() + gomod(module) + more.encode()
    package = module.rpartition("/")[2]
    code = f'package {package}\n\nconst Version = "{version}"\n'
    files = {"go.mod": manifest, f"{package}.go": code.encode()}
    return archive({f"{module}@{version}/{name}": content for name, content in files.items()})


@pytest.mark.parametrize("shape", SHAPES)
def test_retracted_versions_are_not_taken_and_deprecation_is_told(
    shape: str, workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    module, source = f"{OWN}/retracting{shape}", shapes.source(shape)
    publish(shapes, source, module, "v1.0.0")
    publish(shapes, source, module, "v1.1.0")
    retracting = zipped(
        module, "v1.2.0", "\nretract (\n\tv1.2.0 // published too early\n\tv1.1.0\n)\n", "// Deprecated: use another\n"
    )
    put(shapes, source, module, "v1.2.0", retracting)
    project = workspace(shape)

    versions = project.run("list", "-m", "-versions", module).ok().stdout.split()[1:]
    every = project.run("list", "-m", "-versions", "-retracted", module).ok().stdout.split()[1:]
    latest = project.version(f"{module}@latest")
    project.run("get", f"{module}@v1.2.0").ok()
    said = json.loads(project.run("list", "-m", "-u", "-retracted", "-json", module).ok().stdout)

    assert versions == ["v1.0.0"]
    assert every == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert latest == "v1.0.0"
    assert said["Retracted"] == ["published too early"]
    assert said["Deprecated"] == "use another"


@pytest.mark.parametrize("shape", SHAPES)
def test_majors_stand_in_the_path_and_incompatible_ones_do_not(
    shape: str, workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    module, source = f"{OWN}/majors{shape}", shapes.source(shape)
    publish(shapes, source, module, "v1.0.0")
    put(shapes, source, f"{module}/v2", "v2.3.0", zipped(f"{module}/v2", "v2.3.0", ""))
    publish(shapes, source, f"{module}/v3", "v3.0.0")
    package = f"majors{shape}old"
    bare = archive(
        {f"{OWN}/{package}@v4.1.0+incompatible/{package}.go": f'package {package}\nconst Version = "4"\n'.encode()}
    )
    put(shapes, source, f"{OWN}/{package}", "v4.1.0+incompatible", bare)
    project = workspace(shape)

    assert project.version(f"{module}@latest") == "v1.0.0"
    assert project.version(f"{module}/v2@latest") == "v2.3.0"
    assert project.version(f"{module}/v3@v3") == "v3.0.0"
    assert project.version(f"{OWN}/{package}@latest") == "v4.1.0+incompatible"
    project.run("get", f"{OWN}/{package}@v4").ok()
    assert project.prints(f"{OWN}/{package}") == "4"


@pytest.mark.parametrize("shape", SHAPES)
def test_queries_replacements_and_exclusions_find_their_versions(
    shape: str, workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    module, fork, source = f"{OWN}/asked{shape}", f"{OWN}/forked{shape}", shapes.source(shape)
    for version in ("v1.0.0", "v1.0.5", "v1.1.0", "v1.2.0-beta.2", "v1.2.0-beta.10"):
        publish(shapes, source, module, version)
    put(
        shapes,
        source,
        fork,
        "v0.9.0",
        module_zip(
            fork,
            "v0.9.0",
            **{
                f"asked{shape}.go": f'package asked{shape}\nconst Version = "forked"\n'.encode(),
                f"forked{shape}.go": f"package asked{shape}\n".encode(),
            },
        ),
    )
    project = workspace(shape)

    asked = {
        query: project.version(f"{module}@{query}") for query in ("v1.0", "<v1.1.0", ">=v1.0.1", "latest", ">v1.1.0")
    }
    assert asked == {
        "v1.0": "v1.0.5",
        "<v1.1.0": "v1.0.5",
        ">=v1.0.1": "v1.0.5",
        "latest": "v1.1.0",
        ">v1.1.0": "v1.2.0-beta.2",
    }

    project.run("mod", "edit", f"-require={module}@v1.0.0", f"-replace={module}={fork}@v0.9.0").ok()
    assert project.prints(module) == "forked"
