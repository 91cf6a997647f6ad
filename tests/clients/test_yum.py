"""dnf, with `repo_gpgcheck=1`, in every shape: what curl uploads, it finds, installs and upgrades."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.programs import Program
from tests.clients.rpms import Spec, built, machine, put
from tests.clients.topology import SHAPES, Topology


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("yum", proxy={"proxy": {"metadataMaxAge": 0}})


@pytest.mark.parametrize("shape", SHAPES)
def test_what_curl_puts_dnf_installs_with_its_dependencies(
    shape: str,
    dnf: Program,
    curl: Program,
    rpmbuild: Program,
    shapes: Topology,
    tmp_path: Path,
    proves: Callable[..., None],
) -> None:
    proves("yum", "dnf", shape)
    tool, library = f"tool-{shape}", f"library-{shape}"
    packages = built(rpmbuild, tmp_path, Spec(tool, lines=f"Requires: {library} >= 1:2"), Spec(library, "2.0", epoch=1))
    put(curl, shapes.url(shapes.source(shape)), *packages)
    here = machine(dnf, tmp_path / "root", shapes.url(shape))

    here.run("makecache").ok()
    here.run("install", tool).ok()

    assert here.has(f"/usr/share/{tool}/version")
    assert here.text(f"/usr/share/{library}/version") == "2.0"
