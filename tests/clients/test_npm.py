"""npm, pnpm, yarn classic and yarn berry against private repositories of every shape."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pty
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import Program, Result, environment, program
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream

CLIENTS = ("npm", "pnpm", "yarn", "berry")
Login = tuple[str, str]


def basic(login: Login) -> str:
    return base64.b64encode(":".join(login).encode()).decode()


@dataclass
class Client:
    """A client in a project of its own, set up for one registry with Basic credentials or a token."""

    program: Program
    url: str
    project: Path
    login: Login | None = ADMIN
    token: str = ""

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True)
        self.home = self.program.home()
        # A project of yarn's is the nearest directory with a lock file or a manifest.
        self.write("package.json", {"name": "project", "version": "1.0.0", "private": True})
        getattr(self, f"set_up_{'berry' if self.program.name == 'berry' else 'npmrc'}")()

    def set_up_npmrc(self) -> None:
        below = self.url.removeprefix("http:")
        lines = [f"registry={self.url}", "fetch-retries=0", "audit=false", "fund=false"]
        if self.token:
            lines.append(f"{below}:_authToken={self.token}")
        elif self.login:
            lines.append(f"{below}:_auth={basic(self.login)}")
        if self.program.name == "yarn":
            lines.append("always-auth=true")
        if self.program.name == "pnpm":
            lines += ["minimum-release-age=0", "verify-deps-before-run=false"]
        (self.home / ".npmrc").write_text("\n".join(lines) + "\n")
        (self.project / "pnpm-workspace.yaml").write_text("minimumReleaseAge: 0\n")

    def set_up_berry(self) -> None:
        lines = [f'npmRegistryServer: "{self.url}"', f'npmPublishRegistry: "{self.url}"', "npmAlwaysAuth: true"]
        lines += ["npmMinimalAgeGate: 0", "unsafeHttpWhitelist: [127.0.0.1]", "nodeLinker: node-modules"]
        lines += ["enableTelemetry: false", "httpRetry: 0", "enableImmutableInstalls: false"]
        if self.token:
            lines.append(f"npmAuthToken: {self.token}")
        elif self.login:
            lines.append(f'npmAuthIdent: "{basic(self.login)}"')
        (self.project / ".yarnrc.yml").write_text("\n".join(lines) + "\n")
        (self.project / "yarn.lock").write_text("")

    def write(self, file: str, content: object) -> None:
        (self.project / file).write_text(content if isinstance(content, str) else json.dumps(content))

    def run(self, *args: str) -> Result:
        return self.program.run(*args, cwd=self.project, home=self.home)

    def type(self, answers: Mapping[str, str], *args: str) -> Result:
        """Run it at a terminal and answer what it asks there."""
        near, far = pty.openpty()
        command = (*self.program.command, *args)
        env = {**environment(self.home), **self.program.env}
        process = subprocess.Popen(command, cwd=self.project, env=env, stdin=far, stdout=far, stderr=far)
        os.close(far)
        said, asked = "", dict(answers)
        with contextlib.suppress(OSError):  # a terminal nobody writes to any more is an error, not an end
            while chunk := os.read(near, 4096):
                said += chunk.decode(errors="replace")
                for prompt in [prompt for prompt in asked if f"{prompt}:" in said]:
                    os.write(near, f"{asked.pop(prompt)}\n".encode())
        os.close(near)
        return Result(command, process.wait(60), said, "")

    def publish(self, name: str, version: str, *, tag: str = "", **more: Any) -> Result:
        self.write("package.json", {"name": name, "version": version, "main": "index.js", "license": "MIT", **more})
        self.write("index.js", f"module.exports = {json.dumps(version)}\n")
        self.write("README.md", f"# {name}\n")
        tagged = ("--tag", tag) if tag else ()
        command = {
            "npm": ("publish", *tagged),
            "pnpm": ("publish", "--no-git-checks", *tagged),
            "yarn": ("publish", "--non-interactive", "--new-version", version, *tagged),
            "berry": ("npm", "publish", *tagged),
        }[self.program.name]
        if self.program.name == "berry":
            self.run("install").ok()
        return self.run(*command)

    def add(self, *packages: str) -> Result:
        return self.run("install" if self.program.name == "npm" else "add", *packages)

    def installed(self, name: str) -> str:
        """The version of an installed package, as its package.json says."""
        modules = self.project / "node_modules"
        # pnpm keeps what the project itself does not depend on below `.pnpm`.
        places = [modules / name, *modules.glob(f".pnpm/*/node_modules/{name}")]
        place = next(place for place in places if place.exists())
        return str(json.loads((place / "package.json").read_text())["version"])


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("npm")


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    """`client("pnpm", url)`: that client in a new project."""
    made: list[Client] = []

    def make(name: str, url: str, **login: Any) -> Client:
        made.append(Client(program(name, tmp_path), url, tmp_path / f"project-{len(made)}", **login))
        return made[-1]

    return make


def packument(server: Server, repository: str, name: str) -> Any:
    answer = server.get(server.at(repository, name))
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(shape: str, tool: str) -> tuple[str, str]:
    return f"{tool}-{shape}-plain", f"@acme-{shape}/{tool}"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tool", CLIENTS)
def test_what_a_client_publishes_it_installs(
    tool: str, shape: str, client: Callable[..., Client], shapes: Topology, proves: Callable[..., None]
) -> None:
    proves("npm", tool, shape)
    for name in names(shape, tool):
        publisher = client(tool, shapes.url(shapes.source(shape)))
        publisher.publish(name, "1.0.0").ok()
        publisher.publish(name, "1.1.0-rc.1", tag="next").ok()

        reader = client(tool, shapes.url(shape))
        reader.add(name).ok()
        assert reader.installed(name) == "1.0.0"
        reader.add(f"{name}@next").ok()
        assert reader.installed(name) == "1.1.0-rc.1"


@pytest.mark.parametrize("tool", CLIENTS)
def test_links_stay_in_the_repository_that_was_asked(
    tool: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"@links/{tool}"
    client(tool, shapes.url("upstream")).publish(name, "1.0.0").ok()

    for shape in ("proxy", "nested"):
        document = packument(shapes.near, shapes.name(shape), name)
        url = document["versions"]["1.0.0"]["dist"]["tarball"]
        assert url == shapes.url(shape, f"{name}/-/{tool}-1.0.0.tgz")
        assert shapes.near.get(url).status_code == 200


@pytest.mark.parametrize("tool", CLIENTS)
def test_a_user_token_reads_and_publishes(
    tool: str, client: Callable[..., Client], shapes: Topology, proves: Callable[..., None]
) -> None:
    proves("npm", tool, "hosted")
    login = shapes.near.writer(f"npm-token-{tool}", "npm", shapes.name("hosted"))
    token = logged_in(shapes.near, shapes.url("hosted"), login)
    name = f"with-token-{tool}"
    someone = client(tool, shapes.url("hosted"), token=token)

    someone.publish(name, "1.0.0").ok()
    reader = client(tool, shapes.url("hosted"), token=token)
    reader.add(name).ok()

    assert reader.installed(name) == "1.0.0"


def logged_in(server: Server, url: str, login: Login) -> str:
    """What the legacy login of npm and yarn gets."""
    user = {"_id": f"org.couchdb.user:{login[0]}", "name": login[0], "password": login[1], "type": "user"}
    answer = server.put(f"{url}-/user/org.couchdb.user:{login[0]}", json.dumps(user).encode(), auth=None)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.mark.parametrize("tool", CLIENTS)
def test_nobody_reads_or_publishes_without_credentials(
    tool: str, client: Callable[..., Client], shapes: Topology
) -> None:
    client(tool, shapes.url("hosted")).publish(f"secret-{tool}", "1.0.0").ok()
    stranger = client(tool, shapes.url("group"), login=None)

    stranger.add(f"secret-{tool}").refused()
    stranger.publish(f"intruder-{tool}", "1.0.0").refused()

    assert shapes.near.get(shapes.url("hosted", f"intruder-{tool}")).status_code == 404


def test_npm_says_how_to_log_in(client: Callable[..., Client], shapes: Topology) -> None:
    said = client("npm", shapes.url("hosted"), token="NpmToken.wrong").add("anything").refused()

    assert "E401" in said.stderr
    assert "npm login" in said.stderr


@pytest.mark.parametrize("tool", CLIENTS)
def test_a_reader_may_not_publish(tool: str, client: Callable[..., Client], shapes: Topology) -> None:
    login = shapes.near.reader(f"npm-reader-{tool}", "npm", shapes.name("hosted"))

    said = client(tool, shapes.url("hosted"), login=login).publish(f"refused-{tool}", "1.0.0").refused()

    assert f"npm-reader-{tool}" in said.output or "403" in said.output, said.transcript()


def test_publishing_through_a_group_reaches_its_writable_member(
    client: Callable[..., Client], shapes: Topology
) -> None:
    url = shapes.near.create(
        "npm",
        "group",
        "npm-writable",
        members=[shapes.name("hosted"), shapes.name("proxy")],
        group={"writableMember": shapes.name("hosted")},
    )
    client("npm", url).publish("through-group", "1.0.0").ok()
    deprecated = client("npm", url)
    deprecated.run("deprecate", "through-group@1.0.0", "too old").ok()

    document = packument(shapes.near, shapes.name("hosted"), "through-group")
    assert document["versions"]["1.0.0"]["deprecated"] == "too old"


def test_a_proxy_takes_no_publication(client: Callable[..., Client], shapes: Topology) -> None:
    assert "405" in client("npm", shapes.url("proxy")).publish("to-a-proxy", "1.0.0").refused().output


def test_dist_tags_are_listed_moved_and_removed(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"))
    npm.publish("@tags/web", "1.0.0").ok()
    npm.publish("@tags/web", "2.0.0").ok()

    npm.run("dist-tag", "add", "@tags/web@1.0.0", "stable").ok()
    assert npm.run("dist-tag", "ls", "@tags/web").ok().stdout.split("\n")[:2] == ["latest: 2.0.0", "stable: 1.0.0"]
    npm.run("dist-tag", "add", "@tags/web@1.0.0", "latest").ok()
    npm.run("dist-tag", "rm", "@tags/web", "stable").ok()

    assert npm.run("dist-tag", "ls", "@tags/web").ok().stdout.strip() == "latest: 1.0.0"
    refused = npm.run("dist-tag", "rm", "@tags/web", "latest").refused()
    assert "cannot be removed" in refused.output
    npm.run("dist-tag", "add", "@tags/web@9.9.9", "none").refused()


def test_yarn_classic_and_berry_know_tags(client: Callable[..., Client], shapes: Topology) -> None:
    yarn = client("yarn", shapes.url("hosted"))
    yarn.publish("yarn-tags", "1.0.0").ok()
    yarn.run("tag", "add", "yarn-tags@1.0.0", "one").ok()
    assert "one: 1.0.0" in yarn.run("tag", "list", "yarn-tags").ok().stdout
    berry = client("berry", shapes.url("hosted"))
    berry.run("npm", "tag", "add", "yarn-tags@1.0.0", "two").ok()
    assert "two" in berry.run("npm", "tag", "list", "yarn-tags").ok().stdout
    berry.run("npm", "tag", "remove", "yarn-tags", "two").ok()
    yarn.run("tag", "remove", "yarn-tags", "one").ok()
    assert packument(shapes.near, shapes.name("hosted"), "yarn-tags")["dist-tags"] == {"latest": "1.0.0"}


def test_deprecation_is_seen_by_whoever_installs(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"))
    npm.publish("old-web", "1.0.0").ok()
    npm.publish("old-web", "2.0.0").ok()
    npm.run("deprecate", "old-web@<2", "use version 2").ok()

    said = client("npm", shapes.url("nested")).add("old-web@1.0.0").ok()
    assert "use version 2" in said.output
    npm.run("deprecate", "old-web@1.0.0", "").ok()

    versions = packument(shapes.near, shapes.name("hosted"), "old-web")["versions"]
    assert not any("deprecated" in manifest for manifest in versions.values())


def test_unpublishing_a_version_leaves_the_others(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"))
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        npm.publish("@gone/web", version).ok()

    npm.run("unpublish", "@gone/web@2.0.0").ok()

    document = packument(shapes.near, shapes.name("group"), "@gone/web")
    assert set(document["versions"]) == {"1.0.0", "1.1.0"}
    assert document["dist-tags"] == {"latest": "1.1.0"}
    assert shapes.near.get(shapes.url("hosted", "@gone/web/-/web-2.0.0.tgz")).status_code == 404
    assert shapes.near.get(shapes.url("hosted", "@gone/web/-/web-1.1.0.tgz")).status_code == 200


def test_unpublishing_a_package_removes_all_of_it(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"))
    npm.publish("gone-web", "1.0.0").ok()
    npm.publish("gone-web", "1.1.0").ok()

    npm.run("unpublish", "gone-web", "--force").ok()

    assert shapes.near.get(shapes.url("hosted", "gone-web")).status_code == 404
    assert shapes.near.get(shapes.url("hosted", "gone-web/-/gone-web-1.0.0.tgz")).status_code == 404
    npm.publish("gone-web", "1.0.0").ok()


def test_a_write_once_repository_keeps_the_first_publication(client: Callable[..., Client], server: Server) -> None:
    url = server.create("npm", "hosted", "npm-once", storage={"writePolicy": "ALLOW_ONCE"})
    client("npm", url).publish("once", "1.0.0").ok()
    first = packument(server, "npm-once", "once")["versions"]["1.0.0"]["dist"]["integrity"]

    # yarn does not look before it publishes.
    said = client("yarn", url).publish("once", "1.0.0", description="other").refused()

    assert "previously published versions" in said.output
    assert packument(server, "npm-once", "once")["versions"]["1.0.0"]["dist"]["integrity"] == first
    client("npm", url).publish("once", "1.0.1").ok()
    client("npm", url).run("deprecate", "once@1.0.0", "old").ok()


def test_owners_are_added_and_removed(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"))
    npm.publish("owned", "1.0.0").ok()

    npm.run("owner", "add", "bob", "owned").ok()
    assert "bob" in npm.run("owner", "ls", "owned").ok().stdout
    assert "bob: read-write" in npm.run("access", "list", "collaborators", "owned").ok().stdout
    npm.run("owner", "rm", "bob", "owned").ok()

    assert "bob" not in npm.run("owner", "ls", "owned").ok().stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_login_whoami_ping_and_logout(shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    name, password = shapes.near.reader(f"npm-login-{shape}", "npm")
    npm = client("npm", shapes.url(shape), login=None)

    npm.type({"Username": name, "Password": password}, "login", "--auth-type=legacy").ok()
    assert npm.run("whoami").ok().stdout.strip() == name
    npm.run("ping").ok()
    rc = (npm.home / ".npmrc").read_text()
    npm.run("logout").ok()

    token = rc.partition(":_authToken=")[2].splitlines()[0].strip('"')
    answer = shapes.near.get(shapes.url(shape, "-/whoami"), auth=None, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_a_wrong_password_gets_no_token(client: Callable[..., Client], shapes: Topology) -> None:
    npm = client("npm", shapes.url("hosted"), login=None)

    said = npm.type({"Username": "admin", "Password": "wrong"}, "login", "--auth-type=legacy").refused()

    assert "401" in said.output


@pytest.mark.parametrize("tool", ["npm", "berry"])
def test_whoami_with_basic_credentials(tool: str, client: Callable[..., Client], shapes: Topology) -> None:
    command = ("whoami",) if tool == "npm" else ("npm", "whoami")
    assert ADMIN[0] in client(tool, shapes.url("group")).run(*command).ok().stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_search_finds_what_was_published(shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    name = f"@findme/{shape}"
    publisher = client("npm", shapes.url(shapes.source(shape)))
    publisher.publish(name, "1.0.0", description=f"needle{shape} in a haystack", keywords=["straw"]).ok()

    found = json.loads(client("npm", shapes.url(shape)).run("search", "--json", f"needle{shape}").ok().stdout)

    assert [one["name"] for one in found] == [name]
    assert found[0]["keywords"] == ["straw"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("tool", ["npm", "pnpm", "berry"])
def test_audits_are_answered(tool: str, shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    """Not by yarn classic: it asks its own registry, whatever is configured."""
    name = f"audited-{tool}-{shape}"
    client(tool, shapes.url(shapes.source(shape))).publish(name, "1.0.0").ok()
    project = client(tool, shapes.url(shape))
    project.add(name).ok()
    if tool == "pnpm":
        (project.project / "pnpm-workspace.yaml").unlink()

    command = ("npm", "audit", "--all") if tool == "berry" else ("audit",)
    project.run(*command).ok()


@pytest.mark.parametrize("tool", CLIENTS)
@pytest.mark.parametrize("shape", ["proxy", "group"])
def test_a_lock_file_installs_the_same_again(
    tool: str, shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"locked-{tool}-{shape}"
    client(tool, shapes.url("upstream")).publish(name, "1.0.0").ok()
    first = client(tool, shapes.url(shape))
    first.add(name).ok()
    second = client(tool, shapes.url(shape))
    lock = {"npm": "package-lock.json", "pnpm": "pnpm-lock.yaml"}.get(tool, "yarn.lock")
    for file in ("package.json", lock):
        second.write(file, (first.project / file).read_text())

    command = {
        "npm": ("ci",),
        "pnpm": ("install", "--frozen-lockfile"),
        "yarn": ("install", "--frozen-lockfile"),
        "berry": ("install", "--immutable"),
    }[tool]
    with shapes.cut_off():
        second.run(*command).ok()

    assert second.installed(name) == "1.0.0"


@pytest.mark.parametrize("tool", CLIENTS)
def test_dependencies_are_installed_across_members(tool: str, client: Callable[..., Client], shapes: Topology) -> None:
    client(tool, shapes.url("upstream")).publish(f"@far/{tool}-library", "1.2.3").ok()
    application = client(tool, shapes.url("group"))
    npm = client("npm", shapes.url("hosted"))
    npm.publish(f"near-{tool}-application", "1.0.0", dependencies={f"@far/{tool}-library": "^1.0.0"}).ok()

    application.add(f"near-{tool}-application").ok()

    assert application.installed(f"@far/{tool}-library") == "1.2.3"


@pytest.mark.live
@pytest.mark.parametrize("tool", CLIENTS)
def test_a_real_package_from_the_live_upstream_survives_its_loss(
    tool: str, client: Callable[..., Client], server: Server
) -> None:
    proxy, group = f"npm-live-{tool}", f"npm-live-group-{tool}"
    own = f"npm-live-own-{tool}"
    server.create("npm", "proxy", proxy, remote=live_upstream(tool) + "/")
    server.create("npm", "hosted", own)
    server.create("npm", "group", group, members=[own, proxy])
    direct = client(tool, server.at(proxy))
    direct.add("express@4.21.2", "@sindresorhus/is@4.6.0").ok()
    assert direct.installed("@sindresorhus/is") == "4.6.0"

    server.change("npm", "proxy", proxy, httpClient={"blocked": True})
    again = client(tool, server.at(group))
    again.add("express@4.21.2", "@sindresorhus/is@4.6.0").ok()

    assert again.installed("express") == "4.21.2"
    assert again.installed("accepts").startswith("1.")
