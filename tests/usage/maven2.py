"""Maven: a project is deployed to the repository, and so is a file; what that takes comes through the repository, too.

Gradle and sbt are tried by nobody here: the machines of these tests cannot install them.
"""

from __future__ import annotations

from tests.usage import Trial

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId><artifactId>shown</artifactId><version>1.0</version><packaging>pom</packaging>
  {snippet}
</project>
"""
PARENT = POM.replace("{snippet}", "")
PROGRAMS = {"mvn": "mvn"}
GET = "curl -sf -u {user}:{password} {url}org/example"

TRIALS = {
    "Maven: download": Trial(
        PROGRAMS,
        {"pom.xml": PARENT},
        live="mvn",
        after="mvn -B -q org.apache.maven.plugins:maven-deploy-plugin:3.1.1:help",
    ),
    "Maven: upload": Trial(
        PROGRAMS,
        needs=("Maven: download",),
        around={"pom.xml": POM},
        live="mvn",
        after=f"mvn -B -q deploy\n{GET}/shown/1.0/shown-1.0.pom | grep -q '<artifactId>shown'",
    ),
    "Maven: upload a file": Trial(
        PROGRAMS,
        {"app.jar": b"PK\x05\x06" + bytes(18)},
        needs=("Maven: download",),
        live="mvn",
        after=f"{GET}/app/1.0/app-1.0.jar | cmp - app.jar",
    ),
    "Gradle: download": Trial(untried="Gradle cannot be installed here"),
    "Gradle: upload": Trial(untried="Gradle cannot be installed here"),
    "sbt": Trial(untried="sbt cannot be installed here"),
}
