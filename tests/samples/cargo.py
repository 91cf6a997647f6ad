"""Cargo: what `cargo publish` sends."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from tests.samples import Page, Release, Request, Sample

OCTETS = {"content-type": "application/octet-stream"}
ALPHA, BETA = "alpha-tools", "Beta"


def crate(
    name: str,
    version: str,
    *,
    manifest: str = "",
    files: Mapping[str, bytes] = {},
    folder: str = "",
    padding: bytes = b"",
) -> bytes:
    """A .crate file as `cargo package` makes it."""
    written = manifest or (
        f'[package]\nname = "{name}"\nversion = "{version}"\ndescription = "The {name}"\nlicense = "MIT"\n'
        f'readme = "README.md"\n\n[dependencies.serde]\nversion = "1"\n'
    )
    content = {"Cargo.toml": written.encode(), "src/lib.rs": b"//! A library\n", "README.md": f"# {name}\n".encode()}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for file, body in {**content, **files, **({"padding.bin": padding} if padding else {})}.items():
            member = tarfile.TarInfo(file if file.startswith("/") else f"{folder or f'{name}-{version}'}/{file}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return gzip.compress(plain.getvalue(), 0 if padding else 6, mtime=0)


def metadata(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "vers": version,
        "deps": [],
        "features": {},
        "authors": [],
        "description": f"The {name}",
        "license": "MIT",
        "links": None,
        **more,
    }


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def put(stated: object, body: bytes) -> Request:
    return Request("PUT", "api/v1/crates/new", framed(json.dumps(stated).encode(), body), OCTETS)


def release(name: str, version: str, body: bytes = b"") -> Release:
    body = body or crate(name, version)
    path = f"crates/{name.lower()}/{name.lower()}-{version}.crate"
    return Release([put(metadata(name, version), body)], {path: body}, [Request("DELETE", path)])


def versions(body: bytes) -> set[str]:
    entries = [json.loads(line) for line in body.splitlines()]
    return {f"{entry['name']}@{entry['vers']}" for entry in entries}


def results(body: bytes) -> set[str]:
    return {f"{one['name']}@{one['max_version']}" for one in json.loads(body)["crates"]}


def owners(body: bytes) -> set[str]:
    return {one["login"] for one in json.loads(body)["users"]}


NEWER, OLDER = f"{ALPHA}@1.1.0", f"{ALPHA}@1.0.0"
OTHER = f"{BETA}@2.0.0-rc.1+build.5"
GOOD = crate(ALPHA, "1.0.0")
SAID = metadata(ALPHA, "1.0.0")
SAMPLE = Sample(
    format="cargo",
    first=release(ALPHA, "1.1.0"),
    second=release(ALPHA, "1.0.0"),
    other=release(BETA, "2.0.0-rc.1+build.5"),
    pages=(
        Page("al/ph/alpha-tools", versions, frozenset({NEWER, OLDER}), frozenset({OLDER})),
        Page("api/v1/crates?q=the&per_page=10", results, frozenset({NEWER, OTHER}), frozenset({OLDER, OTHER})),
        Page(f"api/v1/crates/{ALPHA}/owners", owners, frozenset({"admin"}), frozenset({"admin"})),
    ),
    absent="ga/mm/gamma",
    big=lambda size: release("big", "1.0.0", crate("big", "1.0.0", padding=b"0123456789abcdef" * (size // 16))),
    malformed=(
        Request("PUT", "api/v1/crates/new", b"", OCTETS),
        Request("PUT", "api/v1/crates/new", framed(b"{}"), OCTETS),
        Request("PUT", "api/v1/crates/new", framed(json.dumps(SAID).encode(), GOOD)[:-9], OCTETS),
        Request("PUT", "api/v1/crates/new", framed(json.dumps(SAID).encode(), GOOD) + b"more", OCTETS),
        Request("PUT", "api/v1/crates/new", b"\xff\xff\xff\xff{}", OCTETS),
        put([], GOOD),
        put(SAID, b"no crate"),
        put(metadata(ALPHA, "1.0.1"), GOOD),
        put(metadata("other", "1.0.0"), GOOD),
        put(metadata("1alpha", "1.0.0"), crate("1alpha", "1.0.0")),
        put(metadata("con", "1.0.0"), crate("con", "1.0.0")),
        put(metadata("../alpha", "1.0.0"), GOOD),
        put(metadata(ALPHA, "1.0"), crate(ALPHA, "1.0")),
        put(metadata(ALPHA, "1.0.0", deps=[{"name": "serde"}]), GOOD),
        put(metadata(ALPHA, "1.0.0", deps=[{"name": "serde", "version_req": "1", "kind": "other"}]), GOOD),
        put(metadata(ALPHA, "1.0.0", features={"default": "std"}), GOOD),
        put(SAID, crate(ALPHA, "1.0.0", folder="alpha")),
        put(SAID, crate(ALPHA, "1.0.0", files={"/etc/passwd": b""})),
        put(SAID, crate(ALPHA, "1.0.0", manifest="[package")),
        Request("DELETE", f"api/v1/crates/{ALPHA}/1.0.0/yank"),
        Request("PUT", f"api/v1/crates/{ALPHA}/owners", b'{"users": ["bob"]}', {"content-type": "application/json"}),
    ),
)
