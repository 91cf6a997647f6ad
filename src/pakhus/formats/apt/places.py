"""Where packages belong: the distribution and component that list them, and the path under which they are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.domain.errors import Invalid

DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]*(?:/updates)?")
COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
LAID_OUT = re.compile(r"pool/(?P<component>[^/]+)/(?P<prefix>lib[^/]|[^/])/(?P<source>[^/]+)/[^/]+")
BINARY = (".deb", ".udeb", ".ddeb")
DSC = ".dsc"
PART = re.compile(r"(?P<source>[^_/]+)_(?P<version>[^_/]+?)(?:\.debian|\.orig(?:-[a-zA-Z0-9-]+)?)?"
                  r"(?:\.tar\.(?:gz|xz|bz2|lzma|zst)|\.diff\.gz)(?:\.asc)?")  # fmt: skip
OTHER = (".changes", ".buildinfo")
MAIN = "main"
AT = "at:"
"""Attributes of a component: `at:{path}` lists the places of the file under that path."""

SOURCE = "source"
"""What stands for an architecture where there is none: of source packages."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    distribution: str
    component: str = MAIN

    def __post_init__(self) -> None:
        if not DISTRIBUTION.fullmatch(self.distribution):
            raise Invalid(f"{self.distribution[:80]!r} is not the name of a distribution", field="distribution")
        if not COMPONENT.fullmatch(self.component):
            raise Invalid(f"{self.component[:80]!r} is not the name of a component", field="component")

    @property
    def said(self) -> str:
        """As it is kept among a component's attributes; neither part can have a space."""
        return f"{self.distribution} {self.component}"


def places_at(attributes: Mapping[str, Any], path: str) -> list[Place]:
    """Where the file under a path is listed."""
    return [Place(*said.split(" ")) for said in attributes.get(AT + path, ())]


def suffix_of(filename: str) -> str:
    """`.deb`, `.udeb`, `.ddeb`, or nothing."""
    return next((each for each in BINARY if filename.endswith(each)), "")


def is_kept(filename: str) -> bool:
    """Is this a file that a repository keeps? Indexes are published, not uploaded."""
    known = (*BINARY, DSC, *OTHER)
    return filename.endswith(known) or PART.fullmatch(filename) is not None


def pool_folder(component: str, source: str) -> str:
    """As Debian lays its pool out: `pool/main/h/hello`, `pool/main/libf/libfoo`."""
    prefix = source[:4] if source.startswith("lib") and len(source) > 3 else source[:1]
    return f"pool/{component}/{prefix}/{source}"


def component_of(path: str) -> str:
    """The component that a pool laid out as Debian's tells."""
    found = LAID_OUT.fullmatch(path)
    if found is None or not found["source"].startswith(found["prefix"]):
        return MAIN
    return found["component"]


def split_matrix(path: str) -> tuple[str, dict[str, Sequence[str]]]:
    """`a.deb;deb.distribution=x,y;deb.component=z`: the path, and the values by the parameters' last words."""
    bare, *matrix = path.split(";")
    found: dict[str, Sequence[str]] = {}
    for each in matrix:
        name, equals, value = each.partition("=")
        if not equals:
            raise Invalid(f"{each[:80]!r} is not a parameter")
        word = name.strip().removeprefix("deb.")
        found[word] = (*found.get(word, ()), *(part for part in value.split(",") if part))
    return bare, found
