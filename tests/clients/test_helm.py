"""Helm, with its own defaults, in every shape: what curl publishes, it finds, pulls and renders."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.charts import added, chart_folder, cluster, keys, packaged
from tests.clients.programs import Program
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("helm", proxy={"proxy": {"metadataMaxAge": 0}})


def post(curl: Program, file: Path, url: str, path: str = "api/charts") -> None:
    curl.run("-sSf", "-u", ":".join(ADMIN), "--data-binary", f"@{file}", f"{url}{path}").ok()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_curl_posts_helm_finds_and_pulls(
    shape: str, helm: Program, curl: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("helm", "helm", shape)
    name = f"found-{shape}"
    for version in ("0.9.0", "0.10.0", "1.0.0-rc.1"):
        post(curl, packaged(helm, tmp_path, name, version), shapes.url(shapes.source(shape)))
    home = added(helm, shapes.url(shape))

    found = helm.run("search", "repo", f"mine/{name}", "--output", "json", home=home).ok()
    helm.run("pull", f"mine/{name}", "--untar", cwd=home, home=home).ok()
    helm.run("pull", f"mine/{name}", "--version", "0.9.0", cwd=home, home=home).ok()

    assert f'"name":"mine/{name}","version":"0.10.0"' in found.stdout
    assert "version: 0.10.0" in (home / name / "Chart.yaml").read_text()
    assert (home / f"{name}-0.9.0.tgz").read_bytes() == (tmp_path / f"{name}-0.9.0.tgz").read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_chart_is_rendered_straight_from_the_repository(
    shape: str, helm: Program, curl: Program, shapes: Topology, tmp_path: Path
) -> None:
    name = f"rendered-{shape}"
    post(curl, packaged(helm, tmp_path, name, "1.2.3"), shapes.url(shapes.source(shape)))
    home = added(helm, shapes.url(shape))

    with cluster() as env:
        for command in (("template",), ("install", "--dry-run=client", "--disable-openapi-validation")):
            said = helm.run(*command, "release", f"mine/{name}", home=home, env=env).ok()

            assert f"name: release-{name}" in said.stdout
            assert 'version: "1.2.3"' in said.stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signed_chart_is_pulled_and_verified(
    shape: str, helm: Program, curl: Program, gpg: Program, shapes: Topology, tmp_path: Path
) -> None:
    author, name = keys(gpg, tmp_path), f"signed-{shape}"
    chart = packaged(helm, tmp_path / "dist", name, "1.0.0", *author.signing)
    source = shapes.url(shapes.source(shape))
    post(curl, chart, source)
    post(curl, chart.with_name(f"{chart.name}.prov"), source, "api/prov")
    home = added(helm, shapes.url(shape))

    said = helm.run("pull", f"mine/{name}", "--verify", "--keyring", author.public, cwd=home, home=home).ok()

    assert "Chart Hash Verified: sha256:" in said.stdout
    assert (home / f"{chart.name}.prov").exists()


def test_a_chart_that_was_replaced_is_no_longer_vouched_for(
    helm: Program, curl: Program, gpg: Program, shapes: Topology, tmp_path: Path
) -> None:
    author = keys(gpg, tmp_path)
    chart = packaged(helm, tmp_path / "signed", "replaced", "1.0.0", *author.signing)
    for file in (chart, chart.with_name(f"{chart.name}.prov")):
        curl.run("-sSf", "-u", ":".join(ADMIN), "-T", file, shapes.url("hosted")).ok()
    other = packaged(helm, tmp_path / "other", "replaced", "1.0.0", values="changed: true")
    curl.run("-sSf", "-u", ":".join(ADMIN), "-T", other, shapes.url("hosted")).ok()
    home = added(helm, shapes.url("group"))

    said = helm.run("pull", "mine/replaced", "--verify", "--keyring", author.public, cwd=home, home=home).refused()

    assert "provenance" in said.output


@pytest.mark.parametrize("shape", SHAPES)
def test_dependencies_are_built_from_the_lock_file(
    shape: str, helm: Program, curl: Program, shapes: Topology, tmp_path: Path
) -> None:
    name = f"below-{shape}"
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        post(curl, packaged(helm, tmp_path, name, version), shapes.url(shapes.source(shape)))
    home = added(helm, shapes.url(shape))
    wanted = {"name": name, "version": "^1.0.0", "repository": shapes.url(shape)}
    parent = chart_folder(tmp_path / "source", "parent", "0.1.0", [wanted])
    helm.run("dependency", "update", parent, home=home).ok()
    locked = parent / "charts" / f"{name}-1.4.0.tgz"
    locked.unlink()

    helm.run("dependency", "build", parent, home=home).ok()

    assert locked.read_bytes() == (tmp_path / locked.name).read_bytes()


def test_without_credentials_there_is_no_repository(helm: Program, shapes: Topology) -> None:
    said = helm.run("repo", "add", "mine", shapes.url("hosted")).refused()

    assert "401" in said.output


@pytest.mark.parametrize("shape", ["proxy", "group", "nested"])
def test_what_was_pulled_once_is_there_without_the_upstream(
    shape: str, helm: Program, curl: Program, shapes: Topology, tmp_path: Path
) -> None:
    name = f"offline-{shape}"
    chart = packaged(helm, tmp_path, name, "1.0.0")
    post(curl, chart, shapes.url("upstream"))
    home = added(helm, shapes.url(shape))
    helm.run("pull", f"mine/{name}", cwd=helm.home(), home=home).ok()

    with shapes.cut_off():
        fresh = added(helm, shapes.url(shape))
        helm.run("pull", f"mine/{name}", cwd=fresh, home=fresh).ok()

    assert (fresh / chart.name).read_bytes() == chart.read_bytes()


@pytest.fixture
def webs(tmp_path: Path) -> Iterator[list[tuple[str, Path]]]:
    """Two folders on plain web servers, each with its URL."""
    servers, found = [], []
    for name in ("one", "two"):
        folder = tmp_path / "www" / name
        folder.mkdir(parents=True)
        web = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(SimpleHTTPRequestHandler, directory=str(folder)))
        threading.Thread(target=web.serve_forever, daemon=True).start()
        servers.append(web)
        found.append((f"http://127.0.0.1:{web.server_address[1]}/", folder))
    yield found
    for web in servers:
        web.shutdown()
        web.server_close()


def test_an_index_may_point_to_charts_on_another_host(
    helm: Program, gpg: Program, server: Server, webs: list[tuple[str, Path]], tmp_path: Path
) -> None:
    (index_url, index_folder), (files_url, files_folder) = webs
    author = keys(gpg, tmp_path)
    chart = packaged(helm, files_folder / "releases", "elsewhere", "1.0.0", *author.signing)
    helm.run("repo", "index", files_folder, "--url", files_url).ok()
    (files_folder / "index.yaml").rename(index_folder / "index.yaml")
    home = added(helm, server.at(server_proxy(server, "helm-elsewhere", index_url)))

    helm.run("pull", "mine/elsewhere", "--verify", "--keyring", author.public, cwd=home, home=home).ok()

    assert (home / chart.name).read_bytes() == chart.read_bytes()


def test_an_index_may_point_to_charts_in_folders_beside_it(
    helm: Program, server: Server, webs: list[tuple[str, Path]]
) -> None:
    url, folder = webs[0]
    chart = packaged(helm, folder / "archive", "beside", "1.0.0")
    helm.run("repo", "index", folder).ok()
    home = added(helm, server.at(server_proxy(server, "helm-beside", url)))

    helm.run("pull", "mine/beside", cwd=home, home=home).ok()

    assert (home / chart.name).read_bytes() == chart.read_bytes()


def test_a_chart_that_is_not_what_its_index_promised_is_not_served(
    helm: Program, server: Server, webs: list[tuple[str, Path]]
) -> None:
    url, folder = webs[0]
    chart = packaged(helm, folder, "tampered", "1.0.0")
    helm.run("repo", "index", folder).ok()
    chart.write_bytes(chart.read_bytes() + b"\0")
    home = added(helm, server.at(server_proxy(server, "helm-tampered", url)))

    helm.run("pull", "mine/tampered", cwd=home, home=home).refused()

    assert not (home / chart.name).exists()


def server_proxy(server: Server, name: str, remote: str) -> str:
    server.create("helm", "proxy", name, remote=remote)
    return name
