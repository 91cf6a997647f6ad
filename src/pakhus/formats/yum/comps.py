"""Comps: groups of packages that are installed together. Groups of the same id become one, with the packages of all.

Source: the DTD of libcomps.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from pakhus.domain.errors import Invalid
from pakhus.kit.wire import parse_xml

HEAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
"""
KEYED = ("group", "category", "environment")
ROOT = "comps"


def checked(body: bytes) -> Element:
    """The root of a comps document. Raises `Invalid`. Its DOCTYPE, which names a file that nobody has, is left out."""
    root = parse_xml(body)
    if root.tag != ROOT:
        raise Invalid(f"this is no comps document: its root element is {root.tag}")
    for each in root:
        if each.tag in KEYED and not (each.findtext("id") or "").strip():
            raise Invalid(f"a {each.tag} of the comps document has no id")
    return root


def merged(bodies: Sequence[bytes]) -> bytes:
    """One document of all; where two say different things of the same id, the first counts."""
    result = Element(ROOT)
    known: dict[tuple[str, str], Element] = {}
    single: dict[str, Element] = {}
    for body in bodies:
        for each in checked(body):
            key = (each.tag, (each.findtext("id") or "").strip())
            if each.tag in KEYED and key in known:
                _join(known[key], each)
            elif each.tag in KEYED:
                known[key] = each
                result.append(each)
            elif each.tag in single:
                _add(single[each.tag], each)
            else:
                single[each.tag] = each
                result.append(each)
    return HEAD + str(tostring(result, encoding="unicode")).encode() + b"\n"


def _join(known: Element, other: Element) -> None:
    """The lists of one into those of the other: packages of a group, groups of a category or environment."""
    for name in ("packagelist", "grouplist", "optionlist"):
        if (found := other.find(name)) is not None:
            target = known.find(name)
            _add(SubElement(known, name) if target is None else target, found)


def _add(target: Element, other: Element) -> None:
    names = {_what(each) for each in target}
    target.extend(each for each in other if _what(each) not in names)


def _what(entry: Element) -> tuple[str, str]:
    """What an entry of a list is about."""
    return entry.tag, (entry.text or "").strip() or repr(sorted(entry.attrib.items()))
