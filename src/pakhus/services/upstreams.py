"""What the installed clients would use as their upstream, read from their own configuration at the first start."""

from __future__ import annotations

import asyncio
import glob
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pakhus.kit.format import Clue, Format

SECONDS = 20
PYTHON = "{python}"
"""Stands for the interpreter that runs the server."""
LARGEST_FILE = 4 << 20


async def found(formats: Iterable[Format], configured: Mapping[str, str]) -> dict[str, str]:
    """Format → address: the configured one, else the installed client's. Formats without either are left out."""
    wanted = list(formats)
    answers = await asyncio.gather(*(asyncio.to_thread(_first, format.clues) for format in wanted))
    clued = {format.name: answer for format, answer in zip(wanted, answers, strict=True) if answer}
    return {**clued, **configured}


def _first(clues: Iterable[Clue]) -> str | None:
    for clue in clues:
        for text in _printed(clue) if clue.command else _written(clue):
            address = text.strip().rstrip("/").removesuffix(clue.without)
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and parts.hostname:
                return address.rstrip("/") + "/"
    return None


def _printed(clue: Clue) -> Iterable[str]:
    command = [sys.executable if word == PYTHON else word for word in clue.command]
    if shutil.which(command[0]) is None:
        return ()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return done.stdout.splitlines()[-1:] if done.returncode == 0 else ()


def _written(clue: Clue) -> Iterable[str]:
    for name in sorted(glob.glob(str(Path(clue.glob).expanduser()))):  # noqa: PTH207 -- the pattern is absolute
        root = _root(Path(name), clue.member)
        if root is not None:
            for element in root.findall(clue.xpath):
                yield (element.get(clue.attribute) if clue.attribute else element.text) or ""


def _root(path: Path, member: str) -> Element | None:
    try:
        if member:
            with zipfile.ZipFile(path) as archive:
                return fromstring(archive.read(member))
        if path.stat().st_size > LARGEST_FILE:
            return None
        return fromstring(path.read_bytes())
    except (OSError, KeyError, ParseError, zipfile.BadZipFile, DefusedXmlException):
        return None
