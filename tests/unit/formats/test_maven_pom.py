"""POMs: the facts that are kept, and the POMs that are refused."""

from __future__ import annotations

import pytest

from pakhus.domain.errors import BadPackage
from pakhus.formats.maven.layout import Gav
from pakhus.formats.maven.pom import MAX_ENTRIES, check_pom, minimal_pom, parse_pom

GAV = Gav("org.acme", "app", "1.0", "1.0", "pom")

POM = b"""<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent><groupId>org.acme</groupId><artifactId>parent</artifactId><version>7</version></parent>
  <artifactId>app</artifactId>
  <version>1.0</version>
  <packaging>maven-plugin</packaging>
  <name>The app</name>
  <description>Does &eacute;verything &amp; more.</description>
  <url>https://app.example</url>
  <inceptionYear>2024</inceptionYear>
  <licenses><license><name>Apache-2.0</name><url>https://licence.example</url></license></licenses>
  <scm><url>https://code.example/app</url><connection>scm:git:app</connection></scm>
  <properties><lib.version>3.1</lib.version></properties>
  <dependencies>
    <!-- the only one -->
    <dependency>
      <groupId>org.acme</groupId><artifactId>lib</artifactId><version>${lib.version}</version><scope>test</scope>
    </dependency>
  </dependencies>
</project>
"""


def test_a_pom_tells_what_the_component_page_shows() -> None:
    pom = parse_pom(POM)
    assert (pom.group_id, pom.artifact_id, pom.version, pom.packaging) == ("org.acme", "app", "1.0", "maven-plugin")
    assert pom.facts == {
        "packaging": "maven-plugin",
        "name": "The app",
        "description": "Does éverything & more.",
        "url": "https://app.example",
        "organization": "",
        "inceptionYear": "2024",
        "licenses": [{"name": "Apache-2.0", "url": "https://licence.example"}],
        "scm": {"url": "https://code.example/app", "connection": "scm:git:app"},
        "issues": "",
        "parent": {"groupId": "org.acme", "artifactId": "parent", "version": "7"},
        "dependencies": [
            {"groupId": "org.acme", "artifactId": "lib", "version": "${lib.version}", "scope": "test"},
        ],
        "properties": {"lib.version": "3.1"},
    }


def test_group_and_version_are_inherited_from_the_parent() -> None:
    pom = parse_pom(
        b"<project><parent><groupId>g</groupId><artifactId>p</artifactId><version>1</version></parent>"
        b"<artifactId>a</artifactId></project>"
    )
    assert (pom.group_id, pom.artifact_id, pom.version, pom.packaging) == ("g", "a", "1", "jar")


def test_lists_are_bounded() -> None:
    many = b"<dependency><groupId>g</groupId></dependency>" * (MAX_ENTRIES + 1)
    pom = parse_pom(b"<project><dependencies>" + many + b"</dependencies></project>")
    assert len(pom.facts["dependencies"]) == MAX_ENTRIES


@pytest.mark.parametrize(
    "body",
    [b"", b"<project>", b"<settings/>", b'<!DOCTYPE p [<!ENTITY x "y">]><project>&x;</project>', b"<p>&nosuch;</p>"],
)
def test_what_is_no_pom_is_refused(body: bytes) -> None:
    with pytest.raises(BadPackage, match="Invalid POM"):
        parse_pom(body)


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ("<groupId>org.other</groupId>", "groupId of the POM is org.other, that of its path is org.acme"),
        ("<artifactId>other</artifactId>", "artifactId of the POM is other"),
        ("<version>2.0</version>", "version of the POM is 2.0, that of its path is 1.0"),
    ],
)
def test_a_pom_of_another_artifact_is_refused(element: str, message: str) -> None:
    with pytest.raises(BadPackage, match=message):
        check_pom(parse_pom(f"<project>{element}</project>".encode()), GAV)


@pytest.mark.parametrize(
    "body",
    [
        b"<project/>",
        b"<project><groupId>org.acme</groupId><artifactId>app</artifactId><version>${revision}</version></project>",
        b"<project><groupId>${group}</groupId><artifactId>app${suffix}</artifactId></project>",
    ],
)
def test_what_only_maven_can_resolve_is_not_compared(body: bytes) -> None:
    check_pom(parse_pom(body), GAV)


def test_a_snapshot_pom_may_have_either_version() -> None:
    gav = Gav("g", "a", "1-SNAPSHOT", "1-20240101.000000-1", "pom")
    for version in ("1-SNAPSHOT", "1-20240101.000000-1"):
        check_pom(parse_pom(f"<project><version>{version}</version></project>".encode()), gav)


def test_a_generated_pom_is_the_pom_of_its_path() -> None:
    pom = parse_pom(minimal_pom(GAV, "war"))
    check_pom(pom, GAV)
    assert (pom.group_id, pom.artifact_id, pom.version, pom.packaging) == ("org.acme", "app", "1.0", "war")
