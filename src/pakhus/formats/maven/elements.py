"""Reading and writing the small XML documents of Maven, which are elements with text and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

MAX_TEXT = 4000


def local(element: Element) -> str:
    """An element's name without its namespace: old documents have none."""
    return str(element.tag).rpartition("}")[2]


def children(element: Element | None, name: str) -> Iterator[Element]:
    return (child for child in element if local(child) == name) if element is not None else iter(())


def child(element: Element | None, name: str) -> Element | None:
    return next(children(element, name), None)


def text(element: Element | None, name: str) -> str:
    """The text of a child, cut to `MAX_TEXT` characters; empty when there is none."""
    found = child(element, name)
    return (found.text or "").strip()[:MAX_TEXT] if found is not None else ""


def add(parent: Element, **values: str) -> Element:
    """Append a child for each value that is not empty."""
    for name, value in values.items():
        if value:
            SubElement(parent, name).text = value
    return parent


def rendered(root: Element) -> bytes:
    """The document, indented, with its declaration."""
    indent(root)
    body: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return body + b"\n"
