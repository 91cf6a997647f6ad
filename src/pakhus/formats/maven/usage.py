"""How Maven, Gradle and sbt are set up; the client tests run what stands here."""

from __future__ import annotations

from pakhus.kit.format import Snippet

_SETTINGS = """\
<settings>
  <servers>
    <server>
      <id>{name}</id>
      <username>{user}</username>
      <password>{password}</password>
    </server>
  </servers>
  <mirrors>
    <mirror>
      <id>{name}</id>
      <mirrorOf>*</mirrorOf>
      <url>{url}</url>
    </mirror>
  </mirrors>
  <profiles>
    <profile>
      <id>{name}</id>
      <!-- Both addresses are replaced by the mirror; the entries turn SNAPSHOTs on. -->
      <repositories>
        <repository>
          <id>{name}</id>
          <url>{url}</url>
          <releases><enabled>true</enabled></releases>
          <snapshots><enabled>true</enabled></snapshots>
        </repository>
      </repositories>
      <pluginRepositories>
        <pluginRepository>
          <id>{name}</id>
          <url>{url}</url>
          <releases><enabled>true</enabled></releases>
          <snapshots><enabled>true</enabled></snapshots>
        </pluginRepository>
      </pluginRepositories>
    </profile>
  </profiles>
  <activeProfiles>
    <activeProfile>{name}</activeProfile>
  </activeProfiles>
</settings>
"""

_DISTRIBUTION = """\
<distributionManagement>
  <repository>
    <id>{name}</id>
    <url>{url}</url>
  </repository>
  <snapshotRepository>
    <id>{name}</id>
    <url>{url}</url>
  </snapshotRepository>
</distributionManagement>
"""

_GRADLE = """\
repositories {
    maven {
        url "{url}"
        credentials {
            username "{user}"
            password "{password}"
        }
    }
}
"""

_GRADLE_PUBLISH = """\
publishing {
    repositories {
        maven {
            url "{url}"
            credentials {
                username "{user}"
                password "{password}"
            }
        }
    }
}
"""

_SBT = """\
resolvers += "{name}" at "{url}"
publishTo := Some("{name}" at "{url}")
credentials += Credentials("Sonatype Nexus Repository Manager", "{hostname}", "{user}", "{password}")
"""

_DEPLOY = (
    "mvn deploy:deploy-file -DrepositoryId={name} -Durl={url} "
    "-Dfile=app.jar -DgroupId=org.example -DartifactId=app -Dversion=1.0"
)

USAGE = (
    Snippet("Maven: download", _SETTINGS, file="~/.m2/settings.xml", language="xml"),
    Snippet("Maven: upload", _DISTRIBUTION, file="pom.xml", language="xml"),
    Snippet("Maven: upload a file", _DEPLOY),
    Snippet("Gradle: download", _GRADLE, file="build.gradle", language="groovy"),
    Snippet("Gradle: upload", _GRADLE_PUBLISH, file="build.gradle", language="groovy"),
    Snippet("sbt", _SBT, file="build.sbt", language="scala"),
)
