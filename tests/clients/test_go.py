"""go against private repositories of every shape, over TLS: without it go sends no credentials."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pakhus.formats.go import modulezip
from tests.clients import install, topology
from tests.clients.checksums import Checksums
from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server
from tests.clients.tls import SecureServer
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream, said
from tests.samples.go import archive, at, gomod, module_zip

OWN = "example.com"
"""Where the modules of these tests have their names; a real database of checksums knows none of them."""

Login = tuple[str, str]


@dataclass
class Workspace:
    """A project of go's with nothing in its cache of modules. `login` stands in a netrc."""

    go: Program
    folder: Path
    proxy: str
    trusts: Path
    login: Login | None = ADMIN
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.go.home()
        self.folder.mkdir(parents=True)
        (self.folder / "go.mod").write_text("module example.com/project\n\ngo 1.21\n")
        if self.login:
            host = self.proxy.split("/")[2].rpartition("@")[2]
            netrc = self.home / ".netrc"
            netrc.write_text("machine {} login {} password {}\n".format(host, *self.login))
            netrc.chmod(0o600)

    def run(self, *args: str, cwd: Path | None = None) -> Result:
        env = {
            "GOPROXY": self.proxy,
            "GONOSUMDB": OWN,
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-modcacherw -mod=mod",
            "GOPATH": str(self.home / "go"),
            "GOENV": "off",
            "GOTELEMETRY": "off",
            "CGO_ENABLED": "0",
            # The standard library is compiled once; modules are told apart by their content.
            "GOCACHE": str(install.CACHE / "go-build"),
            "SSL_CERT_FILE": str(self.trusts),
            "SSL_CERT_DIR": "/nonexistent",
            **self.env,
        }
        return self.go.run(*args, cwd=cwd or self.folder, env=env, home=self.home)

    def download(self, module: str) -> dict[str, Any]:
        return dict(json.loads(self.run("mod", "download", "-json", module).ok().stdout))

    def version(self, query: str) -> str:
        return str(json.loads(self.run("list", "-m", "-json", query).ok().stdout)["Version"])

    def prints(self, module: str) -> str:
        """What a program says that imports the module."""
        package = module.rpartition("/")[2].partition("@")[0]
        source = f'package main\n\nimport "{module}"\n\nfunc main() {{ println({package}.Version) }}\n'
        (self.folder / "main.go").write_text(source)
        return self.run("run", ".").ok().stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    near = SecureServer(tmp_path_factory.mktemp("near") / "data")
    far = Server(tmp_path_factory.mktemp("far") / "data")
    near.start()
    far.start()
    try:
        yield topology.build("go", near, far)
    finally:
        for server in (near, far):
            server.stop()
            server.http.close()


@pytest.fixture
def workspace(go: Program, tmp_path: Path, shapes: Topology) -> Callable[..., Workspace]:
    """`workspace("proxy")`: a new project that takes its modules from that repository."""
    made: list[Workspace] = []

    def make(shape: str, *, proxy: str = "", **more: Any) -> Workspace:
        assert isinstance(shapes.near, SecureServer)
        folder = tmp_path / f"project-{len(made)}"
        made.append(Workspace(go, folder, proxy or shapes.url(shape), shapes.near.chain, **more))
        return made[-1]

    return make


def publish(shapes: Topology, repository: str, module: str, version: str, *requires: str, **more: bytes) -> bytes:
    body = module_zip(module, version, *requires, **more)
    put(shapes, repository, module, version, body)
    return body


def put(shapes: Topology, repository: str, module: str, version: str, body: bytes) -> None:
    server = shapes.far if repository == "upstream" else shapes.near
    answer = server.put(shapes.url(repository, at(module, version, ".zip")), body)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_published_is_downloaded_and_used(
    shape: str, workspace: Callable[..., Workspace], shapes: Topology, proves: Callable[..., None]
) -> None:
    proves("go", "go", shape)
    module = f"{OWN}/Acme/{shape}used"
    for version in ("v1.9.0", "v1.10.0", "v1.11.0-RC.1"):
        publish(shapes, shapes.source(shape), module, version)

    project = workspace(shape)
    found = project.download(f"{module}@v1.9.0")
    assert Path(found["Dir"], "README.md").read_text() == f"# {shape}used\n"
    assert project.run("list", "-m", "-versions", module).ok().stdout.split()[1:] == [
        "v1.9.0",
        "v1.10.0",
        "v1.11.0-RC.1",
    ]
    project.run("get", f"{module}@v1.9.0").ok()
    assert project.prints(module) == "v1.9.0"
    project.run("get", "-u", module).ok()
    assert project.prints(module) == "v1.10.0"
    assert project.version(f"{module}@v1.11.0-RC.1") == "v1.11.0-RC.1"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_program_is_installed_with_what_it_requires(
    shape: str, workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    library, tool = f"{OWN}/{shape}library/v2", f"{OWN}/{shape}tool"
    publish(shapes, shapes.source(shape), library, "v2.0.1")
    put(shapes, shapes.source(shape), tool, "v0.1.0", program(tool, "v0.1.0", library, "v2.0.1"))

    project = workspace(shape)
    project.run("install", f"{tool}@latest").ok()

    assert installed(project, f"{shape}tool").run().ok().stderr.strip() == "v2.0.1"


def program(module: str, version: str, library: str, required: str) -> bytes:
    """The zip of a program that prints what the library says."""
    package = library.rpartition("/")[2]
    main = f'package main\n\nimport "{library}"\n\nfunc main() {{ println({package}.Version) }}\n'
    files = {"go.mod": gomod(module, f"{library} {required}"), "main.go": main.encode()}
    return archive({f"{module}@{version}/{name}": content for name, content in files.items()})


def installed(project: Workspace, name: str) -> Program:
    return Program(name, (str(project.home / "go/bin" / name),), project.go.scratch)


@pytest.mark.parametrize("shape", ("hosted", "proxy", "nested"))
def test_commits_are_versions_too(shape: str, workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/commits{shape}"
    older, newer = "v0.0.0-20240501120000-0123456789ab", "v0.0.0-20250501120000-fedcba987654"
    for version in (newer, older):
        publish(shapes, shapes.source(shape), module, version)

    project = workspace(shape)
    assert project.run("list", "-m", "-versions", module).ok().stdout.split() == [module]
    assert project.version(f"{module}@latest") == newer
    assert project.version(f"{module}@0123456789ab") == older
    assert project.version(f"{module}@{older}") == older
    project.run("get", f"{module}@{older}").ok()
    assert project.prints(module) == older


def test_releases_are_preferred_to_prereleases_in_a_group(
    workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    module = f"{OWN}/preferred"
    publish(shapes, "hosted", module, "v1.2.0-rc.1")
    publish(shapes, "hosted", module, "v1.3.1-0.20250501120000-fedcba987654")
    project = workspace("group")
    assert project.version(f"{module}@latest") == "v1.2.0-rc.1"

    publish(shapes, "upstream", module, "v1.1.0")

    shapes.near.rest("POST", f"/repositories/{shapes.name('proxy')}/invalidate-cache")
    assert workspace("nested").version(f"{module}@latest") == "v1.1.0"


def test_modules_are_required_across_members(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    publish(shapes, "upstream", f"{OWN}/far/library", "v1.0.0")
    tool = f"{OWN}/near/application"
    put(shapes, "hosted", tool, "v1.0.0", program(tool, "v1.0.0", f"{OWN}/far/library", "v1.0.0"))

    project = workspace("group")
    project.run("install", f"{tool}@v1.0.0").ok()

    assert installed(project, "application").run().ok().stderr.strip() == "v1.0.0"


def test_a_kept_module_outlives_its_upstream(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/outlives"
    publish(shapes, "upstream", module, "v1.0.0")
    workspace("nested").run("get", f"{module}@latest").ok()

    with shapes.cut_off():
        project = workspace("nested")
        project.run("get", f"{module}@latest").ok()
        assert project.prints(module) == "v1.0.0"


def test_the_hashes_are_those_of_go(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/hashed"
    more = {"sub/a_test.go": b"package sub\n", "sub.go": b"package hashed\n", "\u00e9t\u00e9.txt": b"x"}
    body = publish(shapes, "hosted", module, "v1.0.0", **more)

    found = workspace("hosted").download(f"{module}@v1.0.0")

    assert modulezip.zip_hash(io.BytesIO(body)) == found["Sum"]
    assert modulezip.gomod_hash(gomod(module)) == found["GoModSum"]


def test_a_zip_of_gits_making_is_published_as_the_manual_says(
    workspace: Callable[..., Workspace], shapes: Topology, git: Program, tmp_path: Path
) -> None:
    """Such a zip has entries for folders, which go takes into its hash."""
    module, source, home = f"{OWN}/own/web", tmp_path / "source", git.home()
    (source / "sub").mkdir(parents=True)
    (source / "go.mod").write_bytes(gomod(module))
    (source / "web.go").write_text('package web\n\nconst Version = "from git"\n')
    (source / "sub/sub.go").write_text("package sub\n")
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=me", "-c", "user.email=me@example.org", "commit", "--quiet", "-m", "Begin"),
        ("tag", "v1.2.0"),
        ("archive", f"--prefix={module}@v1.2.0/", "-o", "web.zip", "v1.2.0"),
    ):
        git.run(*command, cwd=source, home=home).ok()
    put(shapes, "hosted", module, "v1.2.0", (source / "web.zip").read_bytes())

    project = workspace("hosted")
    found = project.download(f"{module}@v1.2.0")
    project.run("get", f"{module}@v1.2.0").ok()

    assert project.prints(module) == "from git"
    assert modulezip.zip_hash(io.BytesIO((source / "web.zip").read_bytes())) == found["Sum"]


def test_the_rest_upload_reads_the_module_from_the_zip(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/Acme/uploaded"
    body = module_zip(module, "v1.0.0")
    address = f"/components?repository={shapes.name('hosted')}"

    files = {"go.asset": ("any.zip", body, "application/zip")}
    wrong = shapes.near.http.post(f"/service/rest/v1{address}", files=files, data={"version": "v1.0.1"})
    assert wrong.status_code == 400
    assert "v1.0.0" in wrong.text
    shapes.near.rest("POST", address, files=files, data={"version": "v1.0.0"})

    assert workspace("nested").version(f"{module}@latest") == "v1.0.0"
    found = shapes.near.rest("GET", f"/search?repository={shapes.name('hosted')}&name={module}").json()["items"]
    assert [(each["name"], each["version"]) for each in found] == [(module, "v1.0.0")]
    assert len(found[0]["assets"]) == 3


def test_a_zip_that_go_could_not_extract_is_refused_with_the_reason(shapes: Topology) -> None:
    body = module_zip(f"{OWN}/refused", "v1.0.0", **{"aux.go": b"package refused\n"})

    answer = shapes.near.put(shapes.url("hosted", at(f"{OWN}/refused", "v1.0.0", ".zip")), body)

    assert answer.status_code == 400
    assert "reserved on Windows" in answer.text


def test_a_stranger_gets_nothing(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/secret"
    publish(shapes, "hosted", module, "v1.0.0")

    said = workspace("group", login=None).run("get", f"{module}@v1.0.0").refused()
    assert "401" in said.stderr
    said = workspace("group", login=("admin", "wrong")).run("get", f"{module}@v1.0.0").refused()
    assert "401" in said.stderr


def test_credentials_may_stand_in_the_proxys_address(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/addressed"
    publish(shapes, "hosted", module, "v1.0.0")
    reader = shapes.near.reader("go-reader", "go", shapes.name("hosted"))

    project = workspace("hosted", proxy=shapes.login_url("hosted", user=reader), login=None)
    project.run("get", f"{module}@v1.0.0").ok()
    token = shapes.near.token()
    project = workspace("hosted", proxy=shapes.login_url("hosted", user=token), login=None)
    project.run("get", f"{module}@v1.0.0").ok()

    answer = shapes.near.put(shapes.url("hosted", at(f"{OWN}/intruder", "v1.0.0", ".zip")), b"", auth=reader)
    assert answer.status_code == 403


def test_go_prints_why_there_is_nothing(workspace: Callable[..., Workspace]) -> None:
    said = workspace("group").run("get", f"{OWN}/none@v1.0.0").refused()

    assert "404 Not Found" in said.stderr
    assert "server response:" in said.stderr
    assert "go-group" in said.stderr


def test_go_asks_its_next_proxy_for_what_is_not_here(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/next"
    publish(shapes, "upstream", module, "v1.0.0")

    both = f"{shapes.url('hosted')},{shapes.url('proxy')}"

    workspace("hosted", proxy=both).run("get", f"{module}@v1.0.0").ok()


def test_a_removed_version_is_gone(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/removed"
    for version in ("v1.0.0", "v1.1.0"):
        publish(shapes, "hosted", module, version)
    gone = shapes.near.http.delete(shapes.url("hosted", at(module, "v1.1.0", ".zip")))
    assert gone.status_code == 204

    project = workspace("group")
    assert project.version(f"{module}@latest") == "v1.0.0"
    project.run("get", f"{module}@v1.1.0").refused()


DATABASE = "sums.example.invalid"


@pytest.fixture(scope="module")
def static(shapes: Topology) -> Callable[[str, bytes], None]:
    """Puts a file into an upstream that is nothing but files; `go-static` is a proxy of it, `go-relaying` a group."""
    far, near = shapes.far, shapes.near
    upstream = far.create("raw", "hosted", "go-files")
    login = far.reader("go-files-reader", "raw", "go-files")
    near.create("go", "proxy", "go-static", remote=upstream, login=login, negativeCache={"enabled": False})
    near.create("go", "group", "go-relaying", members=[shapes.name("hosted"), "go-static"])

    def put(path: str, body: bytes) -> None:
        assert far.put(far.at("go-files", path), body).status_code == 201

    return put


def sums(module: str, version: str, body: bytes) -> Checksums:
    """A database that knows what go.sum has to say of one module."""
    zip_hash, mod_hash = modulezip.zip_hash(io.BytesIO(body)), modulezip.gomod_hash(gomod(module))
    lines = (f"{module} {version} {zip_hash}", f"{module} {version}/go.mod {mod_hash}")
    return Checksums(DATABASE, module, version, lines)


def test_checksums_are_verified_by_the_relayed_database(
    workspace: Callable[..., Workspace], shapes: Topology, static: Callable[[str, bytes], None]
) -> None:
    module = f"{OWN}/summed"
    body = publish(shapes, "hosted", module, "v1.0.0")
    database = sums(module, "v1.0.0", body)
    for path, content in database.files().items():
        static(f"sumdb/{DATABASE}/{path}", content)
    env = {"GONOSUMDB": "", "GOSUMDB": database.key}
    url = shapes.near.at("go-relaying")

    workspace("group", proxy=url, env=env).run("get", f"{module}@v1.0.0").ok()

    with shapes.cut_off():
        workspace("group", proxy=url, env=env).run("get", f"{module}@v1.0.0").ok()
    publish(shapes, "hosted", module, "v1.0.0", **{"more.go": b"package summed\n"})
    said = workspace("group", proxy=url, env=env).run("get", f"{module}@v1.0.0").refused()
    assert "SECURITY ERROR" in said.stderr


def test_where_no_database_is_relayed_go_asks_it_itself(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    module = f"{OWN}/unknown"
    body = publish(shapes, "hosted", module, "v1.0.0")
    env = {"GONOSUMDB": "", "GOSUMDB": sums(module, "v1.0.0", body).key}

    said = workspace("hosted", env=env).run("get", f"{module}@v1.0.0").refused()

    assert f"https://{DATABASE}/" in said.stderr


def test_a_branch_is_asked_again(
    workspace: Callable[..., Workspace], shapes: Topology, static: Callable[[str, bytes], None]
) -> None:
    module, url = f"{OWN}/branched", shapes.near.at("go-relaying")
    commits = ("v0.0.0-20240501120000-0123456789ab", "v0.0.0-20250501120000-fedcba987654")
    for commit in commits:
        info = json.dumps({"Version": commit, "Time": "2025-05-01T12:00:00Z"}).encode()
        static(f"{module}/@v/{commit}.info", info)
        static(f"{module}/@v/{commit}.mod", gomod(module))
        static(f"{module}/@v/{commit}.zip", module_zip(module, commit))
    for commit in commits:
        static(f"{module}/@v/main.info", json.dumps({"Version": commit}).encode())
        shapes.near.rest("POST", "/repositories/go-static/invalidate-cache")

        project = workspace("group", proxy=url)
        project.run("get", f"{module}@main").ok()

        assert project.prints(module) == commit


@pytest.mark.live
def test_a_module_from_the_live_upstream_survives_its_loss(
    workspace: Callable[..., Workspace], shapes: Topology
) -> None:
    near, module = shapes.near, "rsc.io/quote"
    near.create("go", "proxy", "go-live", remote=live_upstream("go") + "/")
    near.create("go", "group", "go-live-group", members=[shapes.name("hosted"), "go-live"])
    tool = f"{OWN}/quoting"
    main = b'package main\n\nimport "rsc.io/quote"\n\nfunc main() { println(quote.Go()) }\n'
    files = {"go.mod": gomod(tool, f"{module} v1.5.2"), "main.go": main}
    body = archive({f"{tool}@v1.0.0/{name}": content for name, content in files.items()})
    put(shapes, "hosted", tool, "v1.0.0", body)
    url = near.at("go-live-group")
    database = said("go", "env", "GOSUMDB").split()[0].partition("+")[0]

    first = workspace("group", proxy=url)
    first.run("get", f"{module}@v1.5.2").ok()
    first.run("install", f"{tool}@latest").ok()

    near.change("go", "proxy", "go-live", httpClient={"blocked": True})
    again = workspace("group", proxy=url)
    again.run("get", f"{module}@v1.5.2").ok()
    again.run("install", f"{tool}@latest").ok()

    for relayed in ("supported", f"lookup/{module}@v1.5.2"):
        assert near.get(near.at("go-live-group", f"sumdb/{database}/{relayed}")).status_code == 200
    assert "sharing memory" in installed(again, "quoting").run().ok().stderr


@pytest.mark.live
def test_a_zip_of_gos_own_making_is_published_as_it_is(workspace: Callable[..., Workspace], shapes: Topology) -> None:
    near = shapes.near
    near.create("go", "proxy", "go-mirrored", remote=live_upstream("go") + "/")
    modules = (
        "github.com/BurntSushi/toml@v1.4.0",
        "gopkg.in/yaml.v2@v2.4.0",
        "github.com/dgrijalva/jwt-go@v3.2.0+incompatible",
    )
    mirror = workspace("group", proxy=near.at("go-mirrored"))
    own = workspace("hosted", env={"GONOSUMDB": "*"})
    for each in modules:
        found = mirror.download(each)
        put(shapes, "hosted", found["Path"], found["Version"], Path(found["Zip"]).read_bytes())

        again = own.download(each)

        assert (again["Sum"], again["GoModSum"]) == (found["Sum"], found["GoModSum"])
