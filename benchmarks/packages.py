"""Packages with many versions, made here: an npm packument and the wheels of a PyPI project."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

NPM_NAME = "bench-package"
PYPI_NAME = "bench-project"
STARTED = "2026-01-01T00:00:00.000Z"


def npm_version(number: int) -> dict[str, Any]:
    """A manifest of usual size."""
    return {
        "name": NPM_NAME,
        "version": f"1.{number}.0",
        "description": "A package of the benchmark",
        "main": "index.js",
        "license": "MIT",
        "keywords": ["bench", "mark"],
        "scripts": {"test": "node test.js", "build": "node build.js"},
        "dependencies": {f"dependency-{n}": f"^{n}.{number}.0" for n in range(8)},
        "devDependencies": {f"tool-{n}": f"~{n}.1.0" for n in range(8)},
        "maintainers": [{"name": "bench", "email": "bench@example.org"}],
        "engines": {"node": ">=20"},
    }


def npm_tarball(number: int) -> bytes:
    """A tarball with nothing in it but its manifest."""
    manifest, packed = json.dumps(npm_version(number)).encode(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    return packed.getvalue()


def with_dist(number: int, url: str, body: bytes) -> dict[str, Any]:
    integrity = base64.b64encode(hashlib.sha512(body).digest()).decode()
    dist = {"shasum": hashlib.sha1(body).hexdigest(), "integrity": f"sha512-{integrity}"}
    file = f"{NPM_NAME}-1.{number}.0.tgz"
    return {
        **npm_version(number),
        "_id": f"{NPM_NAME}@1.{number}.0",
        "dist": {**dist, "tarball": f"{url}/{NPM_NAME}/-/{file}"},
    }


def npm_packument(count: int, url: str) -> dict[str, Any]:
    """A packument as a registry keeps it."""
    versions = {f"1.{n}.0": with_dist(n, url, npm_tarball(n)) for n in range(count)}
    times = dict.fromkeys(versions, STARTED)
    return {
        "_id": NPM_NAME,
        "name": NPM_NAME,
        "versions": versions,
        "dist-tags": {"latest": f"1.{count - 1}.0"},
        "time": {"created": STARTED, "modified": STARTED, **times},
        "_attachments": {},
    }


def npm_publication(number: int, url: str) -> dict[str, Any]:
    """What a client PUTs to publish one version."""
    body = npm_tarball(number)
    attachment = {"content_type": "application/octet-stream", "data": base64.b64encode(body).decode()}
    version = f"1.{number}.0"
    return {
        "_id": NPM_NAME,
        "name": NPM_NAME,
        "dist-tags": {"latest": version},
        "versions": {version: with_dist(number, url, body)},
        "_attachments": {f"{NPM_NAME}-{version}.tgz": {**attachment, "length": len(body)}},
    }


def wheel(number: int) -> tuple[str, bytes]:
    """File name and bytes of a wheel with nothing in it but its metadata."""
    stem, version = PYPI_NAME.replace("-", "_"), f"1.{number}.0"
    files: Mapping[str, str] = {
        "METADATA": f"Metadata-Version: 2.1\nName: {PYPI_NAME}\nVersion: {version}\nRequires-Python: >=3.9\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{stem}-{version}.dist-info/{name}", text)
    return f"{stem}-{version}-py3-none-any.whl", packed.getvalue()


def upload_fields(number: int, body: bytes) -> dict[str, str]:
    """The form fields of a legacy upload."""
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": PYPI_NAME,
        "version": f"1.{number}.0",
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "requires_python": ">=3.9",
        "sha256_digest": hashlib.sha256(body).hexdigest(),
        "md5_digest": hashlib.md5(body).hexdigest(),
    }
