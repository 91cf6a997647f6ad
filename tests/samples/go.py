"""Go: module zips as `golang.org/x/mod/zip` makes them, put under their path."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

from tests.samples import Page, Release, Request, Sample

ALPHA, BETA = "example.com/Acme/alpha", "example.com/beta"


def archive(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(zipfile.ZipInfo(name), content, compression)
    return out.getvalue()


def gomod(module: str, *requires: str) -> bytes:
    lines = [f"module {module}", "", "go 1.21", *(f"require {each}" for each in requires)]
    return "\n".join([*lines, ""]).encode()


def module_zip(module: str, version: str, *requires: str, **more: bytes) -> bytes:
    """A module with one package, which says its version."""
    package = module.rpartition("/")[2]
    files = {
        "go.mod": gomod(module, *requires),
        "README.md": f"# {package}\n".encode(),
        f"{package}.go": f'package {package}\n\nconst Version = "{version}"\n'.encode(),
        **more,
    }
    return archive({f"{module}@{version}/{name}": content for name, content in files.items()})


def escaped(text: str) -> str:
    return "".join(f"!{each.lower()}" if each.isupper() else each for each in text)


def at(module: str, version: str, suffix: str) -> str:
    return f"{escaped(module)}/@v/{escaped(version)}{suffix}"


def put(module: str, version: str, body: bytes) -> Request:
    return Request("PUT", at(module, version, ".zip"), body, {"content-type": "application/zip"})


def release(module: str, version: str, body: bytes = b"") -> Release:
    body = body or module_zip(module, version)
    path = at(module, version, ".zip")
    return Release(
        [put(module, version, body)],
        {path: body, at(module, version, ".mod"): gomod(module)},
        [Request("DELETE", path)],
    )


def big(size: int) -> Release:
    module, version = "example.com/big", "v1.0.0"
    files = {"go.mod": gomod(module), "padding.bin": b"0123456789abcdef" * (size // 16)}
    named = {f"{module}@{version}/{name}": content for name, content in files.items()}
    return release(module, version, archive(named, compression=zipfile.ZIP_STORED))


def listed(body: bytes) -> set[str]:
    return set(body.decode().split())


def latest(body: bytes) -> set[str]:
    found = json.loads(body)
    assert found["Time"]
    return {found["Version"]}


GOOD = module_zip(ALPHA, "v1.0.0")
PREFIX = f"{ALPHA}@v1.0.0/"
SAMPLE = Sample(
    format="go",
    first=release(ALPHA, "v1.10.0"),
    second=release(ALPHA, "v1.9.0"),
    other=release(BETA, "v0.1.0-RC.1"),
    pages=(
        Page(
            f"{escaped(ALPHA)}/@v/list",
            names=listed,
            before=frozenset({"v1.10.0", "v1.9.0"}),
            after=frozenset({"v1.9.0"}),
        ),
        Page(f"{escaped(ALPHA)}/@latest", names=latest, before=frozenset({"v1.10.0"}), after=frozenset({"v1.9.0"})),
    ),
    absent="example.com/gamma/@v/list",
    big=big,
    malformed=(
        put(ALPHA, "v1.0.0", b""),
        put(ALPHA, "v1.0.0", b"no zip"),
        put(ALPHA, "v1.0.0", GOOD[:-40]),
        put(ALPHA, "v1.0.1", GOOD),
        put(BETA, "v1.0.0", GOOD),
        put(ALPHA, "v2.0.0", module_zip(ALPHA, "v2.0.0")),
        put(ALPHA, "v1.0", module_zip(ALPHA, "v1.0")),
        put(ALPHA, "master", module_zip(ALPHA, "master")),
        put("alpha", "v1.0.0", module_zip("alpha", "v1.0.0")),
        put(ALPHA, "v1.0.0", archive({PREFIX + "go.mod": gomod(BETA)})),
        put(ALPHA, "v1.0.0", archive({PREFIX + "a.go": b"", PREFIX + "A.go": b""})),
        put(ALPHA, "v1.0.0", archive({PREFIX + "sub/go.mod": gomod(BETA)})),
        put(ALPHA, "v1.0.0", archive({PREFIX + "con.go": b""})),
        put(ALPHA, "v1.0.0", archive({"example.com/": b"", PREFIX + "a.go": b""})),
        Request("PUT", at(ALPHA, "v1.0.0", ".mod"), gomod(ALPHA)),
        Request("PUT", "sumdb/example.com/supported", b""),
    ),
)
