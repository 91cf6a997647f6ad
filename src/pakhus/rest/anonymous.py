"""What callers without credentials may do (`/v1/security/anonymous`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from pakhus.rest.bodies import Shape, Taking
from pakhus.rest.rights import Here, needs
from pakhus.services.access import Anonymous

router = APIRouter(prefix="/security/anonymous", tags=["security: anonymous access"])


class AnonymousAccessSettingsXO(Shape):
    enabled: bool
    user_id: str | None = None
    realm_name: str | None = None


Body = Annotated[AnonymousAccessSettingsXO, Depends(Taking(AnonymousAccessSettingsXO))]


@router.get("", dependencies=needs("settings", "read"))
async def read(services: Here) -> AnonymousAccessSettingsXO:
    return _shown(await services.access.anonymous())


@router.put("", dependencies=needs("settings", "update"))
async def update(body: Body, services: Here) -> AnonymousAccessSettingsXO:
    """Answers with what is in force."""
    default = Anonymous()
    wanted = Anonymous(body.enabled, body.user_id or default.user_id, body.realm_name or default.realm_name)
    return _shown(await services.access.set_anonymous(wanted))


def _shown(kept: Anonymous) -> AnonymousAccessSettingsXO:
    return AnonymousAccessSettingsXO(enabled=kept.enabled, user_id=kept.user_id, realm_name=kept.realm_name)
