"""What a `conanfile.py` says of itself: read from its syntax tree, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

MAX_SIZE = 1 << 20
MAX_TEXT = 4096
TEXTS = ("description", "license", "homepage", "url", "author", "package_type")


def facts(source: bytes) -> Mapping[str, Any]:
    """Description, licence, links, author and topics as far as they are written down as literals; no error if not."""
    if len(source) > MAX_SIZE:
        return {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    stated = dict(_attributes(tree))
    found: dict[str, Any] = {}
    for name in TEXTS:
        value = _joined(stated.get(name))
        if value:
            found[name] = value[:MAX_TEXT]
    topics = stated.get("topics")
    if isinstance(topics, tuple | list):
        found["keywords"] = [str(topic)[:100] for topic in topics[:100]]
    return found


def _attributes(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """The literal attributes of the classes of the file: there is one recipe in it."""
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        for statement in node.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if isinstance(target, ast.Name):
                    value = _literal(statement.value)
                    if value is not None:
                        yield target.id, value


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _joined(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(each) for each in value)
    return " ".join(value.split()) if isinstance(value, str) else ""
