"""Maven 2: a SNAPSHOT and a release of a plugin, and an application, as `mvn deploy` sends them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from tests.samples import Page, Release, Request, Sample

NAME = "greeter-maven-plugin"
FOLDER = f"org/acme/{NAME}"
BUILD = "2.0-20240506.070809-3"


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
            f"{FOLDER}/2.0-SNAPSHOT/{NAME}-{BUILD}.jar": b"greeter 2.0 \x00\xff" * 500,
            f"{FOLDER}/2.0-SNAPSHOT/{NAME}-{BUILD}.pom": pom(NAME, "2.0-SNAPSHOT", "maven-plugin"),
            f"{FOLDER}/2.0-SNAPSHOT/{NAME}-{BUILD}-sources.jar": b"sources of greeter",
        },
        f"{FOLDER}/2.0-SNAPSHOT/maven-metadata.xml",
    ),
    second=deployed(
        {
            f"{FOLDER}/1.0/{NAME}-1.0.jar": b"greeter 1.0 \x00\xff" * 500,
            f"{FOLDER}/1.0/{NAME}-1.0.pom": pom(NAME, "1.0", "maven-plugin"),
            f"{FOLDER}/1.0/{NAME}-1.0.jar.asc": b"-----BEGIN PGP SIGNATURE-----\n",
        },
        f"{FOLDER}/maven-metadata.xml",
    ),
    other=deployed(
        {"org/acme/app/1.0/app-1.0.war": b"an app", "org/acme/app/1.0/app-1.0.pom": pom("app", "1.0", "war")},
        "org/acme/app/maven-metadata.xml",
    ),
    pages=(
        Page(
            f"{FOLDER}/maven-metadata.xml",
            lambda body: texts(body, "version", "latest", "release"),
            before=frozenset({"1.0", "2.0-SNAPSHOT"}),
            after=frozenset({"1.0"}),
        ),
        Page(
            f"{FOLDER}/2.0-SNAPSHOT/maven-metadata.xml",
            lambda body: texts(body, "value", "extension", "classifier", "version"),
            before=frozenset({"2.0-SNAPSHOT", BUILD, "jar", "pom", "sources"}),
            after=frozenset(),
        ),
        Page(
            "org/acme/maven-metadata.xml",
            lambda body: texts(body, "prefix"),
            before=frozenset({"greeter"}),
            after=frozenset({"greeter"}),
        ),
    ),
    settings={type: {"maven": {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}} for type in ("hosted", "proxy")},
    absent=f"{FOLDER}/9.9/{NAME}-9.9.jar",
    big=big,
    malformed=(
        Request("PUT", f"{FOLDER}/1.0/{NAME}-1.0.pom", b"<project>"),
        Request("PUT", f"{FOLDER}/1.0/{NAME}-1.0.pom", pom("other", "1.0", "jar")),
        Request("PUT", f"{FOLDER}/1.0/other-1.0.jar", b"x"),
        Request("PUT", "app.jar", b"x"),
        Request("PUT", f"{FOLDER}/maven-metadata.xml", b"<html/>"),
        Request("PUT", f"{FOLDER}/1.0/{NAME}-1.0.jar.sha1", b"no digest"),
    ),
)
