"""Packages of every kind, made on the spot."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

POM = """<?xml version="1.0"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>com.acme</groupId><artifactId>parent</artifactId><version>2.0</version></parent>
  <artifactId>tool</artifactId>
</project>"""
PROPERTIES = "#made by a test\nversion=1.5\ngroupId=com.acme\nartifactId=lib\n"


def tar(file: Path, members: Mapping[str, str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return file


def zipped(file: Path, members: Mapping[str, str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file


def plain(file: Path, text: str = "x") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def mixed(folder: Path) -> Path:
    """A folder as a build leaves it: a file of each kind."""
    zipped(folder / "demo-1.0-py3-none-any.whl", {"demo/__init__.py": ""})
    tar(folder / "demo-1.0.tar.gz", {"demo-1.0/setup.py": "", "demo-1.0/PKG-INFO": ""})
    tar(folder / "acme-demo-1.0.0.tgz", {"package/index.js": "", "package/package.json": "{}"})
    tar(folder / "chart-0.1.0.tgz", {"chart/Chart.yaml": ""})
    zipped(folder / "lib-1.5.jar", {"META-INF/maven/com.acme/lib/pom.properties": PROPERTIES})
    plain(folder / "tool.pom", POM)
    plain(folder / "m2" / "org" / "x" / "y" / "1.0" / "y-1.0.jar")
    plain(folder / "m2" / "org" / "x" / "y" / "1.0" / "y-1.0.jar.sha1")
    plain(folder / "m2" / "org" / "x" / "y" / "1.0" / "_remote.repositories")
    plain(folder / "notes" / "read me.txt")
    return folder
