"""Maven itself: deploys and resolves releases, SNAPSHOTs and plugins, in every shape, with everything private.

Maven is a launcher for plugins: those that it needs come from the live upstream, through a proxy repository of ours.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients import programs
from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream

pytestmark = pytest.mark.live

PLUGINS = "org.apache.maven.plugins"
DEPLOY = f"{PLUGINS}:maven-deploy-plugin:3.1.1"
COPY = f"{PLUGINS}:maven-dependency-plugin:3.6.1:copy-dependencies"
GROUP = "org.acme"
PATIENCE = 300.0
"""Seconds for one call: Maven fetches all that it is made of into an empty local repository."""

SETTINGS = """\
<settings>
  <servers>
    <server><id>acme</id><username>{user}</username><password>{password}</password></server>
    <server><id>tools</id><username>{user}</username><password>{password}</password></server>
  </servers>
  <mirrors>
    <mirror><id>tools</id><mirrorOf>*,!acme</mirrorOf><url>{tools}</url></mirror>
  </mirrors>
  <profiles>
    <profile>
      <id>acme</id>
      <repositories>
        <repository><id>acme</id><url>{url}</url><snapshots><updatePolicy>always</updatePolicy></snapshots></repository>
      </repositories>
      <pluginRepositories>
        <pluginRepository><id>acme</id><url>{url}</url></pluginRepository>
      </pluginRepositories>
    </profile>
  </profiles>
  <activeProfiles><activeProfile>acme</activeProfile></activeProfiles>
  <pluginGroups><pluginGroup>org.acme.plugins</pluginGroup></pluginGroups>
</settings>
"""

PROJECT = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>{packaging}</packaging>
  <properties><project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
  <distributionManagement><repository><id>acme</id><url>{url}</url></repository></distributionManagement>
  <dependencies>{dependencies}</dependencies>
  <build><pluginManagement><plugins>{plugins}</plugins></pluginManagement></build>
</project>
"""
PINNED = {"clean": "3.2.0", "resources": "3.3.1", "jar": "3.3.0", "install": "3.1.1", "deploy": "3.1.1"}

DESCRIPTOR = """\
<plugin>
  <name>Hello</name><groupId>org.acme.plugins</groupId><artifactId>hello-maven-plugin</artifactId>
  <version>1.0</version><goalPrefix>greet</goalPrefix>
  <mojos><mojo>
    <goal>hello</goal><requiresProject>false</requiresProject>
    <implementation>org.acme.Hello</implementation><language>java</language>
    <instantiationStrategy>per-lookup</instantiationStrategy>
  </mojo></mojos>
</plugin>
"""
MOJO = """\
package org.acme;
public class Hello extends org.apache.maven.plugin.AbstractMojo {
  public void execute() { getLog().info("greetings from " + getClass().getName()); }
}
"""


@dataclass(frozen=True)
class Maven:
    """`mvn` at a repository of one shape, with a local repository of its own."""

    program: Program
    shapes: Topology
    home: Path

    def at(self, shape: str, *args: str | Path, cwd: Path | None = None, user: tuple[str, str] = ADMIN) -> Result:
        settings = self.home / f"settings-{shape}.xml"
        tools = self.shapes.near.at("maven2-tools")
        url = self.shapes.url(shape)
        settings.write_text(SETTINGS.format(user=user[0], password=user[1], url=url, tools=tools))
        local = f"-Dmaven.repo.local={self.home / 'local'}"
        quietly = ("-B", "-ntp", "--strict-checksums", "-s", settings, local)
        return self.program.run(*quietly, *args, cwd=cwd, home=self.home, timeout=PATIENCE)

    def deploy_file(self, shape: str, file: Path, artifact: str, version: str, *more: str) -> Result:
        where = ("-DrepositoryId=acme", f"-Durl={self.shapes.url(shape)}", f"-Dfile={file}")
        coordinates = (f"-DgroupId={GROUP}", f"-DartifactId={artifact}", f"-Dversion={version}")
        return self.at(shape, f"{DEPLOY}:deploy-file", *where, *coordinates, *more)

    def fetch(self, shape: str, artifact: str, version: str, *, user: tuple[str, str] = ADMIN) -> Result:
        """Resolve the artifact as the dependency of a project; its file is copied to `fetched`."""
        dependency = f"<groupId>{GROUP}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        consumer = project(self.home / "consumer", "consumer", dependency=dependency)
        return self.at(
            shape, COPY, f"-DoutputDirectory={self.fetched}", "-Dmdep.useBaseVersion=true", cwd=consumer, user=user
        )

    @property
    def fetched(self) -> Path:
        return self.home / "fetched"


def project(
    folder: Path, artifact: str, version: str = "1.0", *, url: str = "", packaging: str = "jar", dependency: str = ""
) -> Path:
    folder.mkdir(exist_ok=True)
    plugins = "".join(
        f"<plugin><artifactId>maven-{name}-plugin</artifactId><version>{pinned}</version></plugin>"
        for name, pinned in PINNED.items()
    )
    dependencies = f"<dependency>{dependency}</dependency>" if dependency else ""
    pom = PROJECT.format(
        group=GROUP,
        artifact=artifact,
        version=version,
        packaging=packaging,
        url=url,
        dependencies=dependencies,
        plugins=plugins,
    )
    (folder / "pom.xml").write_text(pom)
    return folder


def jar(path: Path, **entries: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(scope="module")
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    """Metadata is asked for each time, so that a proxy shows at once what its upstream has."""
    made = shapes_of("maven2", proxy={"proxy": {"metadataMaxAge": 0}, "negativeCache": {"enabled": False}})
    policies = {"versionPolicy": "RELEASE", "layoutPolicy": "PERMISSIVE"}
    made.near.create("maven2", "proxy", "maven2-tools", remote=live_upstream("mvn"), maven=policies)
    return made


@pytest.fixture(scope="module")
def tools(shapes: Topology, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local repository with the plugins that these tests call: fetched once, into an empty one, through our proxy."""
    scratch = tmp_path_factory.mktemp("tools")
    maven = Maven(programs.program("mvn", scratch), shapes, scratch)
    maven.deploy_file("hosted", jar(scratch / "warm.jar", **{"warm.txt": "warm"}), "warm", "1.0").ok()
    maven.fetch("hosted", "warm", "1.0").ok()
    return scratch / "local"


@pytest.fixture
def new_maven(shapes: Topology, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Maven]:
    """Each has Maven's plugins in its local repository, and nothing of ours."""

    def make() -> Maven:
        scratch = tmp_path_factory.mktemp("maven")
        shutil.copytree(tools, scratch / "local", ignore=shutil.ignore_patterns("acme"))
        return Maven(programs.program("mvn", scratch), shapes, scratch)

    return make


@pytest.mark.parametrize("shape", SHAPES)
def test_what_maven_deploys_is_what_maven_resolves(
    shape: str, new_maven: Callable[[], Maven], shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("maven2", "mvn", shape)
    file = jar(tmp_path / "app.jar", **{"shape.txt": shape})
    new_maven().deploy_file(shapes.source(shape), file, f"app-{shape}", "1.0").ok()

    reader = new_maven()
    reader.fetch(shape, f"app-{shape}", "1.0").ok()

    assert (reader.fetched / f"app-{shape}-1.0.jar").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_newest_snapshot_is_resolved(
    shape: str, new_maven: Callable[[], Maven], shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("maven2", "mvn", shape)
    writer, reader, name = new_maven(), new_maven(), f"moving-{shape}"
    first = jar(tmp_path / "first.jar", **{"build.txt": "first"})
    second = jar(tmp_path / "second.jar", **{"build.txt": "the second one"})
    writer.deploy_file(shapes.source(shape), first, name, "2.0-SNAPSHOT").ok()
    reader.fetch(shape, name, "2.0-SNAPSHOT").ok()
    fetched = reader.fetched / f"{name}-2.0-SNAPSHOT.jar"
    assert fetched.read_bytes() == first.read_bytes()

    writer.deploy_file(shapes.source(shape), second, name, "2.0-SNAPSHOT").ok()
    fetched.unlink()
    reader.fetch(shape, name, "2.0-SNAPSHOT").ok()

    assert fetched.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plugin_is_found_by_its_prefix(
    shape: str, new_maven: Callable[[], Maven], shapes: Topology, greeter: Path, proves: Callable[..., None]
) -> None:
    proves("maven2", "mvn", shape)
    plugin = (f"-DgroupId={GROUP}.plugins", "-DartifactId=hello-maven-plugin", "-Dversion=1.0")
    where = ("-DrepositoryId=acme", f"-Durl={shapes.url(shapes.source(shape))}", f"-Dfile={greeter}")
    packaging = "-Dpackaging=maven-plugin"
    new_maven().at(shapes.source(shape), f"{DEPLOY}:deploy-file", *where, *plugin, packaging).ok()

    said = new_maven().at(shape, "greet:hello").ok()

    assert "greetings from org.acme.Hello" in said.stdout


def test_a_project_is_built_deployed_and_resolved(
    new_maven: Callable[[], Maven], shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("maven2", "mvn", "hosted")
    built = project(tmp_path / "built", "built", url=shapes.url("hosted"))
    (built / "src/main/resources").mkdir(parents=True)
    (built / "src/main/resources/hello.txt").write_text("hello")
    new_maven().at("hosted", "deploy", cwd=built).ok()

    reader = new_maven()
    reader.fetch("nested", "built", "1.0").ok()

    with zipfile.ZipFile(reader.fetched / "built-1.0.jar") as archive:
        assert archive.read("hello.txt") == b"hello"


def test_a_second_deploy_of_a_release_is_refused_with_the_reason(
    new_maven: Callable[[], Maven], shapes: Topology, tmp_path: Path
) -> None:
    file = jar(tmp_path / "once.jar", **{"build.txt": "once"})
    shapes.near.create("maven2", "hosted", "maven2-once", storage={"writePolicy": "ALLOW_ONCE"})
    maven = new_maven()
    maven.deploy_file("once", file, "once", "1.0").ok()

    refused = maven.deploy_file("once", file, "once", "1.0").refused()

    assert "Repository does not allow updating assets: maven2-once" in refused.output
    assert new_maven().deploy_file("once", file, "once", "1.1").ok()


def test_wrong_credentials_are_refused(new_maven: Callable[[], Maven], shapes: Topology, tmp_path: Path) -> None:
    maven = new_maven()
    maven.deploy_file("hosted", jar(tmp_path / "kept.jar", **{"kept.txt": "kept"}), "kept", "1.0").ok()
    maven.fetch("hosted", "kept", "1.0").ok()

    refused = maven.fetch("hosted", "not-there", "1.0", user=(ADMIN[0], "wrong")).refused()

    assert "401" in refused.output


def test_what_was_resolved_once_is_resolved_without_the_upstream(
    new_maven: Callable[[], Maven],
    shapes: Topology,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    proves: Callable[..., None],
) -> None:
    proves("maven2", "mvn", "proxy")
    file = jar(tmp_path / "lasting.jar", **{"lasting.txt": "lasting"})
    writer = new_maven()
    for version in ("1.0", "1.1-SNAPSHOT"):
        writer.deploy_file("upstream", file, "lasting", version).ok()
        new_maven().fetch("proxy", "lasting", version).ok()

    empty = tmp_path_factory.mktemp("empty")
    with shapes.cut_off(), no_tools_upstream(shapes):
        reader = Maven(programs.program("mvn", empty), shapes, empty)
        reader.fetch("proxy", "lasting", "1.0").ok()
        reader.fetch("nested", "lasting", "1.1-SNAPSHOT").ok()

    assert {kept.name for kept in reader.fetched.iterdir()} == {"lasting-1.0.jar", "lasting-1.1-SNAPSHOT.jar"}


@contextmanager
def no_tools_upstream(shapes: Topology) -> Iterator[None]:
    """Maven's own plugins come from what the server has kept of the live upstream."""
    shapes.near.change("maven2", "proxy", "maven2-tools", httpClient={"blocked": True})
    try:
        yield
    finally:
        shapes.near.change("maven2", "proxy", "maven2-tools", httpClient={"blocked": False})


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin, compiled against the library of the installed Maven; its prefix is not that of its name."""
    folder = tmp_path_factory.mktemp("greeter")
    source = folder / "org/acme/Hello.java"
    source.parent.mkdir(parents=True)
    source.write_text(MOJO)
    library = programs.path_of("mvn").resolve().parent.parent / "lib"
    compiler = shutil.which("javac")
    if compiler is None:
        programs.missed("there is no Java compiler")
    subprocess.run([compiler, "-cp", f"{library}/*", "-d", folder, source], check=True, capture_output=True)
    made = jar(folder / "greeter.jar", **{"META-INF/maven/plugin.xml": DESCRIPTOR})
    with zipfile.ZipFile(made, "a") as archive:
        archive.write(folder / "org/acme/Hello.class", "org/acme/Hello.class")
    return made
