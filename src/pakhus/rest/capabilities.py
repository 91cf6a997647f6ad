"""Capabilities (`/v1/capabilities`): only those are taken that do something here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pakhus.domain.errors import Invalid
from pakhus.rest.bodies import NullIsEmpty, Shape, Taking, Text
from pakhus.rest.rights import Here, needs
from pakhus.services.capabilities import TYPES, Capability, type_of

router = APIRouter(prefix="/capabilities", tags=["capabilities"])


class CapabilityChangeXO(Shape):
    id: str | None = None
    type: Text
    notes: Annotated[str, NullIsEmpty] = ""
    enabled: bool = True
    properties: dict[str, str] = {}

    def capability(self) -> Capability:
        return Capability("", self.type, self.notes, self.enabled, self.properties)


class CapabilityXO(Shape):
    id: str
    type: str
    notes: str
    enabled: bool
    properties: dict[str, str]
    active: bool
    error: bool
    state: str
    type_name: str
    description: str


class FieldXO(Shape):
    id: str
    label: str
    help_text: str
    required: bool
    type: str = "string"


class CapabilityTypeXO(Shape):
    id: str
    name: str
    about: str
    form_fields: list[FieldXO]


Body = Annotated[CapabilityChangeXO, Depends(Taking(CapabilityChangeXO))]


@router.get("", dependencies=needs("capabilities", "read"))
async def everything(services: Here) -> list[CapabilityXO]:
    return [_shown(each) for each in await services.capabilities.everything()]


@router.get("/types", dependencies=needs("capabilities", "read"))
async def types() -> list[CapabilityTypeXO]:
    return [
        CapabilityTypeXO(
            id=each.id,
            name=each.name,
            about=each.about,
            form_fields=[
                FieldXO(id=one.id, label=one.label, help_text=one.help, required=one.required)
                for one in each.properties
            ],
        )
        for each in TYPES
    ]


@router.post("", dependencies=needs("capabilities", "create"))
async def create(body: Body, services: Here) -> CapabilityXO:
    return _shown(await services.capabilities.create(body.capability()))


@router.put("/{id}", dependencies=needs("capabilities", "update"), status_code=204, response_class=Response)
async def update(id: str, body: Body, services: Here) -> None:
    if body.id not in (None, "", id):
        raise Invalid("must be the one in the path", field="id")
    await services.capabilities.update(id, body.capability())


@router.delete("/{id}", dependencies=needs("capabilities", "delete"), status_code=204, response_class=Response)
async def delete(id: str, services: Here) -> None:
    await services.capabilities.delete(id)


def _shown(found: Capability) -> CapabilityXO:
    type = type_of(found.type)
    return CapabilityXO(
        id=found.id,
        type=found.type,
        notes=found.notes,
        enabled=found.enabled,
        properties=dict(found.properties),
        active=found.enabled,
        error=False,
        state="active" if found.enabled else "disabled",
        type_name=type.name if type else found.type,
        description=type.about if type else "",
    )
