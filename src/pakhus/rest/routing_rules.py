"""Routing rules (`/v1/routing-rules`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from pakhus.domain.repository import RoutingRule
from pakhus.rest.bodies import AnyCaseUpper, NullIsEmpty, Shape, Taking, Text
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/routing-rules", tags=["routing rules"])


class RoutingRuleXO(Shape):
    """ALLOW lets only matching paths through, BLOCK all but them; a path has its leading slash."""

    name: Text
    description: Annotated[str, NullIsEmpty] = ""
    mode: Annotated[Literal["ALLOW", "BLOCK"], AnyCaseUpper]
    matchers: Annotated[list[str], Field(min_length=1)]

    def rule(self) -> RoutingRule:
        return RoutingRule(self.name, self.mode, tuple(self.matchers), self.description)


Body = Annotated[RoutingRuleXO, Depends(Taking(RoutingRuleXO))]


@router.get("", dependencies=needs("settings", "read"))
async def everything(services: Here) -> list[RoutingRuleXO]:
    return [_shown(each) for each in await services.routing.everything()]


@router.post("", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def create(body: Body, services: Here) -> None:
    await services.routing.create(body.rule())


@router.get("/{name}", dependencies=needs("settings", "read"))
async def one(name: str, services: Here) -> RoutingRuleXO:
    return _shown(await services.routing.get(name))


@router.put("/{name}", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def update(name: str, body: Body, services: Here) -> None:
    """Another name in the body renames the rule."""
    await services.routing.update(name, body.rule())


@router.delete("/{name}", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    await services.routing.delete(name)


def _shown(rule: RoutingRule) -> RoutingRuleXO:
    return RoutingRuleXO.model_validate(
        {
            "name": rule.name,
            "description": rule.description,
            "mode": rule.mode,
            "matchers": list(rule.matchers),
        }
    )
