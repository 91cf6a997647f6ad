"""Distributions made in memory: small, valid, and wrong only where a test asks for it."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

WHEEL_FILE = "Wheel-Version: 1.0\nGenerator: pakhus-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def core_metadata(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    requires_python: str = "",
    summary: str = "A sample",
    extra: Mapping[str, str] | None = None,
    description: str = "",
) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Summary: {summary}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"{key}: {value}" for key, value in (extra or {}).items()]
    return ("\n".join(lines) + "\n\n" + description).encode()


def wheel(
    name: str,
    version: str,
    *,
    module: str = "",
    metadata: bytes | None = None,
    folder: str = "",
    files: Mapping[str, bytes] | None = None,
    requires: Sequence[str] = (),
    requires_python: str = "",
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A pure wheel with one module that prints its version; `metadata=b""` leaves METADATA out."""
    module = module or name.replace("-", "_").replace(".", "_").lower()
    info = folder or f"{module}-{version}.dist-info"
    held = {f"{module}.py": f"VERSION = {version!r}\n".encode(), f"{info}/WHEEL": WHEEL_FILE.encode(), **(files or {})}
    if metadata is None:
        metadata = core_metadata(name, version, requires=requires, requires_python=requires_python)
    if metadata:
        held[f"{info}/METADATA"] = metadata
    record = "".join(f"{path},sha256={_record_digest(body)},{len(body)}\n" for path, body in held.items())
    held[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return zipped(held, compression)


def wheel_name(name: str, version: str) -> str:
    return f"{name.replace('-', '_').replace('.', '_').lower()}-{version}-py3-none-any.whl"


def sdist(name: str, version: str, *, metadata: bytes | None = None, files: Mapping[str, bytes] | None = None) -> bytes:
    root = f"{name}-{version}"
    held = dict(
        files or {"setup.py": f"from setuptools import setup\nsetup(name={name!r}, version={version!r})\n".encode()}
    )
    metadata = core_metadata(name, version) if metadata is None else metadata
    if metadata:
        held["PKG-INFO"] = metadata
    return tarred({f"{root}/{path}": body for path, body in held.items()})


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), content, compression)
    return body.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode=mode) as archive:  # type: ignore[call-overload]
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return body.getvalue()


def _record_digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


def multipart(
    fields: Sequence[tuple[str, str]], files: Mapping[str, tuple[str, bytes]], boundary: str = "limit"
) -> tuple[bytes, str]:
    """The body of a form and its content type; `files` by field: file name and bytes."""
    body = bytearray()
    for name, value in fields:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, (filename, content) in files.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        body += f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n"
    return bytes(body) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
