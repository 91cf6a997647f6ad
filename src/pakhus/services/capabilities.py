"""Capabilities: what Nexus switches on and off at run time, as far as this server has it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pakhus.database import values
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.engine.catalog import Catalog
from pakhus.services.repositories import is_web_address

KEY = "capabilities"
BASE_URL, LEGACY_URLS = "baseurl", "LegacyUrlCapability"


@dataclass(frozen=True, slots=True)
class Property:
    id: str
    label: str
    help: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class CapabilityType:
    id: str
    name: str
    about: str
    properties: tuple[Property, ...] = ()


TYPES = (
    CapabilityType(
        BASE_URL,
        "Base URL",
        "The address that clients use: all links that the server writes begin with it.",
        (Property("url", "URL", "As clients write it, for example behind a reverse proxy"),),
    ),
    CapabilityType(
        LEGACY_URLS,
        "Legacy URL paths",
        "Repositories answer also at the addresses of Nexus 2: /content/repositories/NAME/ and /content/groups/NAME/.",
    ),
)


@dataclass(frozen=True, slots=True)
class Capability:
    id: str
    type: str
    notes: str
    enabled: bool
    properties: Mapping[str, str] = field(default_factory=dict)


class Capabilities:
    """Kept as one server-wide setting: there are few, and every request may ask for them."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def everything(self) -> list[Capability]:
        await self._catalog.refresh()
        return self._kept()

    @property
    def base_url(self) -> str:
        """The address that clients use, if an administrator has set it; without trailing slash."""
        for each in self._kept():
            if each.enabled and each.type == BASE_URL:
                return each.properties["url"].rstrip("/")
        return ""

    @property
    def legacy_urls(self) -> bool:
        return any(each.enabled and each.type == LEGACY_URLS for each in self._kept())

    async def create(self, new: Capability) -> Capability:
        made = Capability(secrets.token_hex(8), new.type, new.notes, new.enabled, new.properties)
        _check(made)
        await self._database.write(_change, None, made)
        await self._catalog.refresh()
        return made

    async def update(self, id: str, changed: Capability) -> None:
        _check(changed)
        await self._database.write(_change, id, Capability(id, *list(asdict(changed).values())[1:]))
        await self._catalog.refresh()

    async def delete(self, id: str) -> None:
        await self._database.write(_change, id, None)
        await self._catalog.refresh()

    def _kept(self) -> list[Capability]:
        return [Capability(**each) for each in self._catalog.values.get(KEY) or ()]


def type_of(id: str) -> CapabilityType | None:
    return next((each for each in TYPES if each.id == id), None)


def _check(new: Capability) -> None:
    known = type_of(new.type)
    if known is None:
        raise Invalid(f"there are no capabilities of type '{new.type}' here", field="type")
    for each in known.properties:
        if each.required and not new.properties.get(each.id, "").strip():
            raise Invalid(f"{each.label} is required", field=f"properties.{each.id}")
    if new.type == BASE_URL and not is_web_address(new.properties["url"]):
        raise Invalid("must be an http or https URL", field="properties.url")


def _change(tx: Transaction, id: str | None, changed: Capability | None) -> None:
    """Put `changed` in the place of the one with this identity; without an identity, add it."""
    kept: list[dict[str, Any]] = list(values.get(tx, KEY) or ())
    if id is not None and not any(each["id"] == id for each in kept):
        raise NotFound(f"Capability '{id}' not found.")
    left = [each for each in kept if each["id"] != id]
    if changed is not None:
        if any(each["type"] == changed.type for each in left):
            raise Invalid(f"there is a capability of type '{changed.type}' already", field="type")
        left.append({**asdict(changed), "properties": dict(changed.properties)})
    values.put(tx, KEY, left)
