"""What Conan lists, locks and removes: patterns, revisions of packages, and both through groups."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.clients import test_conan
from tests.clients.test_conan import RECIPE, Client
from tests.clients.topology import SHAPES, Topology

shapes, client = test_conan.shapes, test_conan.client

CONSUMER = """
from conan import ConanFile

class Consumer(ConanFile):
    settings = "os"
    requires = "{requires}"
    python_requires = "{base}"
    python_requires_extend = "{name}.Base"
    options = {{"shared": [True, False], "level": [1, 2, 3], "label": ["ANY"]}}
    default_options = {{"shared": False, "level": 2, "label": "plain"}}
    name = "{called}"
    version = "1.0"
"""
BASE = """
from conan import ConanFile

class Base:
    license = "MIT"

class Recipe(ConanFile):
    name = "{name}"
    version = "1.0"
    package_type = "python-require"
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_patterns_list_references_revisions_and_packages(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"pat{shape}"
    publisher = client("conan", shapes.url(shapes.source(shape)))
    for version in ("1.0", "1.2", "2.0"):
        publisher.publish(name, version, settings='("os", "build_type")')
    publisher.publish(f"{name}more", "1.0", owner="acme/stable")
    reader = client("conan", shapes.url(shape))

    assert set(reader.listed(f"{name}/*")) == {f"{name}/{version}" for version in ("1.0", "1.2", "2.0")}
    assert set(reader.listed(f"{name}/1.*")) == {f"{name}/1.0", f"{name}/1.2"}
    assert set(reader.listed(f"{name}/[>=1.1 <2]")) == {f"{name}/1.2"}
    assert set(reader.listed(f"{name}*/*")) == {
        *(f"{name}/{version}" for version in ("1.0", "1.2", "2.0")),
        f"{name}more/1.0@acme/stable",
    }
    assert set(reader.listed(f"{name}more/*@acme/*")) == {f"{name}more/1.0@acme/stable"}
    latest = reader.listed(f"{name}/*#latest:*#latest")
    for found in latest.values():
        (revision,) = found["revisions"].values()
        (package,) = revision["packages"].values()
        assert len(package["revisions"]) == 1
    filtered = reader.run("list", f"{name}/2.0:*", "-p", "os=Windows", "-r", "pakhus", "--format=json").ok()
    assert not any(
        revision["packages"] for revision in json.loads(filtered.stdout)["pakhus"][f"{name}/2.0"]["revisions"].values()
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_newest_package_revision_is_installed_and_all_are_listed(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"prev{shape}"
    url = shapes.url(shapes.source(shape))
    recipe = RECIPE.replace(
        "    def package_info",
        "        with open(os.path.join(self.package_folder, 'built.txt'), 'w') as built:\n"
        "            built.write(os.environ['BUILD'])\n\n    def package_info",
    )
    for number in ("first", "second", "third"):
        publisher = client("conan", url)
        project = publisher.home / "project"
        (project / "include").mkdir(parents=True)
        (project / "include" / f"{name}.h").write_text("#define X 1\n")
        (project / "conanfile.py").write_text(recipe.format(name=name, version="1.0", settings='("os",)'))
        publisher.program.run("create", ".", cwd=project, home=publisher.home, env={"BUILD": number}).ok()
        publisher.upload(f"{name}/1.0").ok()
    reader = client("conan", shapes.url(shape))

    listed = reader.listed(f"{name}/1.0#*:*#*")[f"{name}/1.0"]["revisions"]
    reader.install(f"{name}/1.0").ok()

    (recipe_revision,) = listed.values()
    (package,) = recipe_revision["packages"].values()
    assert len(package["revisions"]) == 3
    assert sorted(file.read_text() for file in (reader.home / ".conan2/p").rglob("p/built.txt")) == ["third"]
    newest = max(package["revisions"], key=lambda each: package["revisions"][each]["timestamp"])
    identity = next(iter(recipe_revision["packages"]))
    publisher.run("remove", f"{name}/1.0:{identity}#{newest}", "-r", "pakhus", "-c").ok()
    if shape == "hosted":
        fresh = client("conan", shapes.url(shape))
        fresh.install(f"{name}/1.0").ok()
        assert [file.read_text() for file in (fresh.home / ".conan2/p").rglob("p/built.txt")] == ["second"]


@pytest.mark.parametrize("shape", SHAPES)
def test_options_requirements_and_python_requires_survive(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    below, base, name = f"below{shape}", f"base{shape}", f"whole{shape}"
    publisher = client("conan", shapes.url(shapes.source(shape)))
    publisher.publish(below, "1.0")
    for called, text in (
        (base, BASE.format(name=base)),
        (name, CONSUMER.format(requires=f"{below}/[>=1.0 <2]", base=f"{base}/[>=1.0]", name=base, called=name)),
    ):
        project = publisher.home / called
        project.mkdir()
        (project / "conanfile.py").write_text(text)
        options = ("-o", f"{name}/1.0:level=3", "-o", f"{name}/1.0:label=a=b, c") if called == name else ()
        publisher.run("create", ".", *options, cwd=project).ok()
        publisher.upload(f"{called}/1.0").ok()
    reader = client("conan", shapes.url(shape))

    listed = reader.listed(f"{name}/1.0:*")[f"{name}/1.0"]["revisions"]
    (revision,) = listed.values()
    (package,) = revision["packages"].values()
    graph = reader.run(
        "install",
        f"--requires={name}/1.0",
        "-r",
        "pakhus",
        "-o",
        "&:level=3",
        "-o",
        f"{name}/*:level=3",
        "-o",
        f"{name}/*:label=a=b, c",
        "--format=json",
    ).ok()

    assert package["info"]["options"] == {"label": "a=b, c", "level": "3", "shared": "False"}
    assert package["info"]["requires"] == [f"{below}/1.0.Z"] or package["info"]["requires"] == [f"{below}/1.0"], package
    assert package["info"]["python_requires"] == [f"{base}/1.0.Z"]
    nodes = json.loads(graph.stdout)["graph"]["nodes"].values()
    assert {f"{name}/1.0", f"{below}/1.0"} <= {str(node["ref"]).partition("#")[0] for node in nodes}
    assert [node["binary"] for node in nodes if node["ref"].startswith(name)] == ["Download"]


@pytest.mark.parametrize("kind", ["conan", "conan 1"])
def test_a_lockfile_is_honoured_through_a_group_when_both_members_have_the_recipe(
    kind: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"lockgroup{kind[-1]}".replace(" ", "")
    there = client(kind, shapes.url("upstream"))
    there.publish(name, "1.0", text="there")
    reader = client(kind, shapes.url("nested"))
    lock = reader.home / "conan.lock"
    asked = ("--reference", f"{name}/1.0@") if kind != "conan" else (f"--requires={name}/1.0", "-r", "pakhus")
    reader.run("lock", "create", *asked, "--lockfile-out", lock).ok()
    client(kind, shapes.url("hosted")).publish(name, "1.0", text="here")

    locked = client(kind, shapes.url("nested"))
    locked.install(f"{name}/1.0", "--lockfile", lock).ok()
    newest = client(kind, shapes.url("nested"))
    newest.install(f"{name}/1.0").ok()

    assert locked.header(name) == "there"
    assert newest.header(name) == "here"


@pytest.mark.parametrize("shape", SHAPES)
def test_conan_1_searches_by_pattern_query_and_revision(
    shape: str, client: Callable[..., Client], shapes: Topology
) -> None:
    name = f"oldsearch{shape}"
    publisher = client("conan 1", shapes.url(shapes.source(shape)))
    publisher.publish(name, "1.0", settings='("os",)')
    publisher.publish(name, "1.1", settings='("os",)')
    reader = client("conan 1", shapes.url(shape))

    every = reader.search(f"{name}*").ok().output
    some = reader.search(f"{name}/1.1").ok().output
    matching = (
        reader.search(
            f"{name}/1.0@",
        )
        .ok()
        .output
    )
    none = reader.run("search", f"{name}/1.0@", "-r", "pakhus", "-q", "os=Windows").ok().output
    revisions = reader.run("search", f"{name}/1.0@", "-r", "pakhus", "--revisions").ok().output

    assert f"{name}/1.0" in every and f"{name}/1.1" in every
    assert f"{name}/1.1" in some and f"{name}/1.0" not in some
    assert "os: Linux" in matching
    assert "os: Linux" not in none
    assert "UTC" in revisions
