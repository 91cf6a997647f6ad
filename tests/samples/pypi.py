"""PyPI: a wheel, a source distribution, and a wheel of another project, as their client uploads them."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from html import unescape

from tests.samples import Page, Release, Request, Sample
from tests.samples.pypi_packages import core_metadata, multipart, sdist, wheel, wheel_name

JSON = {"accept": "application/vnd.pypi.simple.v1+json"}
_ANCHOR = re.compile(r'<a href="([^"]+)"[^>]*>([^<]+)</a>')


def post(filename: str, content: bytes, *, path: str = "", **fields: str) -> Request:
    digests = {
        "md5_digest": hashlib.md5(content).hexdigest(),
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
    }
    form = {":action": "file_upload", "protocol_version": "1", **digests, **fields}
    body, content_type = multipart(list(form.items()), {"content": (filename, content)})
    return Request("POST", path, body, {"content-type": content_type})


def _wheel(name: str, version: str, *, compression: int = zipfile.ZIP_DEFLATED, padding: bytes = b"") -> Release:
    files = {"padding.bin": padding} if padding else {}
    content, filename = wheel(name, version, files=files, compression=compression), wheel_name(name, version)
    path = f"packages/{name}/{version}/{filename}"
    return Release(
        [post(filename, content, name=name, version=version, filetype="bdist_wheel")],
        {path: content, f"{path}.metadata": core_metadata(name, version)},
        [Request("DELETE", path)],
    )


def _sdist(name: str, version: str) -> Release:
    content, filename = sdist(name, version), f"{name}-{version}.tar.gz"
    path = f"packages/{name}/{version}/{filename}"
    return Release([post(filename, content, path="legacy/")], {path: content}, [Request("DELETE", path)])


def _anchors(body: bytes) -> list[tuple[str, str]]:
    return [(unescape(url), unescape(text)) for url, text in _ANCHOR.findall(body.decode())]


def _html_names(body: bytes) -> set[str]:
    return {text for _, text in _anchors(body)}


def _html_links(body: bytes) -> list[str]:
    return [url for url, _ in _anchors(body)]


def _json_names(body: bytes) -> set[str]:
    page = json.loads(body)
    return {file["filename"] for file in page["files"]} | set(page["versions"])


def _json_links(body: bytes) -> list[str]:
    return [file["url"] for file in json.loads(body)["files"]]


def _legacy_names(body: bytes) -> set[str]:
    return {version for version, files in json.loads(body)["releases"].items() if files}


def _legacy_links(body: bytes) -> list[str]:
    return [entry["url"] for files in json.loads(body)["releases"].values() for entry in files]


ALPHA_1, ALPHA_2 = wheel_name("alpha", "1.0"), "alpha-2.0.tar.gz"

SAMPLE = Sample(
    format="pypi",
    first=_wheel("alpha", "1.0"),
    second=_sdist("alpha", "2.0"),
    other=_wheel("beta", "0.1"),
    pages=(
        Page("simple/alpha/", _html_names, frozenset({ALPHA_1, ALPHA_2}), frozenset({ALPHA_2}), links=_html_links),
        Page(
            "simple/Alpha",
            _json_names,
            frozenset({ALPHA_1, ALPHA_2, "1.0", "2.0"}),
            frozenset({ALPHA_2, "2.0"}),
            links=_json_links,
            headers=JSON,
        ),
        Page("simple/", _html_names, frozenset({"alpha", "beta"}), frozenset({"alpha", "beta"})),
        Page("pypi/alpha/json", _legacy_names, frozenset({"1.0", "2.0"}), frozenset({"2.0"}), links=_legacy_links),
    ),
    absent="packages/alpha/9.9/alpha-9.9-py3-none-any.whl",
    big=lambda size: _wheel("large", "1.0", compression=zipfile.ZIP_STORED, padding=b"0123456789abcdef" * (size // 16)),
    malformed=(
        Request("POST", "", b"no form", {"content-type": "text/plain"}),
        Request("POST", "", b"--limit\r\nbroken", {"content-type": "multipart/form-data; boundary=limit"}),
        post("alpha-1.0.exe", b"MZ"),
        post(ALPHA_1, b"not an archive"),
        post(ALPHA_1, wheel("beta", "1.0", folder="alpha-1.0.dist-info")),
        post(ALPHA_1, wheel("alpha", "1.0"), md5_digest="0" * 32),
        post(ALPHA_1, wheel("alpha", "1.0"), name="beta"),
        post(ALPHA_1, wheel("alpha", "1.0"), attestations="[{}]"),
        post("alpha-1.0.tar.gz", sdist("alpha", "1.0", metadata=b"")),
    ),
)
