"""Images through the Docker engine and containerd: every shape, all private."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import daemons
from tests.clients.daemons import Daemon
from tests.clients.images import layout
from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server, free_port
from tests.clients.topology import SHAPES, Topology

Settings = dict[str, Any]
BEARER: Settings = {"docker": {"v1Enabled": False, "forceBasicAuth": False}}
LOGIN = f"{ADMIN[0]}:{ADMIN[1]}"


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("docker", hosted=BEARER, proxy=BEARER, group=BEARER)


@pytest.fixture(scope="module")
def containerd() -> Iterator[Daemon]:
    with daemons.containerd() as daemon:
        yield daemon


@dataclass(frozen=True)
class Docker:
    """`docker` with a home of its own, where its logins lie."""

    program: Program
    engine: Daemon
    home: Path

    def run(self, *args: str | Path, stdin: str | None = None) -> Result:
        env = {**self.engine.env, "DOCKER_CONFIG": str(self.home / "docker"), "DOCKER_BUILDKIT": "0"}
        return self.program.run(*args, home=self.home, env=env, stdin=stdin)

    def login(self, *hosts: str) -> None:
        for host in dict.fromkeys(hosts):
            self.run("login", "--username", ADMIN[0], "--password-stdin", host, stdin=ADMIN[1]).ok()

    def built(self, image: str, words: str) -> None:
        """An image with one file; no two of different words share a layer."""
        folder = self.home / "context"
        folder.mkdir(exist_ok=True)
        (folder / "words").write_text(words)
        (folder / "Dockerfile").write_text(f'FROM scratch\nCOPY words /\nLABEL words="{words}"\nCMD ["/words"]\n')
        self.run("build", "-t", image, folder).ok()

    def pushed(self, image: str) -> str:
        """The digest under which it is there now."""
        said = self.run("push", image).ok().stdout
        return said.partition("digest: ")[2].split()[0]

    def forget(self, *images: str) -> None:
        self.run("image", "rm", "--force", *images).ok()

    def label(self, image: str) -> str:
        return self.run("image", "inspect", "--format", "{{.Config.Labels.words}}", image).ok().stdout.strip()


@pytest.fixture(name="docker")
def docker_client(docker: Program, docker_engine: Daemon) -> Docker:
    return Docker(docker, docker_engine, docker.home())


def host_of(shapes: Topology, shape: str) -> str:
    return urlsplit(shapes.url(shape)).netloc


def image_at(shapes: Topology, shape: str, rest: str) -> str:
    return f"{host_of(shapes, shape)}/{shapes.name(shape)}/{rest}"


@pytest.mark.parametrize("shape", SHAPES)
def test_docker_pulls_by_tag_and_digest_what_it_built_and_pushed(
    shape: str, docker: Docker, shapes: Topology, proves: Callable[..., None]
) -> None:
    proves("docker", "docker", shape)
    source = shapes.source(shape)
    docker.login(host_of(shapes, source), host_of(shapes, shape))
    there, here = (image_at(shapes, each, f"engine/{shape}") for each in (source, shape))
    docker.built(f"{there}:1", shape)
    digest = docker.pushed(f"{there}:1")
    docker.forget(f"{there}:1")

    docker.run("pull", f"{here}:1").ok()
    assert docker.label(f"{here}:1") == shape
    docker.forget(f"{here}:1")
    docker.run("pull", f"{here}@{digest}").ok()
    assert docker.label(f"{here}@{digest}") == shape
    told = json.loads(docker.run("manifest", "inspect", "--insecure", f"{here}:1").ok().stdout)
    assert told["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


@pytest.mark.parametrize("shape", SHAPES)
def test_docker_pulls_a_list_of_images_that_it_pushed(shape: str, docker: Docker, shapes: Topology) -> None:
    source = shapes.source(shape)
    docker.login(host_of(shapes, source), host_of(shapes, shape))
    there, here = (image_at(shapes, each, f"listed/{shape}") for each in (source, shape))
    docker.built(f"{there}:own", f"list for {shape}")
    docker.pushed(f"{there}:own")
    docker.run("manifest", "create", "--insecure", f"{there}:many", f"{there}:own").ok()
    docker.run("manifest", "push", "--insecure", f"{there}:many").ok()
    docker.forget(f"{there}:own")

    docker.run("pull", f"{here}:many").ok()
    assert docker.label(f"{here}:many") == f"list for {shape}"


def test_docker_pushes_and_pulls_all_tags(docker: Docker, shapes: Topology) -> None:
    docker.login(host_of(shapes, "hosted"))
    image = image_at(shapes, "hosted", "engine/tagged")
    images = [f"{image}:{tag}" for tag in ("1.0", "1.1", "latest")]
    for each in images:
        docker.built(each, each.rpartition(":")[2])
    docker.run("push", "--all-tags", image).ok()
    docker.forget(*images)

    docker.run("pull", "--all-tags", image).ok()
    assert [docker.label(each) for each in images] == ["1.0", "1.1", "latest"]


def test_docker_mounts_layers_that_the_server_has_elsewhere(docker: Docker, shapes: Topology) -> None:
    docker.login(host_of(shapes, "hosted"))
    first, second = (image_at(shapes, "hosted", f"mounted/{name}:1") for name in ("first", "second"))
    docker.built(first, "mounted")
    docker.pushed(first)
    docker.run("tag", first, second).ok()

    assert "Mounted from docker-hosted/mounted/first" in docker.run("push", second).ok().stdout


def test_after_logout_docker_pulls_and_pushes_nothing(docker: Docker, shapes: Topology) -> None:
    host, image = host_of(shapes, "hosted"), image_at(shapes, "hosted", "engine/private:1")
    docker.login(host)
    docker.built(image, "private")
    docker.pushed(image)
    docker.run("logout", host).ok()

    for verb in ("push", "pull"):
        said = docker.run(verb, image).refused().output.lower()
        assert "unauthorized" in said or "authentication" in said or "no basic auth" in said


def test_a_wrong_password_is_no_login(docker: Docker, shapes: Topology) -> None:
    host = host_of(shapes, "hosted")
    said = docker.run("login", "--username", ADMIN[0], "--password-stdin", host, stdin="wrong").refused().output
    assert "unauthorized" in said.lower()


@pytest.mark.parametrize("type", ["hosted", "group"])
def test_docker_searches_a_port_that_speaks_version_1_and_pulls_there(
    type: str, docker: Docker, pakhus_server: Callable[..., Server]
) -> None:
    server = pakhus_server(f"searched-{type}")
    port = free_port()
    spoken: Settings = {"docker": {"v1Enabled": True, "forceBasicAuth": True, "httpPort": port}}
    server.create("docker", "hosted", "images", **(spoken if type == "hosted" else BEARER))
    if type == "group":
        server.create("docker", "group", "all", members=["images"], **spoken)
    docker.login(server.host, f"127.0.0.1:{port}")
    docker.built(f"{server.host}/images/team/wanted:1", "wanted")
    docker.pushed(f"{server.host}/images/team/wanted:1")

    assert "team/wanted" in docker.run("search", f"127.0.0.1:{port}/want").ok().stdout
    assert "team/wanted" not in docker.run("search", f"127.0.0.1:{port}/other").ok().stdout
    docker.forget(f"{server.host}/images/team/wanted:1")
    docker.run("pull", f"127.0.0.1:{port}/team/wanted:1").ok()


def test_docker_pulls_without_a_login_where_anybody_may(docker: Docker, pakhus_server: Callable[..., Server]) -> None:
    server = pakhus_server("anonymous", PAKHUS_AUTH_ANONYMOUS_ENABLED="true")
    server.create("docker", "hosted", "open", **BEARER)
    image = f"{server.host}/open/app:1"
    docker.login(server.host)
    docker.built(image, "anonymous")
    docker.pushed(image)
    docker.run("logout", server.host).ok()
    docker.forget(image)

    docker.run("pull", image).ok()
    docker.run("tag", image, f"{server.host}/open/app:2").ok()
    docker.run("push", f"{server.host}/open/app:2").refused()


# -- containerd -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_ctr_pulls_what_it_pushed(
    shape: str, ctr: Program, containerd: Daemon, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("docker", "ctr", shape)
    there, here = (image_at(shapes, each, f"ctr/{shape}") for each in (shapes.source(shape), shape))
    packed = tmp_path / "image.tar"
    with tarfile.open(packed, "w") as archive:
        archive.add(layout(tmp_path / "layout", one={"hello": f"ctr {shape}".encode()}), arcname="")

    def images(*args: str | Path) -> Result:
        return ctr.run("images", *args, env=containerd.env)

    plain = ("--plain-http", "--user", LOGIN, "--platform", "linux/amd64")
    images("import", "--no-unpack", "--all-platforms", "--base-name", there, packed).ok()
    images("push", *plain, f"{there}:one").ok()
    images("rm", "--sync", f"{there}:one").ok()

    refused = images("pull", "--plain-http", "--snapshotter", "native", f"{here}:one").refused().output
    assert "401" in refused or "unauthorized" in refused.lower() or "authorization failed" in refused
    images("pull", *plain, "--snapshotter", "native", f"{here}:one").ok()
    assert f"{here}:one" in images("list", "--quiet").ok().stdout.split()
