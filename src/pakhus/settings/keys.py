"""The keys of the schema as a flat list: dotted name, environment variable, how a text becomes a value.

The variable's name is derived from the schema, never split at underscores, so that keys of several words
(`http.tls.cert_file` = `PAKHUS_HTTP_TLS_CERT_FILE`) are unambiguous.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr

from pakhus.settings.schema import Settings

PREFIX = "PAKHUS_"
MASK = "********"


class Kind(Enum):
    TEXT = "text"
    LIST = "list"
    MAPPING = "mapping"
    CONFIDENTIAL = "confidential"


@dataclass(frozen=True, slots=True)
class Key:
    """One leaf of the schema. `path` are its steps from the root; `default` is what `Settings()` has."""

    path: tuple[str, ...]
    kind: Kind
    default: Any
    description: str

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        return PREFIX + "_".join(self.path).upper()

    @property
    def is_confidential(self) -> bool:
        """A value that may be given by file (`<variable>_FILE`), as container platforms hand out secrets."""
        return self.kind is Kind.CONFIDENTIAL or self.path == ("database", "dsn")

    def parse(self, text: str) -> Any:
        """The value of an environment variable, before validation. Raises `ValueError` for broken JSON."""
        if self.kind is Kind.LIST and not text.startswith("["):
            return [item.strip() for item in text.split(",") if item.strip()]
        if self.kind in (Kind.LIST, Kind.MAPPING):
            return json.loads(text)
        return text

    def shown(self, value: Any) -> Any:
        """The value for people and JSON, with secrets and passwords inside URLs masked."""
        if isinstance(value, SecretStr):
            return MASK if value.get_secret_value() else ""
        if isinstance(value, dict):
            return {name: without_password(url) for name, url in value.items()}
        if isinstance(value, tuple):
            return list(value)
        if value is None or isinstance(value, bool | int):
            return value
        return without_password(str(value))


def keys(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key, in the order of the schema."""
    for name, field in model.model_fields.items():
        annotation, step = field.annotation, (*path, name)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from keys(annotation, step)
        else:
            default = field.get_default(call_default_factory=True)
            yield Key(step, kind(default), default, field.description or "")


def kind(default: Any) -> Kind:
    match default:
        case SecretStr():
            return Kind.CONFIDENTIAL
        case tuple():
            return Kind.LIST
        case dict():
            return Kind.MAPPING
        case _:
            return Kind.TEXT


def value_at(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for step in path:
        value = getattr(value, step)
    return value


def without_password(text: str) -> str:
    """The text with the password of a URL's user part masked; anything else unchanged."""
    if "@" not in text or "://" not in text:
        return text
    parts = urlsplit(text)
    user, at, host = parts.netloc.rpartition("@")
    if not at or ":" not in user:
        return text
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{MASK}@{host}"))
