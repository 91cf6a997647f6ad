"""Raw: files under paths."""

from __future__ import annotations

from tests.samples import Release, Request, Sample


def _file(path: str, body: bytes) -> Release:
    return Release([Request("PUT", path, body)], {path: body}, [Request("DELETE", path)])


SAMPLE = Sample(
    format="raw",
    first=_file("tools/alpha/1.0/alpha.bin", b"alpha 1.0 \x00\xff" * 500),
    second=_file("tools/alpha/2.0/alpha.bin", b"alpha 2.0 \x00\xff" * 700),
    other=_file("docs/a file with blanks & ümlauts+plus.txt", "grüße".encode()),
    pages=(),
    absent="tools/alpha/9.9/alpha.bin",
    big=lambda size: _file("big/blob.bin", b"0123456789abcdef" * (size // 16)),
    malformed=(
        Request("PUT", "a/../../etc/passwd", b"x"),
        Request("PUT", "a//b", b"x"),
        Request("PUT", "a/%00b", b"x"),
    ),
)
