"""cargo against private repositories of every shape, each call of a build with an empty CARGO_HOME."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.formats.cargo.usage import USAGE
from tests.clients.programs import Program, Result, program
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream

Login = tuple[str, str]
WEB = {"accept": "application/json", "content-type": "application/json"}


def basic(login: Login) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


@dataclass
class Client:
    """cargo with a home of its own, set up for one registry, called `pakhus`, by the snippets that the server shows."""

    program: Program
    url: str
    folder: Path
    token: str = basic(ADMIN)
    replacing: bool = False
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.fresh()

    def fresh(self) -> None:
        """An empty CARGO_HOME: nothing is downloaded, nothing is known."""
        self.home = self.program.home()
        (self.home / ".cargo").mkdir()
        setup = next(s for s in USAGE if s.file and self.replacing == ("place" in s.client))
        (self.home / ".cargo/config.toml").write_text(setup.filled(self.url, name="pakhus", user="", password="").text)

    def run(self, *args: str, package: str = "", stdin: str | None = None) -> Result:
        env = {"CARGO_REGISTRIES_PAKHUS_TOKEN": self.token} if self.token else {}
        return self.program.run(*args, cwd=self.folder / package, home=self.home, env=env, stdin=stdin)

    def write(
        self,
        name: str,
        version: str,
        manifest: str = "",
        *,
        code: str = "",
        package: Mapping[str, str] | None = None,
        main: bool = False,
    ) -> str:
        """A package in a folder of its own; `package` and `manifest` are further members and tables."""
        folder = self.folder / f"{name}-{version}"
        (folder / "src").mkdir(parents=True, exist_ok=True)
        about = {"name": name, "version": version, "edition": "2021", "license": "MIT", **(package or {})}
        about.setdefault("description", f"The crate {name}")
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in about.items())
        (folder / "Cargo.toml").write_text(f"[package]\n{lines}\n{manifest}\n[workspace]\n")
        (folder / "README.md").write_text(f"# {name}\n")
        (folder / ("src/main.rs" if main else "src/lib.rs")).write_text(code or "pub fn one() -> i32 { 1 }\n")
        return folder.name

    def publish(self, name: str, version: str, manifest: str = "", **more: Any) -> Result:
        place = self.write(name, version, manifest, **more)
        if "links" in more.get("package", {}):
            (self.folder / place / "build.rs").write_text("fn main() {}\n")
        return self.run("publish", "--registry", "pakhus", "--no-verify", "--allow-dirty", package=place)

    def build(self, name: str, manifest: str, code: str) -> Result:
        """Build and run a program; its Cargo.lock is `locked` afterwards."""
        place = self.write(name, "0.1.0", manifest, code=code, main=True)
        return self.run("run", "--quiet", package=place)

    def locked(self, name: str) -> dict[str, str]:
        """Crate → version, as the lock file of a program says."""
        lock = (self.folder / f"{name}-0.1.0" / "Cargo.lock").read_text()
        return dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock))


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("cargo")


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    made: list[Client] = []

    def make(url: str, **more: Any) -> Client:
        made.append(Client(program("cargo", tmp_path), url, tmp_path / f"work-{len(made)}", **more))
        return made[-1]

    return make


def lines(server: Server, url: str) -> list[Any]:
    answer = server.get(url)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def index_path(name: str) -> str:
    return f"{name[:2]}/{name[2:4]}/{name}"


LIBRARY = """
pub fn said() -> String {
    #[cfg(feature = "full")]
    return format!("{} {} {}", renamed::text(), on_unix::text(), EXTRA::text());
    #[cfg(not(feature = "full"))]
    return format!("{} {}", renamed::text(), on_unix::text());
}
"""


def text(said: str) -> str:
    return f'pub fn text() -> &\'static str {{ "{said}" }}\n'


def publish_tree(publisher: Client, prefix: str) -> str:
    """A crate with a renamed, an optional and two target-specific dependencies, and all of them; returns its name."""
    base, extra, top = f"{prefix}-base", f"{prefix}_extra", f"{prefix}-Top"
    publisher.publish(base, "1.0.0", code=text("base")).ok()
    publisher.publish(base, "2.0.0-rc.1", code="compile_error!();").ok()
    publisher.publish(extra, "0.3.1", code=text("extra")).ok()
    publisher.publish(f"{prefix}-unix", "1.0.0", code=text("unix")).ok()
    publisher.publish(f"{prefix}-windows", "1.0.0", code="compile_error!();").ok()
    manifest = f"""
[dependencies]
renamed = {{ version = "1", package = "{base}", registry = "pakhus" }}
{extra} = {{ version = "0.3", optional = true, default-features = false, registry = "pakhus" }}

[target.'cfg(unix)'.dependencies]
on_unix = {{ version = "1", package = "{prefix}-unix", registry = "pakhus" }}

[target.'cfg(windows)'.dependencies]
on_windows = {{ version = "1", package = "{prefix}-windows", registry = "pakhus" }}

[features]
full = ["dep:{extra}"]
old = []
"""
    package = {"rust-version": "1.70", "links": f"{prefix}native", "build": "build.rs"}
    publisher.publish(top, "1.2.0", manifest, code=LIBRARY.replace("EXTRA", extra), package=package).ok()
    return top


def program_using(crate: str, features: str = "") -> tuple[str, str]:
    """Manifest and code of a program that prints what the crate says."""
    manifest = f'[dependencies]\n{crate} = {{ version = "1", registry = "pakhus", features = [{features}] }}\n'
    return manifest, f'fn main() {{ println!("{{}}", {crate.replace("-", "_")}::said()) }}\n'


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_published_is_built_from_an_empty_home(
    shape: str, client: Callable[..., Client], shapes: Topology, proves: Callable[..., None]
) -> None:
    proves("cargo", "cargo", shape)
    top = publish_tree(client(shapes.url(shapes.source(shape))), shape)

    reader = client(shapes.url(shape))
    assert reader.build("plain", *program_using(top)).ok().stdout.strip() == "base unix"
    reader.fresh()
    assert reader.build("full", *program_using(top, '"full"')).ok().stdout.strip() == "base unix extra"
    assert reader.locked("full") == {
        "full": "0.1.0",
        top: "1.2.0",
        f"{shape}-base": "1.0.0",
        f"{shape}-unix": "1.0.0",
        f"{shape}-windows": "1.0.0",
        f"{shape}_extra": "0.3.1",
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_the_index_tells_what_was_published(shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    prefix = f"told-{shape}"
    top = publish_tree(client(shapes.url(shapes.source(shape))), prefix)

    (entry,) = lines(shapes.near, shapes.url(shape, index_path(top.lower())))
    crate = shapes.near.get(shapes.url(shape, f"crates/{top}/{top}-1.2.0.crate"))

    assert entry["name"] == top
    assert entry["cksum"] == hashlib.sha256(crate.content).hexdigest()
    assert (entry["links"], entry["rust_version"]) == (f"{prefix}native", "1.70")
    assert entry["features"] == {"old": []}
    assert (entry["v"], entry["features2"]) == (2, {"full": [f"dep:{prefix}_extra"]})
    assert {dep["name"]: (dep.get("package"), dep["target"], dep["optional"]) for dep in entry["deps"]} == {
        "renamed": (f"{prefix}-base", None, False),
        f"{prefix}_extra": (None, None, True),
        "on_unix": (f"{prefix}-unix", "cfg(unix)", False),
        "on_windows": (f"{prefix}-windows", "cfg(windows)", False),
    }
    assert all(dep["registry"] is None for dep in entry["deps"])


@pytest.mark.parametrize("shape", SHAPES)
def test_cargo_adds_and_shows_a_crate(shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    name = f"added-{shape}"
    client(shapes.url(shapes.source(shape))).publish(name, "1.4.0").ok()
    reader = client(shapes.url(shape))
    place = reader.write("user", "0.1.0")

    reader.run("add", "--registry", "pakhus", f"added_{shape}", package=place).ok()
    shown = reader.run("info", "--registry", "pakhus", name).ok().stdout

    assert f'{name} = {{ version = "1.4.0"' in (reader.folder / place / "Cargo.toml").read_text()
    assert f"The crate {name}" in shown and "version: 1.4.0" in shown


@pytest.mark.parametrize("shape", SHAPES)
def test_a_yanked_version_is_taken_only_by_who_has_it_locked(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"yanked-{shape}"
    owner, reader = client(shapes.url(shapes.source(shape))), client(shapes.url(shape))
    owner.publish(name, "1.0.0", code=text("old").replace("text", "said")).ok()
    owner.publish(name, "1.1.0", code=text("new").replace("text", "said")).ok()
    assert reader.build("before", *program_using(name)).ok().stdout.strip() == "new"

    owner.run("yank", "--registry", "pakhus", f"{name}@1.1.0").ok()
    forget(shapes)

    assert reader.build("after", *program_using(name)).ok().stdout.strip() == "old"
    reader.fresh()
    assert reader.build("before", *program_using(name)).ok().stdout.strip() == "new"
    owner.run("yank", "--registry", "pakhus", "--undo", f"{name}@1.1.0").ok()
    forget(shapes)
    assert reader.build("again", *program_using(name)).ok().stdout.strip() == "new"
    assert "9.9.9" in owner.run("yank", "--registry", "pakhus", f"{name}@9.9.9").refused().stderr


def forget(shapes: Topology) -> None:
    """What the proxy keeps is checked again at the next request."""
    shapes.near.rest("POST", f"/repositories/{shapes.name('proxy')}/invalidate-cache")


@pytest.mark.parametrize("shape", SHAPES)
def test_search_finds_what_was_published(shape: str, client: Callable[..., Client], shapes: Topology) -> None:
    publisher = client(shapes.url(shapes.source(shape)))
    described = {"description": f"A needle{shape} in a haystack"}
    publisher.publish(f"straw-{shape}", "1.0.0", package=described).ok()
    publisher.publish(f"straw-{shape}", "1.2.0-rc.1", package=described).ok()

    found = client(shapes.url(shape)).run("search", "--registry", "pakhus", f"needle{shape}").ok().stdout

    assert re.search(rf'^straw-{shape} = "1\.0\.0" +# A needle{shape}', found), found
    assert client(shapes.url(shape)).run("search", "--registry", "pakhus", f"no{shape}no").ok().stdout.strip() == ""


def test_searching_an_empty_repository_finds_nothing(client: Callable[..., Client], server: Server) -> None:
    url = server.create("cargo", "hosted", "cargo-empty")
    group = server.create("cargo", "group", "cargo-empty-group", members=["cargo-empty"])

    for each in (url, group):
        assert client(each).run("search", "--registry", "pakhus", "anything").ok().stdout.strip() == ""


def test_owners_are_listed_added_and_removed(client: Callable[..., Client], shapes: Topology) -> None:
    owner = client(shapes.url("hosted"))
    owner.publish("owned", "1.0.0").ok()

    assert owner.run("owner", "--registry", "pakhus", "--list", "owned").ok().stdout.split() == ["admin"]
    owner.run("owner", "--registry", "pakhus", "--add", "bob", "owned").ok()
    assert owner.run("owner", "--registry", "pakhus", "--list", "owned").ok().stdout.split() == ["admin", "bob"]
    owner.run("owner", "--registry", "pakhus", "--remove", "admin", "owned").ok()

    nested = client(shapes.url("nested"))
    assert nested.run("owner", "--registry", "pakhus", "--list", "owned").ok().stdout.split() == ["bob"]
    refused = owner.run("owner", "--registry", "pakhus", "--remove", "bob", "owned").refused()
    assert "no owner" in refused.stderr


def test_the_upstreams_owners_are_shown_through_a_proxy(client: Callable[..., Client], shapes: Topology) -> None:
    client(shapes.url("upstream")).publish("far-owned", "1.0.0").ok()

    said = client(shapes.url("proxy")).run("owner", "--registry", "pakhus", "--list", "far-owned").ok()

    assert said.stdout.split() == ["admin"]


@pytest.mark.parametrize("shape", SHAPES)
def test_login_keeps_a_token_that_reads_and_publishes(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    """A token of this server, sent as it is."""
    name = f"login-{shape}"
    made = shapes.near.http.post("/api/v1/tokens", json={"name": name, "scopes": ["read", "write"]})
    assert made.status_code == 201, made.text
    client(shapes.url(shapes.source(shape))).publish(name, "1.0.0", code=text("in").replace("text", "said")).ok()
    someone = client(shapes.url(shape), token="")

    asked = someone.run("login", "--registry", "pakhus", stdin=made.json()["token"] + "\n").ok()

    assert "pakhus" in asked.stderr
    assert someone.build("user", *program_using(name)).ok().stdout.strip() == "in"
    if shape == "hosted":
        someone.publish("by-login", "1.0.0").ok()
    someone.run("logout", "--registry", "pakhus").ok()
    someone.run("search", "--registry", "pakhus", "login").refused()


def test_the_login_snippet_takes_name_and_password(client: Callable[..., Client], shapes: Topology) -> None:
    user, password = shapes.near.writer("cargo-writer", "cargo", shapes.name("hosted"))
    someone = client(shapes.url("hosted"), token="")
    snippet = next(s for s in USAGE if "cargo login" in s.text)
    command = snippet.filled(someone.url, name="pakhus", user=user, password=password).text.splitlines()[0]

    shell = replace(someone.program, command=("sh", "-c"))
    shell.run(command, home=someone.home).ok()

    someone.publish("by-password", "1.0.0").ok()


def test_a_user_token_works_as_name_and_password(client: Callable[..., Client], shapes: Topology) -> None:
    someone = client(shapes.url("hosted"), token=basic(shapes.near.token()))
    someone.publish("by-user-token", "1.0.0").ok()


def test_strangers_neither_read_nor_publish(client: Callable[..., Client], shapes: Topology) -> None:
    client(shapes.url("hosted")).publish("secret", "1.0.0").ok()
    stranger = client(shapes.url("group"), token="")
    wrong = client(shapes.url("hosted"), token=basic(("admin", "wrong")))

    said = stranger.build("user", *program_using("secret")).refused().stderr
    assert "cargo login --registry pakhus" in said, said
    wrong.build("user", *program_using("secret")).refused()
    wrong.publish("intruder", "1.0.0").refused()

    assert shapes.near.get(shapes.url("hosted", "in/tr/intruder")).status_code == 404
    assert shapes.near.get(shapes.url("hosted", "config.json"), auth=None).status_code == 401


def test_a_reader_may_build_and_not_publish(client: Callable[..., Client], shapes: Topology) -> None:
    client(shapes.url("hosted")).publish("readable", "1.0.0", code=text("yes").replace("text", "said")).ok()
    login = shapes.near.reader("cargo-reader", "cargo", shapes.name("hosted"))
    reader = client(shapes.url("hosted"), token=basic(login))

    assert reader.build("user", *program_using("readable")).ok().stdout.strip() == "yes"
    said = reader.publish("refused", "1.0.0").refused()
    assert "user 'cargo-reader' lacks" in said.stderr
    reader.run("yank", "--registry", "pakhus", "readable@1.0.0").refused()


def test_a_public_repository_is_read_without_a_token(
    pakhus_server: Callable[..., Server], client: Callable[..., Client]
) -> None:
    server = pakhus_server("public", PAKHUS_AUTH_ANONYMOUS_ENABLED="true")
    url = server.create("cargo", "hosted", "public")
    group = server.create("cargo", "group", "strict", members=["public"], cargo={"requireAuthentication": True})
    client(url).publish("open", "1.0.0", code=text("open").replace("text", "said")).ok()

    assert client(url, token="").build("user", *program_using("open")).ok().stdout.strip() == "open"
    assert "auth-required" not in server.get(f"{url}config.json", auth=None).json()
    client(group, token="").build("user", *program_using("open")).refused()
    assert client(group).build("user", *program_using("open")).ok().stdout.strip() == "open"
    server.change("cargo", "group", "strict", cargo={"requireAuthentication": False})
    assert client(group, token="").build("user", *program_using("open")).ok().stdout.strip() == "open"


def test_publishing_through_a_group_reaches_its_writable_member(
    client: Callable[..., Client], shapes: Topology
) -> None:
    url = shapes.near.create(
        "cargo",
        "group",
        "cargo-writable",
        members=[shapes.name("hosted"), shapes.name("proxy")],
        group={"writableMember": shapes.name("hosted")},
    )
    through = client(url)
    through.publish("through-group", "1.0.0").ok()
    through.run("yank", "--registry", "pakhus", "through-group@1.0.0").ok()

    assert lines(shapes.near, shapes.url("hosted", "th/ro/through-group"))[0]["yanked"] is True


def test_a_proxy_takes_no_publication(client: Callable[..., Client], shapes: Topology) -> None:
    assert "it is a proxy" in client(shapes.url("proxy")).publish("to-a-proxy", "1.0.0").refused().stderr


def test_a_write_once_repository_keeps_the_first_publication(client: Callable[..., Client], server: Server) -> None:
    url = server.create("cargo", "hosted", "cargo-once", storage={"writePolicy": "ALLOW_ONCE"})
    cargo = client(url)
    cargo.publish("once", "1.0.0").ok()
    first = lines(server, f"{url}on/ce/once")

    # cargo looks before it publishes; who does not is refused by the server.
    assert "already exists" in cargo.publish("once", "1.0.0", code="pub fn two() {}\n").refused().stderr
    crate = server.get(f"{url}crates/once/once-1.0.0.crate").content
    said = json.dumps({"name": "once", "vers": "1.0.0"}).encode()
    body = b"".join(len(part).to_bytes(4, "little") + part for part in (said, crate))
    assert server.put(f"{url}api/v1/crates/new", body).status_code == 400
    cargo.publish("once", "1.0.1").ok()
    cargo.run("yank", "--registry", "pakhus", "once@1.0.0").ok()

    assert lines(server, f"{url}on/ce/once")[0] == {**first[0], "yanked": True}


def test_names_that_would_be_one_in_rust_are_refused(client: Callable[..., Client], shapes: Topology) -> None:
    cargo = client(shapes.url("hosted"))
    cargo.publish("one-name", "1.0.0").ok()

    for other in ("one_name", "One-Name"):
        assert "a crate named one-name" in cargo.publish(other, "1.0.0").refused().stderr
    cargo.publish("one-name", "1.0.1").ok()


def test_a_lock_file_builds_the_same_while_the_upstream_is_down(
    client: Callable[..., Client], shapes: Topology
) -> None:
    client(shapes.url("upstream")).publish("lasting", "1.0.0", code=text("still").replace("text", "said")).ok()
    reader = client(shapes.url("group"))
    reader.build("user", *program_using("lasting")).ok()

    with shapes.cut_off():
        reader.fresh()
        assert reader.build("user", *program_using("lasting")).ok().stdout.strip() == "still"


@pytest.mark.live
def test_a_real_crate_from_the_live_upstream_survives_its_loss(client: Callable[..., Client], server: Server) -> None:
    """In place of the default registry: crates that know nothing of Pakhus come through it, with their dependencies."""
    server.create("cargo", "proxy", "cargo-live", remote=live_upstream("cargo") + "/")
    server.create("cargo", "hosted", "cargo-own")
    url = server.create("cargo", "group", "cargo-all", members=["cargo-own", "cargo-live"])
    manifest = '[dependencies]\nserde_json = { version = "1", features = ["preserve_order"] }\nInflector = "0.11"\n'
    code = """
use inflector::Inflector;
fn main() { println!("{}", serde_json::json!({"b": "some text".to_title_case(), "a": 1})) }
"""
    reader = client(url, replacing=True)
    assert reader.build("real", manifest, code).ok().stdout.strip() == '{"b":"Some Text","a":1}'

    server.change("cargo", "proxy", "cargo-live", httpClient={"blocked": True})
    reader.fresh()

    assert reader.build("real", manifest, code).ok().stdout.strip() == '{"b":"Some Text","a":1}'
    first = reader.locked("real")
    assert first["Inflector"].startswith("0.11.") and "itoa" in first


@pytest.mark.live
def test_the_live_upstream_is_searched_at_the_web_api_that_its_index_names(
    client: Callable[..., Client], server: Server
) -> None:
    upstream = live_upstream("cargo")
    api = httpx2.get(f"{upstream}/config.json", timeout=60).json()["api"]
    answer = httpx2.get(f"{api}/api/v1/crates?q=serde&per_page=1", headers={"user-agent": "pakhus-tests"}, timeout=60)
    if answer.status_code != 200:
        pytest.skip(f"the web API that cargo's index names here answers {answer.status_code} to a search")
    url = server.create("cargo", "proxy", "cargo-searched", remote=upstream + "/")

    found = client(url).run("search", "--registry", "pakhus", "serde").ok().stdout

    assert re.search(r'^serde = "1\.', found, re.M), found
