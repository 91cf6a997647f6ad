"""The fields of a Chart.yaml, in the types that Helm reads them as.

One entry of the wrong type makes Helm refuse a whole index. Helm itself reads YAML's `appVersion: 1.10` as a string;
so do we, since an index in JSON gives a client no second chance.
Source: helm.sh/docs, "Charts", "The Chart.yaml File"; the index's members from "The Chart Repository Guide".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pakhus.domain.errors import BadPackage


class WrongType(Exception):
    """A value cannot be read as what its field is."""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise WrongType("a string")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongType("true or false")
    return value


def _texts(value: Any) -> list[str]:
    return [_text(each) for each in _list(value)]


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WrongType("a list")
    return [plain(each) for each in value]


def _strings(value: Any) -> dict[str, str]:
    return {_text(key): _text(each) for key, each in _mapping(value).items() if each is not None}


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise WrongType("a mapping")
    return value


def _all(kinds: Mapping[str, Kind]) -> Kind:
    """A list of mappings, each with members of these kinds."""

    def read(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise WrongType("a list")
        return [_members(each, kinds, strict=True) for each in value]

    return read


Kind = Callable[[Any], Any]

_MAINTAINER: Mapping[str, Kind] = dict.fromkeys(("name", "email", "url"), _text)
_DEPENDENCY: Mapping[str, Kind] = {
    **dict.fromkeys(("name", "version", "repository", "condition", "alias"), _text),
    "tags": _texts,
    "enabled": _flag,
    "import-values": _list,
}
_CHART: Mapping[str, Kind] = {
    **dict.fromkeys(("name", "home", "version", "description", "icon", "condition", "tags", "type"), _text),
    **dict.fromkeys(("apiversion", "appversion", "kubeversion", "tillerversion", "engine", "checksum", "url"), _text),
    "sources": _texts,
    "keywords": _texts,
    "maintainers": _all(_MAINTAINER),
    "dependencies": _all(_DEPENDENCY),
    "deprecated": _flag,
    "removed": _flag,
    "annotations": _strings,
}
"""By their names in lower case: Go's JSON reader takes any case for its fields."""


def fields(document: Any, *, strict: bool) -> dict[str, Any]:
    """All members as JSON can carry them, known ones in their types, without nulls.

    What is of a wrong type is refused if `strict` (`BadPackage`), else left out.
    """
    try:
        return _members(document, _CHART, strict=strict)
    except WrongType as wrong:
        raise BadPackage(f"Chart.yaml is not readable: it should be {wrong}") from wrong


def _members(document: Any, kinds: Mapping[str, Kind], *, strict: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in _mapping(document).items():
        if value is None:
            continue
        name = key if isinstance(key, str) else str(key)
        try:
            found[name] = kinds.get(name.lower(), plain)(value)
        except WrongType as wrong:
            if strict:
                raise BadPackage(f"Chart.yaml is not readable: {name} should be {wrong}") from wrong
        except BadPackage:
            if strict:
                raise
    return found


def plain(value: Any) -> Any:
    """The value as JSON can carry it: whatever YAML has beyond that becomes text."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each) for each in value]
    return str(value)
