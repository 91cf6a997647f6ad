"""npm: what `npm publish` sends, for a scoped and an unscoped package."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from tests.samples import Page, Release, Request, Sample

JSON = {"content-type": "application/json"}
ABBREVIATED = {"accept": "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"}
ALPHA, BETA = "@acme/alpha", "beta.js"


def tarball(name: str, version: str, padding: bytes = b"") -> bytes:
    """A package with one module and its README."""
    plain = io.BytesIO()
    manifest = json.dumps({"name": name, "version": version, "description": f"The {name}"}).encode()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for file, content in (
            ("package.json", manifest),
            ("index.js", b"module.exports = 1\n"),
            ("README.md", f"# {name}\n".encode()),
            *((("padding.bin", padding),) if padding else ()),
        ):
            member = tarfile.TarInfo(f"package/{file}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), 0 if padding else 6, mtime=0)


def document(name: str, version: str, body: bytes, tag: str = "latest", **dist: str) -> dict[str, Any]:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
    promised = {"integrity": integrity, "shasum": hashlib.sha1(body).hexdigest(), **dist}
    return {
        "_id": name,
        "name": name,
        "dist-tags": {tag: version},
        "versions": {
            version: {
                "name": name,
                "version": version,
                "description": f"The {name}",
                "_id": f"{name}@{version}",
                "dist": {**promised, "tarball": f"http://localhost/{name}-{version}.tgz"},
            }
        },
        "_attachments": {
            f"{name}-{version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(body).decode(),
                "length": len(body),
            }
        },
    }


def put(name: str, sent: object) -> Request:
    return Request("PUT", name.replace("/", "%2f"), json.dumps(sent).encode(), JSON)


def release(name: str, version: str, *, tag: str = "latest", body: bytes = b"") -> Release:
    body = body or tarball(name, version)
    path = f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    return Release(
        [put(name, document(name, version, body, tag))], {path: body}, [Request("DELETE", f"{path}/-rev/1-0")]
    )


def versions(body: bytes) -> set[str]:
    found = json.loads(body)
    return {f"{found['name']}@{version}" for version in found["versions"]}


def results(body: bytes) -> set[str]:
    return {f"{one['package']['name']}@{one['package']['version']}" for one in json.loads(body)["objects"]}


def tarballs(body: bytes) -> list[str]:
    return [manifest["dist"]["tarball"] for manifest in json.loads(body)["versions"].values()]


def page(path: str, first: str, rest: set[str], **more: Any) -> Page:
    return Page(path, before=frozenset({first, *rest}), after=frozenset(rest), **more)


NEWER, OLDER = f"{ALPHA}@1.1.0", f"{ALPHA}@1.0.0"
GOOD = tarball(ALPHA, "1.0.0")
SAMPLE = Sample(
    format="npm",
    first=release(ALPHA, "1.1.0"),
    second=release(ALPHA, "1.0.0", tag="old"),
    other=release(BETA, "2.0.0-rc.1"),
    pages=(
        page(ALPHA, NEWER, {OLDER}, names=versions, links=tarballs),
        page(ALPHA.replace("/", "%2f"), NEWER, {OLDER}, names=versions, links=tarballs, headers=ABBREVIATED),
        Page(
            "-/v1/search?text=the&size=20&from=0",
            names=results,
            before=frozenset({NEWER, f"{BETA}@2.0.0-rc.1"}),
            after=frozenset({OLDER, f"{BETA}@2.0.0-rc.1"}),
        ),
    ),
    absent="@acme/gamma",
    big=lambda size: release("big", "1.0.0", body=tarball("big", "1.0.0", b"0123456789abcdef" * (size // 16))),
    malformed=(
        Request("PUT", ALPHA, b"", JSON),
        Request("PUT", ALPHA, b"[]", JSON),
        Request("PUT", ALPHA, json.dumps(document(ALPHA, "1.0.0", GOOD)).encode()[:-40], JSON),
        put(BETA, document(ALPHA, "1.0.0", GOOD)),
        put(ALPHA, document(ALPHA, "1.0.1", GOOD)),
        put(ALPHA, document(ALPHA, "1.0", tarball(ALPHA, "1.0"))),
        put(ALPHA, document(ALPHA, "1.0.0", b"no tarball")),
        put(ALPHA, document(ALPHA, "1.0.0", GOOD, shasum="0" * 40)),
        put("@acme/Alpha", document("@acme/Alpha", "1.0.0", tarball("@acme/Alpha", "1.0.0"))),
        put(ALPHA, document(ALPHA, "1.0.0", GOOD, tag="1.x")),
        Request("PUT", f"-/package/{ALPHA}/dist-tags/next", b'"1.0.0"', JSON),
        Request("DELETE", f"{ALPHA}/-rev/1-0"),
    ),
)
