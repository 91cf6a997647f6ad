"""Conan 2, and Conan 1 with and without revisions, against private repositories of every shape."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.clients.programs import Program, Result, environment, path_of, program
from tests.clients.server import ADMIN, Server, free_port
from tests.clients.topology import SHAPES, Topology

KINDS = ("conan", "conan 1", "conan 1 without revisions")
PROFILE = "[settings]\nos=Linux\narch=x86_64\nbuild_type=Release\n"
RECIPE = """
import os
from conan import ConanFile
from conan.tools.files import copy

class Recipe(ConanFile):
    name = "{name}"
    version = "{version}"
    description = "The recipe of {name}"
    license = "MIT"
    homepage = "https://example.org/{name}"
    topics = ("sample", "headers")
    settings = {settings}
    exports_sources = "include/*"
    no_copy_source = True

    def package(self):
        places = [os.path.join(each, "include") for each in (self.source_folder, self.package_folder)]
        copy(self, "*.h", src=places[0], dst=places[1])

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
"""
SERVER_CONF = """
[server]
jwt_secret: a-secret-for-the-tests-of-32-characters
jwt_expire_minutes: 120
ssl_enabled: False
port: {port}
host_name: 127.0.0.1
authorize_timeout: 1800
disk_storage_path: {data}
disk_authorize_timeout: 1800
updown_secret: another-secret-of-at-least-32-characters

[write_permissions]
*/*@*/*: demo

[read_permissions]
*/*@*/*: *

[users]
demo: demo
"""
Login = tuple[str, str]


@dataclass
class Client:
    """A client with an empty cache of its own, logged in to one remote called `pakhus`."""

    kind: str
    program: Program
    url: str
    login: Login | None = ADMIN

    def __post_init__(self) -> None:
        self.home = self.program.home()
        self.old = self.kind != "conan"
        profiles = self.home / (".conan/profiles" if self.old else ".conan2/profiles")
        profiles.mkdir(parents=True)
        (profiles / "default").write_text(PROFILE)
        if self.old:
            revisions = "0" if "without" in self.kind else "1"
            self.run("config", "set", f"general.revisions_enabled={revisions}").ok()
        self.run("remote", "remove", "conancenter").ok()
        self.run("remote", "add", "pakhus", self.url).ok()
        if self.login:
            self.log_in(self.login).ok()

    def log_in(self, login: Login) -> Result:
        name, password = login
        if self.old:
            return self.run("user", name, "-p", password, "-r", "pakhus")
        return self.run("remote", "login", "pakhus", name, "-p", password)

    def run(self, *args: str | Path, cwd: Path | None = None) -> Result:
        return self.program.run(*args, cwd=cwd, home=self.home, env={"CONAN_NON_INTERACTIVE": "1"})

    def create(self, name: str, version: str, *, text: str = "1", settings: str = "()", owner: str = "") -> None:
        """A package with one header, made without a compiler; `settings` makes it differ from platform to platform."""
        project = self.home / f"{name}-{version}"
        (project / "include").mkdir(parents=True, exist_ok=True)
        (project / "include" / f"{name}.h").write_text(f"#define {name.upper()} {text}\n")
        (project / "conanfile.py").write_text(RECIPE.format(name=name, version=version, settings=settings))
        user, _, channel = owner.partition("/")
        named = (f"--user={user}", f"--channel={channel}") if owner else ()
        self.run("create", ".", *((f"{owner}",) if self.old and owner else () if self.old else named), cwd=project).ok()

    def upload(self, pattern: str, *more: str) -> Result:
        every = ("--all",) if self.old else ()
        return self.run("upload", pattern, *every, "-r", "pakhus", "-c", *more)

    def publish(self, name: str, version: str, **how: Any) -> None:
        self.create(name, version, **how)
        owner = how.get("owner", "")
        self.upload(f"{name}/{version}" + (f"@{owner}" if owner else "@" if self.old else "")).ok()

    def install(self, reference: str, *more: str | Path) -> Result:
        if self.old:
            return self.run("install", reference if "@" in reference else f"{reference}@", "-r", "pakhus", *more)
        return self.run("install", f"--requires={reference}", "-r", "pakhus", *more)

    def header(self, name: str) -> str:
        """The newest header of that name among the packages in the cache."""
        cache = self.home / (".conan/data" if self.old else ".conan2/p")
        found = [path for path in cache.rglob(f"{name}.h") if "export" not in str(path) and "/es/" not in str(path)]
        assert found, sorted(cache.rglob("*"))
        return max(found, key=lambda path: path.stat().st_mtime).read_text().split()[-1]

    def search(self, pattern: str) -> Result:
        return self.run("search", pattern, "-r", "pakhus")

    def listed(self, pattern: str) -> Any:
        """What `conan list` of Conan 2 finds in the remote."""
        return json.loads(self.run("list", pattern, "-r", "pakhus", "--format=json").ok().stdout)["pakhus"]


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("conan")


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    """`client("conan 1", url)`: that client with an empty cache."""

    def make(kind: str, url: str, **login: Any) -> Client:
        return Client(kind, program("conan1" if kind != "conan" else "conan", tmp_path), url, **login)

    return make


LISTEN = """
import sys
from conans.server.server_launcher import launcher
launcher.server.run(host=sys.argv[1], port=int(sys.argv[2]))
"""


@pytest.fixture
def reference_server(tmp_path: Path) -> Iterator[str]:
    """The URL of `conan_server`, which everybody may read, and `demo` may write."""
    python = path_of("conan_server").with_name("python")
    conf = tmp_path / "reference" / "server.conf"
    conf.parent.mkdir()
    port = free_port()
    conf.write_text(SERVER_CONF.format(port=port, data=conf.parent / "data"))
    env = {**environment(tmp_path), "CONAN_SERVER_HOME": str(conf.parent)}
    process = subprocess.Popen([python, "-c", LISTEN, "127.0.0.1", str(port)], env=env, cwd=tmp_path)
    url = f"http://127.0.0.1:{port}/"
    try:
        with httpx2.Client(trust_env=False) as asking:
            await_answer(asking, url + "v1/ping")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def await_answer(asking: httpx2.Client, url: str) -> None:
    """Another process's readiness can only be asked for."""
    deadline = time.monotonic() + 60
    while True:
        try:
            asking.get(url)
        except httpx2.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def called(kind: str, shape: str) -> str:
    return f"{kind.replace(' ', '')}-{shape}".lower()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_uploaded_is_found_and_installed_on_an_empty_cache(
    shapes: Topology, client: Callable[..., Client], proves: Callable[..., None], kind: str, shape: str
) -> None:
    proves("conan", kind, shape)
    name = called(kind, shape)
    header = name.replace("-", "")
    publisher = client(kind, shapes.url(shapes.source(shape)))
    publisher.publish(header, "1.0", text="one")
    publisher.publish(header, "1.1", text="two", settings='("os", "build_type")', owner="acme/stable")

    for _ in range(2):
        reader = client(kind, shapes.url(shape))
        assert f"{header}/1.1@acme/stable" in reader.search(f"{header}/*").ok().output
        reader.install(f"{header}/1.0").ok()
        assert reader.header(header) == "one"
        reader.install(f"{header}/1.1@acme/stable").ok()
        assert reader.header(header) == "two"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_installed_once_is_installed_again_without_the_upstream(
    shapes: Topology, client: Callable[..., Client], kind: str
) -> None:
    name = called(kind, "kept").replace("-", "")
    client(kind, shapes.url("upstream")).publish(name, "1.0", text="kept", settings='("os",)')
    client(kind, shapes.url("proxy")).install(f"{name}/1.0").ok()
    with shapes.cut_off():
        reader = client(kind, shapes.url("group"))
        reader.install(f"{name}/1.0").ok()
    assert reader.header(name) == "kept"


@pytest.mark.parametrize("kind", ("conan", "conan 1"))
def test_a_lockfile_brings_back_the_revision_that_was_locked(
    shapes: Topology, client: Callable[..., Client], kind: str
) -> None:
    name = called(kind, "locked").replace("-", "")
    publisher = client(kind, shapes.url("hosted"))
    publisher.publish(name, "1.0", text="before")
    reader = client(kind, shapes.url("group"))
    lock = reader.home / "conan.lock"
    asked = ("--reference", f"{name}/1.0@") if kind != "conan" else (f"--requires={name}/1.0", "-r", "pakhus")
    reader.run("lock", "create", *asked, "--lockfile-out", lock).ok()
    assert re.search(rf"{name}/1\.0#[0-9a-f]{{32}}", lock.read_text())
    publisher.publish(name, "1.0", text="after")

    locked = client(kind, shapes.url("nested"))
    locked.install(f"{name}/1.0", "--lockfile", lock).ok()
    assert locked.header(name) == "before"
    newest = client(kind, shapes.url("nested"))
    newest.install(f"{name}/1.0").ok()
    assert newest.header(name) == "after"


def test_a_group_lists_the_revisions_of_all_members_newest_first(
    shapes: Topology, client: Callable[..., Client]
) -> None:
    client("conan", shapes.url("hosted")).publish("merged", "1.0", text="here")
    client("conan", shapes.url("upstream")).publish("merged", "1.0", text="there", settings='("os",)')

    reader = client("conan", shapes.url("nested"))
    revisions = reader.listed("merged/1.0#*:*")["merged/1.0"]["revisions"]
    assert len(revisions) == 2
    assert all(revision["packages"] for revision in revisions.values())
    reader.install("merged/1.0").ok()
    assert reader.header("merged") == "there"


def test_a_listing_tells_the_settings_of_packages(shapes: Topology, client: Callable[..., Client]) -> None:
    client("conan", shapes.url("upstream")).publish("described", "1.0", settings='("os", "arch")')

    listed = client("conan", shapes.url("group")).listed("described/1.0:*")
    (revision,) = listed["described/1.0"]["revisions"].values()
    (package,) = revision["packages"].values()
    assert package["info"]["settings"] == {"os": "Linux", "arch": "x86_64"}


def test_conan_2_removes_packages_revisions_and_recipes(shapes: Topology, client: Callable[..., Client]) -> None:
    publisher = client("conan", shapes.url("hosted"))
    publisher.publish("removed", "1.0", text="first", settings='("os",)')
    publisher.publish("removed", "1.0", text="second", settings='("os",)')
    publisher.publish("removed", "2.0")
    reader = client("conan", shapes.url("group"))
    old, new = sorted(
        (found := reader.listed("removed/1.0#*")["removed/1.0"]["revisions"]), key=lambda each: found[each]["timestamp"]
    )

    publisher.run("remove", f"removed/1.0#{new}:*", "-r", "pakhus", "-c").ok()
    assert not reader.listed(f"removed/1.0#{new}:*")["removed/1.0"]["revisions"][new]["packages"]
    publisher.run("remove", f"removed/1.0#{new}", "-r", "pakhus", "-c").ok()
    assert set(reader.listed("removed/1.0#*")["removed/1.0"]["revisions"]) == {old}
    reader.install("removed/1.0").ok()
    assert reader.header("removed") == "first"
    publisher.run("remove", "removed/*", "-r", "pakhus", "-c").ok()
    assert "removed/" not in reader.search("removed/*").output.replace("removed/*", "")


@pytest.mark.parametrize("kind", KINDS[1:])
def test_conan_1_removes_packages_and_recipes(shapes: Topology, client: Callable[..., Client], kind: str) -> None:
    name = called(kind, "gone").replace("-", "")
    publisher = client(kind, shapes.url("hosted"))
    publisher.publish(name, "1.0", settings='("os",)')
    reader = client(kind, shapes.url("hosted"))
    assert "os: Linux" in reader.search(f"{name}/1.0@").ok().output

    publisher.run("remove", f"{name}/1.0@", "-p", "-f", "-r", "pakhus").ok()
    assert "There are no packages" in reader.search(f"{name}/1.0@").ok().output
    reader.install(f"{name}/1.0").refused()
    publisher.run("remove", f"{name}/1.0@", "-f", "-r", "pakhus").ok()
    assert "There are no packages" in reader.search(f"{name}/*").ok().output


def test_conan_1_without_revisions_replaces_what_it_uploaded(shapes: Topology, client: Callable[..., Client]) -> None:
    kind = KINDS[2]
    publisher = client(kind, shapes.url("hosted"))
    publisher.publish("replaced", "1.0", text="first")
    publisher.publish("replaced", "1.0", text="second")

    reader = client(kind, shapes.url("group"))
    reader.install("replaced/1.0").ok()
    assert reader.header("replaced") == "second"


def test_clients_with_and_without_revisions_share_recipes(shapes: Topology, client: Callable[..., Client]) -> None:
    client(KINDS[2], shapes.url("hosted")).publish("shared", "1.0", text="plain")
    reader = client("conan 1", shapes.url("hosted"))
    reader.install("shared/1.0").ok()
    assert reader.header("shared") == "plain"
    reader.publish("shared", "1.0", text="revised")
    plain = client(KINDS[2], shapes.url("hosted"))
    plain.install("shared/1.0").ok()
    assert plain.header("shared") == "revised"


@pytest.mark.parametrize("kind", ("conan", "conan 1"))
def test_a_reader_installs_and_is_refused_an_upload(shapes: Topology, client: Callable[..., Client], kind: str) -> None:
    name = called(kind, "guarded").replace("-", "")
    client(kind, shapes.url("hosted")).publish(name, "1.0")
    login = shapes.near.reader(f"reader-of-{name}", "conan", shapes.name("hosted"))
    reader = client(kind, shapes.url("hosted"), login=login)
    reader.install(f"{name}/1.0").ok()
    reader.create(name, "2.0")
    said = reader.upload(f"{name}/2.0" + ("@" if kind != "conan" else "")).refused().output
    assert "Permission denied" in said, said
    assert kind != "conan" or "lacks" in said


@pytest.mark.parametrize("kind", ("conan", "conan 1"))
def test_a_wrong_password_is_refused_and_a_user_token_is_taken(
    shapes: Topology, client: Callable[..., Client], kind: str
) -> None:
    someone = client(kind, shapes.url("hosted"), login=None)
    assert "Wrong user or password" in someone.log_in((ADMIN[0], "wrong")).refused().output
    someone.install("nothing/1.0").refused()
    name = called(kind, "token").replace("-", "")
    shapes.near.writer(f"writer-of-{name}", "conan", shapes.name("hosted"))
    someone.log_in(shapes.near.token(f"writer-of-{name}")).ok()
    someone.publish(name, "1.0")


def test_an_upload_of_a_revision_that_was_cut_off_can_be_tried_again(
    server: Server, client: Callable[..., Client]
) -> None:
    url = server.create("conan", "hosted", "conan-once", storage={"writePolicy": "ALLOW_ONCE"})
    publisher = client("conan", url)
    publisher.publish("retried", "1.0")
    (revision,) = publisher.listed("retried/1.0#*")["retried/1.0"]["revisions"]
    manifest = f"v2/conans/retried/1.0/_/_/revisions/{revision}/files/conanmanifest.txt"
    found = server.rest("GET", "/search/assets?repository=conan-once&name=retried").json()["items"]
    (asset,) = [item for item in found if item["path"].strip("/") == manifest]
    server.rest("DELETE", f"/assets/{asset['id']}")

    assert publisher.search("retried/*").output.count("retried/1.0") <= 2
    publisher.upload("retried/1.0").ok()
    client("conan", url).install("retried/1.0").ok()
    assert "does not allow updating" in publisher.upload("retried/1.0", "--force").refused().output


def test_a_proxy_of_the_reference_server_serves_every_client(
    server: Server, client: Callable[..., Client], reference_server: str
) -> None:
    client("conan", reference_server, login=("demo", "demo")).publish(
        "original", "1.0", text="kept", settings='("os",)'
    )
    url = server.create("conan", "proxy", "conan-reference", remote=reference_server)
    reader = client("conan", url)
    (revision,) = reader.listed("original/1.0:*")["original/1.0"]["revisions"].values()
    assert [package["info"]["settings"] for package in revision["packages"].values()] == [{"os": "Linux"}]
    reader.install("original/1.0").ok()
    assert reader.header("original") == "kept"
    for kind in KINDS[1:]:
        old = client(kind, url)
        assert "original/1.0" in old.search("original*").ok().output
        old.install("original/1.0", "--build", "missing").ok()
        assert old.header("original") == "kept"
