"""Maven 2: the repository layout as Maven, Gradle, sbt and Ivy use it.

Sources: the "Maven2 repository layout", "Maven Metadata" and "archetype catalog" models of the Maven project; Nexus's
words for policies, upload and search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError
from pakhus.domain.repository import RepositoryType
from pakhus.domain.security import Permission
from pakhus.formats.maven.documents import (
    CHECKSUM_PATH,
    METADATA_PATH,
    CatalogDocument,
    MetadataDocument,
    keep_derived,
    take_catalog,
    take_checksum,
    take_metadata,
)
from pakhus.formats.maven.files import Artifact
from pakhus.formats.maven.layout import CATALOG, parse
from pakhus.formats.maven.policy import MavenSettings
from pakhus.formats.maven.upload import UPLOAD
from pakhus.formats.maven.usage import USAGE
from pakhus.kit.context import Reply, Settings
from pakhus.kit.format import Action, Checksum, Clue, Format
from pakhus.kit.versions import maven_key, maven_prerelease
from pakhus.kit.wire import dump_json

MODEL_BUILDER = "/usr/share/maven*/lib/maven-model-builder*.jar"
SUPER_POM = "org/apache/maven/model/pom-4.0.0.xml"


class Maven(Format):
    name = "maven2"
    segment = "maven"
    routes = (
        Action("PUT", METADATA_PATH, take_metadata),
        Action("DELETE", METADATA_PATH, keep_derived, needs=Permission.DELETE),
        Action("PUT", CATALOG, take_catalog),
        Action("DELETE", CATALOG, keep_derived, needs=Permission.DELETE),
        Action("PUT", CHECKSUM_PATH, take_checksum),
        Action("DELETE", CHECKSUM_PATH, keep_derived, needs=Permission.DELETE),
        Checksum(CHECKSUM_PATH),
        MetadataDocument(),
        CatalogDocument(),
        Artifact(),
    )
    settings: ClassVar[Mapping[RepositoryType, type[Settings]]] = {
        RepositoryType.HOSTED: MavenSettings,
        RepositoryType.PROXY: MavenSettings,
    }
    upload = UPLOAD
    search: ClassVar[Mapping[str, str]] = {
        "maven.groupId": "namespace",
        "maven.artifactId": "name",
        "maven.baseVersion": "asset.baseVersion",
        "maven.extension": "asset.extension",
        "maven.classifier": "asset.classifier",
        "gavec": "asset.gavec",
    }
    usage = USAGE
    clues = (
        Clue(glob="~/.m2/settings.xml", xpath="{*}mirrors/{*}mirror[{*}mirrorOf='*']/{*}url"),
        Clue(glob="~/.m2/settings.xml", xpath="{*}mirrors/{*}mirror[{*}mirrorOf='central']/{*}url"),
        Clue(glob=MODEL_BUILDER, member=SUPER_POM, xpath="{*}repositories/{*}repository/{*}url"),
    )

    def starters(self, upstream: str | None) -> Sequence[tuple[str, dict[str, Any]]]:
        """The names that Nexus's users know."""
        releases = {"versionPolicy": "RELEASE", "layoutPolicy": "STRICT"}
        snapshots = {"versionPolicy": "SNAPSHOT", "layoutPolicy": "STRICT"}
        once = {"storage": {"writePolicy": "ALLOW_ONCE"}}
        found: list[tuple[str, dict[str, Any]]] = [
            ("hosted", {"name": "maven-releases", "maven": releases, **once}),
            ("hosted", {"name": "maven-snapshots", "maven": snapshots}),
        ]
        if upstream is not None:
            central = {"remoteUrl": upstream, "contentMaxAge": -1}
            policies = {"versionPolicy": "RELEASE", "layoutPolicy": "PERMISSIVE"}
            found.append(("proxy", {"name": "maven-central", "proxy": central, "maven": policies}))
        members = [body["name"] for _, body in found]
        return [*found, ("group", {"name": "maven-public", "group": {"memberNames": members}})]

    def problem(self, error: PakhusError) -> Reply:
        """RFC 9457, which Maven prints since its resolver knows it; older ones print the reason phrase."""
        title = HTTPStatus(error.status).phrase
        body = {"type": "about:blank", "title": title, "status": error.status, "detail": error.message}
        return Reply(error.status, dump_json(body) + b"\n", {"content-type": "application/problem+json"})

    def version_key(self, version: str) -> Any:
        return maven_key(version)

    def prerelease(self, version: str) -> bool:
        return maven_prerelease(version)

    def browse(self, asset: Asset) -> Sequence[str]:
        """As Nexus shows it: the files of a timestamped build stand in a folder of their own."""
        gav = parse(asset.path)
        segments = asset.path.split("/")
        return [*segments[:-1], gav.version, segments[-1]] if gav is not None and gav.is_timestamped else segments

    def describe(self, asset: Asset) -> Mapping[str, Any]:
        gav = parse(asset.path)
        if gav is None:
            return {}
        members = {
            "groupId": gav.group_id,
            "artifactId": gav.artifact_id,
            "version": gav.base_version,
            "extension": gav.full_extension,
        }
        return {**members, "classifier": gav.classifier} if gav.classifier else members
