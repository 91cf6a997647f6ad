"""The Maven format: what it takes, what it knows of a file, how a REST upload becomes paths."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError

from pakhus.domain.content import Asset, Blob, Coordinates, Digests, Query
from pakhus.domain.errors import BadPackage, Invalid, PolicyViolation
from pakhus.domain.repository import RepositoryType
from pakhus.formats.maven import Maven
from pakhus.formats.maven.checksums import digest_in, promises
from pakhus.formats.maven.documents import MetadataDocument
from pakhus.formats.maven.files import Artifact
from pakhus.formats.maven.policy import MavenSettings
from pakhus.formats.maven.upload import check_version, coordinates_of, located
from pakhus.kit.context import Content, Context, Form, Settings, UploadedAsset
from pakhus.kit.format import Action, Checksum, Document, File, Route
from pakhus.kit.wire import parse_json

DIGESTS = Digests("2" * 64, "1" * 40, "5" * 32, "6" * 128)
NOW = datetime(2024, 5, 6, tzinfo=UTC)


def settings(version: str = "MIXED", layout: str = "STRICT", disposition: str | None = None) -> MavenSettings:
    members = {"versionPolicy": version, "layoutPolicy": layout, "contentDisposition": disposition}
    return MavenSettings.model_validate({"maven": members})


def context(path: str, options: Settings | None = None, **params: str) -> Context:
    return Context("r", path, params or {"path": path}, {}, "", options or settings(), str)


def jar(**entries: bytes) -> BinaryIO:
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in entries.items():
            archive.writestr(f"META-INF/maven/{name}.xml", content)
    body.seek(0)
    return body


def route(method: str, path: str) -> Route:
    return Maven().match(method, path)[0]


# -- routes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "org/acme/app/1.0/app-1.0.jar", File),
        ("PUT", "org/acme/app/1.0/app-1.0.jar", File),
        ("GET", "org/acme/app/1.0/app-1.0.jar.sha1", Checksum),
        ("GET", "org/acme/app/1.0/app-1.0.jar.asc.sha512", Checksum),
        ("PUT", "org/acme/app/1.0/app-1.0.jar.md5", Action),
        ("DELETE", "org/acme/app/1.0/app-1.0.jar.md5", Action),
        ("GET", "org/acme/app/maven-metadata.xml", Document),
        ("GET", "org/acme/app/maven-metadata.xml.sha256", Checksum),
        ("PUT", "org/acme/app/maven-metadata.xml", Action),
        ("PUT", "org/acme/app/maven-metadata.xml.sha1", Action),
        ("GET", "archetype-catalog.xml", Document),
        ("GET", "archetype-catalog.xml.sha1", Checksum),
    ],
)
def test_each_path_has_its_kind_of_route(method: str, path: str, kind: type) -> None:
    assert isinstance(route(method, path), kind)


def test_metadata_is_asked_of_what_the_folder_may_be() -> None:
    document = MetadataDocument()
    folder = document.select(context("org/acme/app/maven-metadata.xml", dir="org/acme/app"))
    assert list(folder) == [
        Query("org.acme", "app", assets=False),
        Query("org.acme.app", attributes={"packaging": "maven-plugin"}, assets=False),
    ]
    version = document.select(context("org/acme/app/1-SNAPSHOT/maven-metadata.xml", dir="org/acme/app/1-SNAPSHOT"))
    assert list(version) == [Query("org.acme", "app", attributes={"baseVersion": "1-SNAPSHOT"})]


def test_a_refusal_is_a_problem_document() -> None:
    reply = Maven().problem(PolicyViolation("not here"))
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert parse_json(reply.body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "not here",
    }


# -- settings and policies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("versionPolicy", "release", "must be one of RELEASE, SNAPSHOT, MIXED"),
        ("layoutPolicy", "Loose", "must be one of STRICT, PERMISSIVE"),
        ("contentDisposition", "inline", "must be one of INLINE, ATTACHMENT"),
    ],
)
def test_policies_are_exact_words(member: str, value: str, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        MavenSettings.model_validate({"maven": {member: value}})
    assert [error["msg"] for error in refused.value.errors()] == [words]


def test_a_group_has_no_maven_member() -> None:
    assert "maven" not in Maven().options(RepositoryType.GROUP).model_fields
    assert "maven" in Maven().options(RepositoryType.PROXY).model_fields


RELEASE_PATH = "org/acme/app/1.0/app-1.0.jar"
SNAPSHOT_PATH = "org/acme/app/1.0-SNAPSHOT/app-1.0-20240101.120000-1.jar"


@pytest.mark.parametrize(
    ("policy", "path", "message"),
    [
        ("RELEASE", SNAPSHOT_PATH, "policy: RELEASE does not allow version: 1.0-20240101.120000-1"),
        (
            "RELEASE",
            "org/acme/app/1.0-SNAPSHOT/app-1.0-SNAPSHOT.jar",
            "Repository version policy: RELEASE does not allow version: 1.0-SNAPSHOT",
        ),
        ("SNAPSHOT", RELEASE_PATH, "Repository version policy: SNAPSHOT does not allow version: 1.0"),
        ("MIXED", "notes.txt", "Invalid mavenPath for a Maven 2 repository"),
        ("MIXED", "org/acme/app/1.0/readme.txt", "Invalid mavenPath for a Maven 2 repository"),
    ],
)
def test_what_the_policies_refuse_is_refused_in_nexus_words(policy: str, path: str, message: str) -> None:
    with pytest.raises(PolicyViolation, match=message):
        Artifact().admit(context(path, settings(policy)))


@pytest.mark.parametrize(
    ("policy", "path"),
    [("RELEASE", RELEASE_PATH), ("SNAPSHOT", SNAPSHOT_PATH), ("MIXED", RELEASE_PATH), ("MIXED", SNAPSHOT_PATH)],
)
def test_what_the_policies_allow_is_let_in(policy: str, path: str) -> None:
    Artifact().admit(context(path, settings(policy)))


def test_a_permissive_layout_takes_other_paths() -> None:
    Artifact().admit(context("docs/notes.txt", settings(layout="PERMISSIVE")))
    Artifact().admit(context("docs/notes.txt", Settings()))


@pytest.mark.parametrize("path", [".meta/prefixes.txt", "org/acme/"])
def test_prefix_lists_and_folders_are_never_files(path: str) -> None:
    with pytest.raises(PolicyViolation):
        Artifact().admit(context(path, settings(layout="PERMISSIVE")))


def test_the_search_index_fits_a_strict_layout() -> None:
    Artifact().admit(context(".index/nexus-maven-repository-index.gz"))


def test_snapshot_metadata_is_refused_by_a_release_repository() -> None:
    path = "org/acme/app/1.0-SNAPSHOT/maven-metadata.xml"
    with pytest.raises(PolicyViolation, match=f"RELEASE does not allow metadata in path: {path}"):
        MetadataDocument().admit(context(path, settings("RELEASE"), dir=path.rpartition("/")[0]))
    MetadataDocument().admit(context("org/acme/app/maven-metadata.xml", settings("RELEASE"), dir="org/acme/app"))


def test_an_upstream_listing_is_cut_to_what_downloads_allow() -> None:
    listed = b"<versions><version>1</version><version>2-SNAPSHOT</version></versions>"
    body = b"<metadata><versioning>" + listed + b"</versioning></metadata>"
    model = MetadataDocument().parse(context("a/b/maven-metadata.xml", settings("RELEASE"), dir="a/b"), body)
    assert model.versions == ("1",)


# -- files -------------------------------------------------------------------------------------------------------------


def test_releases_and_timestamped_builds_never_change() -> None:
    artifact = Artifact()
    assert artifact.immutable(context(RELEASE_PATH))
    assert artifact.immutable(context(SNAPSHOT_PATH))
    assert not artifact.immutable(context("org/acme/app/1.0-SNAPSHOT/app-1.0-SNAPSHOT.jar"))
    assert not artifact.immutable(context(RELEASE_PATH + ".asc"))
    assert not artifact.immutable(context("docs/notes.txt"))


def test_only_signatures_and_the_index_may_be_written_again() -> None:
    artifact = Artifact()
    assert artifact.rewritable(context(RELEASE_PATH + ".asc"))
    assert artifact.rewritable(context(".index/nexus-maven-repository-index.gz"))
    assert not artifact.rewritable(context(RELEASE_PATH))
    assert not artifact.rewritable(context("docs/notes.txt"))


def test_a_component_has_the_version_of_the_file() -> None:
    artifact = Artifact()
    assert artifact.identify(context(RELEASE_PATH)) == Coordinates("app", "1.0", "org.acme")
    assert artifact.identify(context(SNAPSHOT_PATH)) == Coordinates("app", "1.0-20240101.120000-1", "org.acme")
    assert artifact.identify(context("docs/notes.txt")) is None


def test_an_asset_knows_its_place_in_the_component() -> None:
    facts = Artifact().inspect(context(SNAPSHOT_PATH.replace(".jar", "-sources.jar")), BytesIO(b"any"))
    assert facts.component == {"baseVersion": "1.0-SNAPSHOT"}
    assert facts.asset == {
        "baseVersion": "1.0-SNAPSHOT",
        "extension": "jar",
        "classifier": "sources",
        "gavec": "org.acme:app:1.0-SNAPSHOT:jar:sources",
    }


def test_a_pom_of_another_artifact_is_refused_on_upload() -> None:
    with pytest.raises(BadPackage):
        Artifact().inspect(context("org/acme/app/1.0/app-1.0.pom"), BytesIO(b"<project><version>2</version></project>"))


def test_a_plugin_jar_tells_its_prefix() -> None:
    descriptor = b"<plugin><name>Tool</name><goalPrefix>acme</goalPrefix></plugin>"
    facts = Artifact().inspect(context(RELEASE_PATH), jar(plugin=descriptor))
    assert facts.component["plugin"] == {"prefix": "acme", "name": "Tool"}


def test_an_archetype_jar_is_marked() -> None:
    facts = Artifact().inspect(context(RELEASE_PATH), jar(**{"archetype-metadata": b"<archetype-descriptor/>"}))
    assert facts.component["archetype"] == "true"


@pytest.mark.parametrize("body", [BytesIO(b"no zip"), BytesIO(b""), jar(plugin=b"<plugin>")])
def test_a_jar_that_cannot_be_read_is_kept_all_the_same(body: BinaryIO) -> None:
    assert Artifact().inspect(context(RELEASE_PATH), body).component == {"baseVersion": "1.0"}


def test_digests_are_sent_along() -> None:
    headers = Artifact().headers(context(RELEASE_PATH), Content("", 1, DIGESTS, {}))
    assert headers["x-checksum-sha1"] == DIGESTS.sha1
    assert "content-disposition" not in headers
    assert Artifact().headers(context(RELEASE_PATH), Content("", None, None, {})) == {}


def test_the_content_disposition_is_the_repositorys() -> None:
    ctx = context(RELEASE_PATH, settings(disposition="ATTACHMENT"))
    headers = Artifact().headers(ctx, Content("", 1, None, {}))
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''app-1.0.jar"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("org/acme/app/1.0/app-1.0.pom", "application/xml"),
        (RELEASE_PATH, "application/java-archive"),
        (RELEASE_PATH + ".asc", "application/pgp-signature"),
        ("org/acme/app/1.0/app-1.0-bin.tar.gz", "application/gzip"),
        ("docs/notes.txt", "text/plain"),
    ],
)
def test_media_types_are_known(path: str, media_type: str) -> None:
    assert Artifact().content_type(context(path)) == media_type


def asset(path: str) -> Asset:
    return Asset(1, "r", path, Blob(1, "default", "k", 1, DIGESTS, NOW), "", None, {}, NOW, NOW)


def test_the_rest_api_sees_the_base_version() -> None:
    assert Maven().describe(asset(SNAPSHOT_PATH)) == {
        "groupId": "org.acme",
        "artifactId": "app",
        "version": "1.0-SNAPSHOT",
        "extension": "jar",
    }
    assert Maven().describe(asset(RELEASE_PATH.replace(".jar", "-sources.jar")))["classifier"] == "sources"
    assert Maven().describe(asset("docs/notes.txt")) == {}


def test_builds_of_a_snapshot_stand_in_folders_of_their_own() -> None:
    assert Maven().browse(asset(SNAPSHOT_PATH))[-3:] == [
        "1.0-SNAPSHOT",
        "1.0-20240101.120000-1",
        "app-1.0-20240101.120000-1.jar",
    ]
    assert Maven().browse(asset(RELEASE_PATH)) == RELEASE_PATH.split("/")


# -- checksums ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"%s", b"%s\n", b"%s  app-1.0.jar\n", b"SHA1(app-1.0.jar)= %s", b"app.jar: %s"])
def test_checksum_files_are_read_in_every_shape(body: bytes) -> None:
    assert digest_in(body.replace(b"%s", b"Ab" * 20), "sha1") == "ab" * 20


@pytest.mark.parametrize("body", [b"", b"ab" * 20, b"ab" * 65, b"no digest"])
def test_what_is_no_checksum_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="no md5 digest"):
        digest_in(body, "md5")


def test_an_upstream_checksum_that_cannot_be_read_promises_nothing() -> None:
    assert promises(b"ab" * 20 + b"  app.jar", "sha1") == {"sha1": "ab" * 20}
    assert promises(b"<html>gone</html>", "sha1") == {}
    assert promises(None, "sha1") == {}


# -- REST upload -------------------------------------------------------------------------------------------------------


class Received:
    """A draft in memory."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body
        self.size = len(body)
        self.digests = DIGESTS

    def open(self) -> BinaryIO:
        return BytesIO(self.body)

    async def cancel(self) -> None:
        pass


def uploaded(part: str, body: bytes = b"", **fields: str) -> UploadedAsset:
    return UploadedAsset(part, "file", Received(body), fields)


GIVEN: Mapping[str, Any] = {"groupId": "org.acme", "artifactId": "app", "version": "1.0"}
GAV = ("org.acme", "app", "1.0")


def test_coordinates_come_from_the_fields() -> None:
    assert coordinates_of(Form(GIVEN, [uploaded("asset1", extension="jar")])) == GAV


def test_coordinates_come_from_the_pom_where_there_is_one() -> None:
    body = b"<project><groupId>g</groupId><artifactId>a</artifactId><version>2</version></project>"
    assert coordinates_of(Form({}, [uploaded("asset1", body, extension="pom")])) == ("g", "a", "2")
    with_classifier = uploaded("asset1", body, extension="pom", classifier="x")
    assert coordinates_of(Form(GIVEN, [with_classifier])) == GAV


def test_missing_fields_are_named() -> None:
    with pytest.raises(Invalid, match="Missing required component field 'Group ID'"):
        coordinates_of(Form({}, [uploaded("asset1", extension="jar")]))
    with pytest.raises(Invalid, match="Missing required asset field 'Extension' on '1'"):
        located(GAV, uploaded("asset1"))


def test_a_pom_with_properties_needs_maven() -> None:
    body = b"<project><groupId>g</groupId><artifactId>a</artifactId><version>${revision}</version></project>"
    with pytest.raises(Invalid, match="use the maven client"):
        coordinates_of(Form({}, [uploaded("asset1", body, extension="pom")]))


def test_fields_become_a_path_of_the_layout() -> None:
    assert located(GAV, uploaded("a", extension=".tar.gz", classifier="bin")) == "org/acme/app/1.0/app-1.0-bin.tar.gz"


@pytest.mark.parametrize("gav", [("../x", "app", "1.0"), ("org.acme", "a/b", "1.0"), ("org..acme", "app", "1.0")])
def test_fields_that_leave_the_layout_are_refused(gav: tuple[str, str, str]) -> None:
    with pytest.raises(PolicyViolation):
        located(gav, uploaded("asset1", extension="jar"))


def test_snapshots_are_left_to_maven() -> None:
    files = [uploaded("asset1", extension="jar")]
    with pytest.raises(PolicyViolation, match="Upload to snapshot repositories not supported, use the maven client"):
        check_version(settings("SNAPSHOT"), "1.0-SNAPSHOT", files)
    with pytest.raises(PolicyViolation, match="cannot upload SNAPSHOT content to RELEASE repositories for file 'file'"):
        check_version(settings("RELEASE"), "1.0-SNAPSHOT", files)
    check_version(settings("RELEASE"), "1.0", files)
    check_version(settings("MIXED"), "1.0-SNAPSHOT", files)
