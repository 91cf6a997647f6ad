"""Maven 2: a release and a SNAPSHOT of one artifact, and a plugin, as `mvn deploy` sends them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from tests.samples import Page, Release, Request, Sample

FOLDER = "org/acme/app"
BUILD = "2.0-20240506.070809-3"
PLUGIN = "org/acme/greeter-maven-plugin/1.0/greeter-maven-plugin-1.0"


def pom(artifact: str, version: str, packaging: str) -> bytes:
    return (
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.acme</groupId>"
        f"<artifactId>{artifact}</artifactId><version>{version}</version><packaging>{packaging}</packaging></project>"
    ).encode()


def metadata(*versions: str) -> bytes:
    """What a client makes of what it knows; the server knows better."""
    listed = "".join(f"<version>{version}</version>" for version in versions)
    return f"<metadata><versioning><versions>{listed}</versions></versioning></metadata>".encode()


def digest(algorithm: str, body: bytes) -> bytes:
    return hashlib.new(algorithm, body).hexdigest().encode()


def deployed(files: Mapping[str, bytes], listing: str) -> Release:
    """Each file is followed by its checksums, and the metadata comes last."""
    requests, readable = [], dict(files)
    for path, body in {**files, listing: metadata("0.1")}.items():
        requests.append(Request("PUT", path, body))
        requests.extend(Request("PUT", f"{path}.{name}", digest(name, body)) for name in ("md5", "sha1"))
    for path, body in files.items():
        readable.update({f"{path}.{name}": digest(name, body) for name in ("md5", "sha1", "sha256", "sha512")})
    return Release(requests, readable, [Request("DELETE", path) for path in files])


def elements(*names: str) -> re.Pattern[str]:
    return re.compile(rf"<(?:{'|'.join(names)})>([^<]*)<")


def texts(body: bytes, *names: str) -> set[str]:
    return set(elements(*names).findall(body.decode()))


def big(size: int) -> Release:
    path = "org/acme/big/1.0/big-1.0.bin"
    body = b"0123456789abcdef" * (size // 16)
    return Release([Request("PUT", path, body)], {path: body}, [Request("DELETE", path)])


SAMPLE = Sample(
    format="maven2",
    first=deployed(
        {
            f"{FOLDER}/1.0/app-1.0.jar": b"app 1.0 \x00\xff" * 500,
            f"{FOLDER}/1.0/app-1.0.pom": pom("app", "1.0", "jar"),
            f"{FOLDER}/1.0/app-1.0-sources.jar": b"sources of app 1.0",
            f"{FOLDER}/1.0/app-1.0.jar.asc": b"-----BEGIN PGP SIGNATURE-----\n",
        },
        f"{FOLDER}/maven-metadata.xml",
    ),
    second=deployed(
        {
            f"{FOLDER}/2.0-SNAPSHOT/app-{BUILD}.jar": b"app 2.0 \x00\xff" * 500,
            f"{FOLDER}/2.0-SNAPSHOT/app-{BUILD}.pom": pom("app", "2.0-SNAPSHOT", "jar"),
        },
        f"{FOLDER}/2.0-SNAPSHOT/maven-metadata.xml",
    ),
    other=deployed(
        {f"{PLUGIN}.jar": b"a plugin", f"{PLUGIN}.pom": pom("greeter-maven-plugin", "1.0", "maven-plugin")},
        "org/acme/maven-metadata.xml",
    ),
    pages=(
        Page(
            f"{FOLDER}/maven-metadata.xml",
            lambda body: texts(body, "version", "latest", "release"),
            before=frozenset({"1.0", "2.0-SNAPSHOT"}),
            after=frozenset({"2.0-SNAPSHOT"}),
        ),
        Page(
            f"{FOLDER}/2.0-SNAPSHOT/maven-metadata.xml",
            lambda body: texts(body, "value", "extension"),
            before=frozenset({BUILD, "jar", "pom"}),
            after=frozenset({BUILD, "jar", "pom"}),
        ),
        Page(
            "org/acme/maven-metadata.xml",
            lambda body: texts(body, "prefix"),
            before=frozenset({"greeter"}),
            after=frozenset({"greeter"}),
        ),
    ),
    settings={type: {"maven": {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}} for type in ("hosted", "proxy")},
    absent=f"{FOLDER}/9.9/app-9.9.jar",
    big=big,
    malformed=(
        Request("PUT", f"{FOLDER}/1.0/app-1.0.pom", b"<project>"),
        Request("PUT", f"{FOLDER}/1.0/app-1.0.pom", pom("other", "1.0", "jar")),
        Request("PUT", f"{FOLDER}/1.0/other-1.0.jar", b"x"),
        Request("PUT", "app.jar", b"x"),
        Request("PUT", f"{FOLDER}/maven-metadata.xml", b"<html/>"),
        Request("PUT", f"{FOLDER}/1.0/app-1.0.jar.sha1", b"no digest"),
    ),
)
