"""Fixtures of the client tests: servers, the shapes of a format on them, and the real clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients import daemons, matrix, programs, topology
from tests.clients.server import Server

LONGEST = 600.0
"""Seconds that a test with a real client may take: Maven on a cold cache."""


def pytest_itemcollected(item: pytest.Item) -> None:
    if Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.client)
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONGEST))


@pytest.fixture(scope="module")
def pakhus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts servers, each with a fresh data directory and the settings given as `PAKHUS_…` variables."""
    started: list[Server] = []

    def start(name: str = "server", **settings: str) -> Server:
        server = Server(tmp_path_factory.mktemp(name), settings=settings)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()
        server.http.close()


@pytest.fixture(scope="module")
def server(pakhus_server: Callable[..., Server]) -> Server:
    """One server for the tests of a module; they keep apart by the names of their repositories."""
    return pakhus_server()


@pytest.fixture(scope="module")
def shapes_of(pakhus_server: Callable[..., Server]) -> Callable[..., topology.Topology]:
    """`shapes_of("npm")`: that format in every shape on two servers, made once a module."""
    pair: list[Server] = []
    built: dict[str, topology.Topology] = {}

    def make(format: str, **settings: dict[str, Any]) -> topology.Topology:
        if not pair:
            pair.extend((pakhus_server("near"), pakhus_server("far")))
        if format not in built:
            built[format] = topology.build(format, *pair, **settings)
        return built[format]

    return make


@pytest.fixture(scope="module")
def docker_engine() -> Iterator[daemons.Daemon]:
    """One Docker engine for the tests of a module; images stay apart by their names."""
    with daemons.docker() as daemon:
        yield daemon


@pytest.fixture
def proves(request: pytest.FixtureRequest) -> Callable[[str, str, str], None]:
    """`proves("npm", "pnpm", "proxy")` says which cell of the README's table this test stands for."""

    def note(format: str, client: str, shape: str) -> None:
        request.node.user_properties.append((matrix.PROPERTY, [format, client, shape]))

    return note


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the servers said."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            servers = (
                [value] if isinstance(value, Server) else [getattr(value, "near", None), getattr(value, "far", None)]
            )
            for one in servers:
                if isinstance(one, Server):
                    report.sections.append((f"log of {name} at {one.url}", one.said()))


def client_fixture(name: str) -> Any:
    @pytest.fixture(name=name)
    def client(tmp_path: Path) -> programs.Program:
        return programs.program(name, tmp_path)

    return client


curl, git, go = (client_fixture(name) for name in ("curl", "git", "go"))
npm, pnpm, yarn, berry = (client_fixture(name) for name in ("npm", "pnpm", "yarn", "berry"))
pip, uv, twine, poetry, build = (client_fixture(name) for name in ("pip", "uv", "twine", "poetry", "build"))
mvn = client_fixture("mvn")
cargo = client_fixture("cargo")
helm, gpg = client_fixture("helm"), client_fixture("gpg")
nexus3, nexus_api = client_fixture("nexus3"), client_fixture("nexus_api")
dotnet, nuget = client_fixture("dotnet"), client_fixture("nuget")
dnf, rpmbuild, createrepo_c = (client_fixture(name) for name in ("dnf", "rpmbuild", "createrepo_c"))
skopeo, crane, oras = client_fixture("skopeo"), client_fixture("crane"), client_fixture("oras")
podman, buildah = client_fixture("podman"), client_fixture("buildah")
cosign, notation = client_fixture("cosign"), client_fixture("notation")
docker, ctr = client_fixture("docker"), client_fixture("ctr")
