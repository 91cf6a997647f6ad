"""Updateinfo: advisories, and which packages they are about. Source: createrepo_c's description of updateinfo.xml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from xml.etree.ElementTree import fromstring, tostring

from pakhus.domain.errors import Invalid
from pakhus.formats.yum import slices

HEAD, TAIL = b'<?xml version="1.0" encoding="UTF-8"?>\n<updates>\n', b"</updates>\n"
_ROOT = re.compile(rb"<updates[\s>/]")
_ID = re.compile(rb"<id\b[^>]*>([^<]*)</id\s*>")


def checked(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Each advisory with its id, as the bytes that it was written in. Raises `Invalid`."""
    if not _ROOT.search(body[:4096]):
        raise Invalid("this is no updateinfo document: its root element is not updates")
    for each in slices.elements(lambda: [body], "update", {}):
        found = _ID.search(each)
        if found is None:
            raise Invalid("an advisory of the updateinfo document has no id")
        yield unescape(found[1].decode()).strip(), each


def merged(bodies: Sequence[bytes]) -> bytes:
    """One document of all. An advisory that several have keeps what the first says, and lists the packages of all."""
    kept: dict[str, list[bytes]] = {}
    for body in bodies:
        for name, each in checked(body):
            known = kept.setdefault(name, [])
            if each not in known:
                known.append(each)
    return HEAD + b"".join(b"  " + _joined(each) + b"\n" for each in kept.values()) + TAIL


def _joined(advisories: Sequence[bytes]) -> bytes:
    if len(advisories) == 1:
        return advisories[0]
    # They were cut out of a document that was checked: there are no entities in them.
    first, *others = (fromstring(each) for each in advisories)  # noqa: S314
    target = first.find("pkglist")
    for other in others:
        if target is None and (found := other.find("pkglist")) is not None:
            first.append(found)
            target = found
            continue
        known = {_packages(each) for each in target} if target is not None else set()
        for collection in other.iterfind("pkglist/collection"):
            if target is not None and _packages(collection) not in known:
                target.append(collection)
    return str(tostring(first, encoding="unicode")).encode()


def _packages(collection: object) -> str:
    return repr(sorted(tuple(sorted(each.attrib.items())) for each in collection.iter("package")))  # type: ignore[attr-defined]
