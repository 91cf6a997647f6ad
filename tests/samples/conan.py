"""Conan: what `conan upload` sends: two revisions of one recipe, each with a package, and another recipe."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping

from tests.samples import Page, Release, Request, Sample

ALPHA, BETA = "v2/conans/alpha/1.0/_/_", "v2/conans/beta/2.0/acme/testing"
OLD, NEW, OTHER, BUILT = (f"{number:032x}" for number in (1, 2, 3, 9))
PACKAGE = "a" * 40


def archive(name: str, content: bytes) -> bytes:
    return gzip.compress(name.encode() + content, 0 if len(content) > 1000 else 6, mtime=0)


def conaninfo(**settings: str) -> bytes:
    return ("[settings]\n" + "".join(f"{name}={value}\n" for name, value in settings.items())).encode()


def manifest(files: Mapping[str, bytes], time: int = 1700000000) -> bytes:
    lines = [f"{name}: {hashlib.md5(body).hexdigest()}" for name, body in sorted(files.items())]
    return "\n".join([str(time), *lines, ""]).encode()


def upload(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Path → bytes in the order of the client: by name, the manifest last."""
    complete = {**files, "conanmanifest.txt": manifest(files)}
    return {f"{folder}/files/{name}": complete[name] for name in sorted(complete)}


def put(path: str, body: bytes, sha1: str = "") -> Request:
    return Request("PUT", path, body, {"x-checksum-sha1": sha1 or hashlib.sha1(body).hexdigest()})


def release(recipe: str, revision: str, *, padding: bytes = b"") -> Release:
    above = f"{recipe}/revisions/{revision}"
    source = f'class Recipe(ConanFile):\n    description = "The recipe {revision}"\n    license = "MIT"\n'.encode()
    files = {
        **upload(above, {"conanfile.py": source, "conan_export.tgz": archive("export", revision.encode())}),
        **upload(
            f"{above}/packages/{PACKAGE}/revisions/{BUILT}",
            {
                "conan_package.tgz": archive("package", padding or revision.encode()),
                "conaninfo.txt": conaninfo(os="Linux", build_type=f"Release{revision[-1]}"),
            },
        ),
    }
    return Release([put(path, body) for path, body in files.items()], files, [Request("DELETE", above)])


def revisions(body: bytes) -> set[str]:
    return {entry["revision"] for entry in json.loads(body)["revisions"]}


def latest(body: bytes) -> set[str]:
    return {json.loads(body)["revision"]}


def references(body: bytes) -> set[str]:
    return set(json.loads(body)["results"])


def packages(body: bytes) -> set[str]:
    return {f"{package} {told['settings']['build_type']}" for package, told in json.loads(body).items()}


def urls(body: bytes) -> list[str]:
    return list(json.loads(body).values())


EVERY = frozenset({"alpha/1.0", "beta/2.0@acme/testing"})
HERE = f"{ALPHA}/revisions/{OLD}"
V1 = ALPHA.replace("v2/", "v1/")

SAMPLE = Sample(
    format="conan",
    first=release(ALPHA, OLD),
    second=release(ALPHA, NEW),
    other=release(BETA, OTHER),
    pages=(
        Page(f"{ALPHA}/revisions", revisions, frozenset({OLD, NEW}), frozenset({NEW})),
        Page(f"{ALPHA}/latest", latest, frozenset({NEW}), frozenset({NEW})),
        Page("v2/conans/search?q=*", references, EVERY, EVERY),
        Page("v2/conans/search?q=ALPHA/*", references, frozenset({"alpha/1.0"}), frozenset({"alpha/1.0"})),
        Page("v1/conans/search?q=beta*", references, EVERY - {"alpha/1.0"}, EVERY - {"alpha/1.0"}),
        Page(f"{HERE}/search", packages, frozenset({f"{PACKAGE} Release1"}), frozenset()),
        Page(
            f"{HERE}/files",
            lambda body: set(json.loads(body)["files"]),
            frozenset({"conanfile.py", "conan_export.tgz", "conanmanifest.txt"}),
            frozenset(),
        ),
        Page(f"{HERE}/packages/{PACKAGE}/revisions", revisions, frozenset({BUILT}), frozenset()),
        Page(f"{HERE}/packages/{PACKAGE}/latest", latest, frozenset({BUILT}), frozenset()),
        Page(
            f"{HERE}/packages/{PACKAGE}/revisions/{BUILT}/files",
            lambda body: set(json.loads(body)["files"]),
            frozenset({"conan_package.tgz", "conaninfo.txt", "conanmanifest.txt"}),
            frozenset(),
        ),
    ),
    absent=f"{ALPHA}/revisions/{OTHER}/files/conanfile.py",
    big=lambda size: release("v2/conans/big/1.0/_/_", OLD, padding=b"0123456789abcdef" * (size // 16)),
    malformed=(
        put(f"{HERE}/files/conanfile.py", b"class Recipe: pass\n", sha1="0" * 40),
        put(f"{HERE}/files/conanmanifest.txt", b"<html>busy</html>"),
        put(f"{HERE}/files/conanmanifest.txt", b"1700000000\nconanfile.py: no digest\n"),
        put(f"{HERE}/files/conan_export.tgz", b"no archive"),
        put(f"{HERE}/packages/{PACKAGE}/revisions/{BUILT}/files/conaninfo.txt", b"\xff\xfe"),
        put(f"v2/conans/al pha/1.0/_/_/revisions/{OLD}/files/conanfile.py", b""),
        put("v2/conans/alpha/1.0/_/_/revisions/a b/files/conanfile.py", b""),
        Request("PUT", f"{HERE}/files/conanfile.py", b"", {"x-checksum-deploy": "true"}),
        Request("POST", f"{V1}/upload_urls", b"[]"),
        Request("POST", f"{V1}/upload_urls", b'{"../conanfile.py": 1}'),
        Request("POST", f"{V1}/packages/delete", b"{}"),
        Request("DELETE", ALPHA),
        Request("DELETE", HERE),
    ),
)
