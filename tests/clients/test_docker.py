"""Images and artifacts through the clients of OCI registries: every shape, all private, by path, port and host name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.forwarding import forwarding_to
from tests.clients.images import layout
from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server, free_port
from tests.clients.topology import SHAPES, Topology

BEARER = {"docker": {"v1Enabled": False, "forceBasicAuth": False}}
PASSWORD = ADMIN[1]


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("docker", hosted=BEARER, proxy=BEARER, group=BEARER)


@dataclass
class Session:
    """A client with a home of its own, where its login lies."""

    program: Program
    home: Path
    run_root: Path
    proxy: str = ""

    @classmethod
    def of(cls, program: Program) -> Session:
        home = program.home()
        (home / "run").mkdir()
        return cls(program, home, Path(tempfile.mkdtemp(prefix="run-")))  # podman takes no long path

    def run(self, *args: str | Path, **options: object) -> Result:
        env = {
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "REGISTRY_AUTH_FILE": str(self.home / "auth.json"),
            "DOCKER_CONFIG": str(self.home / "docker"),
            "COSIGN_PASSWORD": "",
            "COSIGN_EXPERIMENTAL": "1",
        }
        if self.proxy:
            env |= {"HTTP_PROXY": self.proxy, "http_proxy": self.proxy, "NO_PROXY": "", "no_proxy": ""}
        return self.program.run(*args, home=self.home, env=env, **options)  # type: ignore[arg-type]


def host_of(shapes: Topology, shape: str) -> str:
    return urlsplit(shapes.url(shape)).netloc


def image_at(shapes: Topology, shape: str, rest: str) -> str:
    """How an image is named, by path."""
    return f"{host_of(shapes, shape)}/{shapes.name(shape)}/{rest}"


# -- Skopeo ---------------------------------------------------------------------------------------------------------


def skopeo_login(skopeo: Program, *hosts: str) -> Session:
    session = Session.of(skopeo)
    for host in hosts:
        session.run("login", "--tls-verify=false", "-u", ADMIN[0], "-p", PASSWORD, host).ok()
    return session


def pushed(skopeo: Program, shapes: Topology, shape: str, rest: str, tmp_path: Path) -> bytes:
    """Push an image to where a read through `shape` finds it; what is in its file."""
    source = shapes.source(shape)
    image, _, tag = rest.rpartition(":")
    body = f"{image} {tag} for {shape}".encode()
    folder = layout(tmp_path / f"layout-{shape}-{tag}", **{tag: {"hello": body}})
    session = skopeo_login(skopeo, host_of(shapes, source))
    target = f"docker://{image_at(shapes, source, rest)}"
    session.run("copy", "--dest-tls-verify=false", f"oci:{folder}:{tag}", target).ok()
    return body


@pytest.mark.parametrize("shape", SHAPES)
def test_what_skopeo_pushes_it_inspects_and_copies_back(
    shape: str, skopeo: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("docker", "skopeo", shape)
    pushed(skopeo, shapes, shape, f"skopeo/{shape}:1.0", tmp_path)
    session = skopeo_login(skopeo, host_of(shapes, shape))
    image = f"docker://{image_at(shapes, shape, f'skopeo/{shape}')}"

    said = json.loads(session.run("inspect", "--tls-verify=false", f"{image}:1.0").ok().stdout)
    assert said["RepoTags"] == ["1.0"]
    assert said["Labels"] == {"tag": "1.0"}
    listed = json.loads(session.run("list-tags", "--tls-verify=false", image).ok().stdout)
    assert listed["Tags"] == ["1.0"]
    session.run("copy", "--src-tls-verify=false", f"{image}@{said['Digest']}", f"dir:{tmp_path / 'copy'}").ok()
    assert (tmp_path / "copy" / "manifest.json").exists()


def test_skopeo_deletes_what_it_pushed(skopeo: Program, shapes: Topology, tmp_path: Path) -> None:
    pushed(skopeo, shapes, "hosted", "gone/image:1.0", tmp_path)
    session = skopeo_login(skopeo, host_of(shapes, "hosted"))
    image = f"docker://{image_at(shapes, 'hosted', 'gone/image:1.0')}"
    session.run("delete", "--tls-verify=false", image).ok()
    assert "manifest unknown" in session.run("inspect", "--tls-verify=false", image).refused().output.lower()


def test_without_a_login_nothing_is_pulled(skopeo: Program, shapes: Topology, tmp_path: Path) -> None:
    pushed(skopeo, shapes, "hosted", "private/image:1.0", tmp_path)
    session = Session.of(skopeo)
    image = f"docker://{image_at(shapes, 'hosted', 'private/image:1.0')}"
    said = session.run("inspect", "--tls-verify=false", image).refused().output
    assert "unauthorized" in said or "authentication required" in said


def test_anonymous_pulls_where_it_may(skopeo: Program, pakhus_server: Callable[..., Server], tmp_path: Path) -> None:
    server = pakhus_server("anonymous", PAKHUS_AUTH_ANONYMOUS_ENABLED="true")
    server.create("docker", "hosted", "images", **BEARER)
    folder = layout(tmp_path / "layout", one={"hello": b"world"})
    target = f"docker://{server.host}/images/app:one"
    session = skopeo_login(skopeo, server.host)
    session.run("copy", "--dest-tls-verify=false", f"oci:{folder}:one", target).ok()
    nobody = Session.of(skopeo)
    nobody.run("inspect", "--tls-verify=false", target).ok()
    nobody.run("copy", "--dest-tls-verify=false", f"oci:{folder}:one", target + "-more").refused()


def test_what_was_pulled_once_is_there_without_the_upstream(skopeo: Program, shapes: Topology, tmp_path: Path) -> None:
    pushed(skopeo, shapes, "proxy", "kept/image:1.0", tmp_path)
    session = skopeo_login(skopeo, host_of(shapes, "proxy"))
    image = f"docker://{image_at(shapes, 'group', 'kept/image:1.0')}"
    session.run("copy", "--src-tls-verify=false", image, f"dir:{tmp_path / 'first'}").ok()
    with shapes.cut_off():
        session.run("copy", "--src-tls-verify=false", image, f"dir:{tmp_path / 'second'}").ok()


def test_a_port_of_its_own_is_a_registry(
    skopeo: Program, crane: Program, pakhus_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = pakhus_server("ported")
    port = free_port()
    server.create("docker", "hosted", "ported", docker={"v1Enabled": True, "forceBasicAuth": True, "httpPort": port})
    host = f"127.0.0.1:{port}"
    folder = layout(tmp_path / "layout", one={"hello": b"world"})
    session = skopeo_login(skopeo, host)
    session.run("copy", "--dest-tls-verify=false", f"oci:{folder}:one", f"docker://{host}/app:one").ok()
    other = crane_login(crane, host)
    assert other.run("--insecure", "catalog", host).ok().stdout.split() == ["app"]
    assert other.run("--insecure", "ls", f"{host}/app").ok().stdout.split() == ["one"]


def test_a_host_name_is_a_registry(crane: Program, pakhus_server: Callable[..., Server], tmp_path: Path) -> None:
    server = pakhus_server("named")
    server.create(
        "docker", "hosted", "named", docker={"v1Enabled": False, "forceBasicAuth": False, "subdomain": "images"}
    )
    folder = layout(tmp_path / "layout", one={"hello": b"world"})
    host = f"images.pakhus.test:{server.port}"
    with forwarding_to(server.port) as proxy:
        session = crane_login(crane, host)
        session.proxy = proxy
        session.run("--insecure", "push", folder, f"{host}/team/app:one").ok()
        session.run("--insecure", "validate", "--remote", f"{host}/team/app:one").ok()
    assert server.get(f"{server.url}/v2/named/team/app/tags/list").json()["tags"] == ["one"]


# -- Crane ----------------------------------------------------------------------------------------------------------


def crane_login(crane: Program, host: str) -> Session:
    session = Session.of(crane)
    session.run("auth", "login", "-u", ADMIN[0], "-p", PASSWORD, host).ok()
    return session


@pytest.mark.parametrize("shape", SHAPES)
def test_what_crane_pushes_it_validates_and_lists(
    shape: str, crane: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("docker", "crane", shape)
    source = shapes.source(shape)
    folder = layout(tmp_path / "layout", one={"hello": shape.encode()})
    name = f"crane/{shape}"
    session = crane_login(crane, host_of(shapes, source))
    session.run("--insecure", "push", folder, image_at(shapes, source, f"{name}:1")).ok()
    session.run("--insecure", "tag", image_at(shapes, source, f"{name}:1"), "2").ok()

    session = crane_login(crane, host_of(shapes, shape))
    image = image_at(shapes, shape, name)
    session.run("--insecure", "validate", "--remote", f"{image}:1").ok()
    assert session.run("--insecure", "ls", image).ok().stdout.split() == ["1", "2"]
    if shape == "hosted":  # a proxy's list of images is as old as its settings allow
        listed = session.run("--insecure", "catalog", host_of(shapes, shape)).ok().stdout
        assert f"{shapes.name(shape)}/{name}" in listed
    exported = session.run("--insecure", "export", f"{image}:2", tmp_path / "files.tar").ok()
    assert exported.code == 0


def test_crane_copies_from_one_repository_to_another(
    crane: Program, pakhus_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = pakhus_server("copying")
    for name in ("staging", "release"):
        server.create("docker", "hosted", name, **BEARER)
    folder = layout(tmp_path / "layout", one={"hello": b"world"})
    session = crane_login(crane, server.host)
    session.run("--insecure", "push", folder, f"{server.host}/staging/app:1").ok()
    session.run("--insecure", "copy", f"{server.host}/staging/app:1", f"{server.host}/release/app:1").ok()
    session.run("--insecure", "validate", "--remote", f"{server.host}/release/app:1").ok()
    session.run("--insecure", "delete", f"{server.host}/release/app:1").ok()
    assert session.run("--insecure", "ls", f"{server.host}/staging/app").ok().stdout.split() == ["1"]


# -- Podman and Buildah ---------------------------------------------------------------------------------------------


def storage(session: Session) -> tuple[str, ...]:
    """Where it keeps images: nowhere but in its home."""
    return ("--storage-driver=vfs", f"--root={session.home / 'images'}", f"--runroot={session.run_root}")


@pytest.mark.parametrize("shape", SHAPES)
def test_podman_pulls_what_buildah_built_and_pushed(
    shape: str, podman: Program, buildah: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("docker", "podman", shape)
    proves("docker", "buildah", shape)
    source = shapes.source(shape)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nLABEL built=here\n")
    builder = Session.of(buildah)
    at = storage(builder)
    builder.run("login", "--tls-verify=false", "-u", ADMIN[0], "-p", PASSWORD, host_of(shapes, source)).ok()
    image = image_at(shapes, source, f"built/{shape}:1")
    builder.run(*at, "bud", "--isolation=chroot", "-t", image, tmp_path).ok()
    builder.run(*at, "push", "--tls-verify=false", image).ok()
    builder.run(*at, "manifest", "create", "many").ok()
    builder.run(*at, "manifest", "add", "many", image).ok()
    many = image_at(shapes, source, f"built/{shape}:many")
    builder.run(*at, "manifest", "push", "--all", "--tls-verify=false", "many", f"docker://{many}").ok()

    puller = Session.of(podman)
    at = storage(puller)
    puller.run("login", "--tls-verify=false", "-u", ADMIN[0], "-p", PASSWORD, host_of(shapes, shape)).ok()
    for tag in ("1", "many"):
        image = image_at(shapes, shape, f"built/{shape}:{tag}")
        puller.run(*at, "pull", "--tls-verify=false", image).ok()
        said = puller.run(*at, "image", "inspect", "--format", "{{.Labels.built}}", image).ok().stdout
        assert said.strip() == "here"
    search = puller.run(*at, "search", "--tls-verify=false", "--list-tags", image.rpartition(":")[0]).ok().stdout
    assert "many" in search


def test_podman_pushes_through_a_group_what_a_proxy_has_part_of(
    podman: Program, skopeo: Program, shapes: Topology, tmp_path: Path
) -> None:
    near = shapes.near
    members = ["docker-hosted", "docker-proxy"]
    options = {"group": {"writableMember": "docker-hosted"}, **BEARER}
    near.create("docker", "group", "docker-writable", members=members, **options)
    pushed(skopeo, shapes, "proxy", "base/image:1.0", tmp_path)
    session = Session.of(podman)
    at = storage(session)
    session.run("login", "--tls-verify=false", "-u", ADMIN[0], "-p", PASSWORD, near.host).ok()
    base = f"{near.host}/docker-writable/base/image:1.0"
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nCOPY Dockerfile /\n")
    mine = f"{near.host}/docker-writable/base/image:mine"
    session.run(*at, "build", "--isolation=chroot", "--tls-verify=false", "-t", mine, tmp_path).ok()
    session.run(*at, "push", "--tls-verify=false", mine).ok()
    assert near.get(f"{near.url}/v2/docker-hosted/base/image/tags/list").json()["tags"] == ["mine"]


# -- ORAS, Helm -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_oras_attaches_and_discovers(shape: str, oras: Program, shapes: Topology, proves: Callable[..., None]) -> None:
    proves("docker", "oras", shape)
    source = shapes.source(shape)
    session = Session.of(oras)
    for host in {host_of(shapes, source), host_of(shapes, shape)}:
        session.run("login", "--plain-http", "-u", ADMIN[0], "-p", PASSWORD, host).ok()
    (session.home / "data.txt").write_text(f"data for {shape}")
    (session.home / "sbom.json").write_text("{}")
    there = image_at(shapes, source, f"oras/{shape}:1")
    kind = "application/vnd.example.data"
    session.run("push", "--plain-http", "--artifact-type", kind, there, "data.txt", cwd=session.home).ok()
    sbom = "application/vnd.example.sbom"
    session.run("attach", "--plain-http", "--artifact-type", sbom, there, "sbom.json", cwd=session.home).ok()

    here = image_at(shapes, shape, f"oras/{shape}:1")
    found = session.run("discover", "--plain-http", "--format", "json", here).ok().stdout
    assert sbom in found
    target = session.home / "pulled"
    session.run("pull", "--plain-http", "-o", target, here).ok()
    assert (target / "data.txt").read_text() == f"data for {shape}"
    listed = session.run("repo", "tags", "--plain-http", here.rpartition(":")[0]).ok().stdout
    assert listed.split() == ["1"]


@pytest.mark.parametrize("shape", SHAPES)
def test_helm_keeps_charts_as_images(shape: str, helm: Program, shapes: Topology, proves: Callable[..., None]) -> None:
    proves("docker", "helm (OCI)", shape)
    source = shapes.source(shape)
    session = Session.of(helm)
    for host in {host_of(shapes, source), host_of(shapes, shape)}:
        session.run("registry", "login", "--plain-http", "-u", ADMIN[0], "-p", PASSWORD, host).ok()
    session.run("create", f"web-{shape}", cwd=session.home).ok()
    session.run("package", f"web-{shape}", cwd=session.home).ok()
    charts = f"oci://{image_at(shapes, source, 'charts')}"
    session.run("push", "--plain-http", f"web-{shape}-0.1.0.tgz", charts, cwd=session.home).ok()

    (session.home / "pulled").mkdir()
    chart = f"oci://{image_at(shapes, shape, f'charts/web-{shape}')}"
    session.run("pull", "--plain-http", chart, "--version", "0.1.0", "-d", session.home / "pulled").ok()
    assert f"name: web-{shape}" in session.run("show", "chart", "--plain-http", chart, "--version", "0.1.0").ok().stdout


# -- Cosign, Notation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["legacy", "oci-1-1"])
def test_cosign_verifies_what_it_signed(
    shape: str,
    mode: str,
    cosign: Program,
    skopeo: Program,
    shapes: Topology,
    tmp_path: Path,
    proves: Callable[..., None],
) -> None:
    proves("docker", "cosign", shape)
    source = shapes.source(shape)
    pushed(skopeo, shapes, shape, f"cosign/{mode}-{shape}:1.0", tmp_path)
    session = Session.of(cosign)
    for host in {host_of(shapes, source), host_of(shapes, shape)}:
        session.run("login", "-u", ADMIN[0], "-p", PASSWORD, host).ok()
    session.run("generate-key-pair", cwd=session.home).ok()
    there = image_at(shapes, source, f"cosign/{mode}-{shape}:1.0")
    plain = ("--allow-http-registry", "--allow-insecure-registry")
    options = ("--tlog-upload=false", "--yes", "--key", "cosign.key", f"--registry-referrers-mode={mode}")
    session.run("sign", *plain, *options, there, cwd=session.home).ok()

    here = image_at(shapes, shape, f"cosign/{mode}-{shape}:1.0")
    checks = ("--insecure-ignore-tlog=true", "--key", "cosign.pub")
    if mode == "oci-1-1":
        checks = (*checks, "--experimental-oci11")
    session.run("verify", *plain, *checks, here, cwd=session.home).ok()


@pytest.mark.parametrize("shape", SHAPES)
def test_notation_verifies_what_it_signed(
    shape: str, notation: Program, skopeo: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("docker", "notation", shape)
    source = shapes.source(shape)
    pushed(skopeo, shapes, shape, f"notation/{shape}:1.0", tmp_path)
    session = Session.of(notation)
    session.run("cert", "generate-test", "--default", "pakhus.test").ok()
    policy = {
        "version": "1.0",
        "trustPolicies": [
            {
                "name": "all",
                "registryScopes": ["*"],
                "signatureVerification": {"level": "strict"},
                "trustStores": ["ca:pakhus.test"],
                "trustedIdentities": ["*"],
            }
        ],
    }
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    session.run("policy", "import", tmp_path / "policy.json").ok()
    login = ("--insecure-registry", "-u", ADMIN[0], "-p", PASSWORD)
    session.run("sign", *login, image_at(shapes, source, f"notation/{shape}:1.0")).ok()
    here = image_at(shapes, shape, f"notation/{shape}:1.0")
    session.run("verify", *login, here).ok()
    assert "application/vnd.cncf.notary.signature" in session.run("ls", *login, here).ok().output
