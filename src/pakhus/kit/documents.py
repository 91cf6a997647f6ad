"""Documents: JSON, XML and YAML, refused with `Invalid` where they are malformed or hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import pydantic_core
import yaml
from defusedxml import DefusedXmlException
from defusedxml import ElementTree as defused

from pakhus.domain.errors import Invalid

MAX_DEPTH = 200
"""Nesting of a document: what the JSON parser allows, asked of XML and YAML too."""
MAX_YAML_NODES = 5_000_000

# JSON

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def parse_json(body: bytes) -> Any:
    """The document; of repeated members the last. Raises `Invalid` with the position (RFC 8259).

    Half of a surrogate pair becomes U+FFFD: JavaScript's clients cut text in the middle of a character.
    """
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        mended = _ESCAPE.sub(lambda m: rb"\ufffd" if m[1] else m[0], body)
        if mended == body:
            raise Invalid(f"malformed JSON: {error}") from error
    try:
        return pydantic_core.from_json(mended, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid(f"malformed JSON: {error}") from error


def dump_json(value: Any) -> bytes:
    """Compact UTF-8."""
    return pydantic_core.to_json(value, inf_nan_mode="null")


# XML


def parse_xml(body: bytes) -> Element:
    """The root. Raises `Invalid` for malformed XML, for entities of any kind, and for absurd nesting."""
    try:
        root: Element = defused.fromstring(body)
    except ParseError as error:
        raise Invalid(f"malformed XML: {error}") from error
    except DefusedXmlException as error:
        raise Invalid("XML with entities or external references is refused") from error
    except (ValueError, LookupError) as error:
        raise Invalid(f"malformed XML: {error}") from error
    level: list[Element] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return root
    raise Invalid(f"the XML is nested more than {MAX_DEPTH} deep")


# YAML


class _Loader(yaml.CSafeLoader):
    """Timestamps stay the strings that were written."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def _as_written(loader: _Loader, node: yaml.ScalarNode) -> Any:
    return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def parse_yaml(body: bytes) -> Any:
    """The one document in the body. Raises `Invalid` with the position.

    Also for nesting and for aliases that stand for more than they may, both before anything is built of them.
    """
    try:
        _weigh(yaml.parse(body, Loader=_Loader))
        return yaml.load(body, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise Invalid(f"malformed YAML: {error.problem or error.context}{where}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise Invalid(f"malformed YAML: {error}") from error


def _weigh(events: Iterable[yaml.Event]) -> None:
    """Refuse by the events alone: the composer recurses on C's stack, where no limit holds."""
    sizes: dict[str, int] = {}
    total = 0
    open_nodes: list[tuple[str | None, int]] = []
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise Invalid(f"malformed YAML: the alias {event.anchor} refers to nothing before it")
            total += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if len(open_nodes) > MAX_DEPTH:
            raise Invalid(f"the YAML is nested more than {MAX_DEPTH} deep")
        if total > MAX_YAML_NODES:
            raise Invalid("the YAML stands for too many values: this may be an alias bomb")


def dump_yaml(value: Any) -> bytes:
    """UTF-8, in the order of the members, without aliases."""
    written: bytes = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, encoding="utf-8", width=1000)
    return written
