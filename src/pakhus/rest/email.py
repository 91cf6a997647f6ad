"""Mail settings, and whether they work (`/v1/email`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, model_validator

from pakhus.rest.bodies import Shape, Taking, text_body
from pakhus.rest.rights import Here, needs
from pakhus.services.mail import MailRefused

router = APIRouter(prefix="/email", tags=["email"])


class EmailXO(Shape):
    """The password is taken, never shown."""

    enabled: bool = False
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    username: str | None = None
    password: str | None = None
    from_address: str | None = None
    subject_prefix: str | None = None
    start_tls_enabled: bool = False
    start_tls_required: bool = False
    ssl_on_connect_enabled: bool = False
    ssl_server_identity_check_enabled: bool = False
    nexus_trust_store_enabled: bool = False


class EmailChangeXO(EmailXO):
    @model_validator(mode="after")
    def complete(self) -> EmailChangeXO:
        if self.enabled and not (self.host and self.port and self.from_address):
            raise ValueError("enabled mail needs host, port and fromAddress")
        if self.from_address is not None and "@" not in self.from_address:
            raise ValueError("fromAddress must be a well-formed email address")
        return self


class VerifiedXO(Shape):
    success: bool
    reason: str


@router.get("", dependencies=needs("settings", "read"))
async def read(services: Here) -> EmailXO:
    return EmailXO.model_validate({**await services.mail.settings(), "password": None})


@router.put("", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def change(body: Annotated[EmailChangeXO, Depends(Taking(EmailChangeXO))], services: Here) -> None:
    await services.mail.configure(body.model_dump(by_alias=True))


@router.delete("", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def reset(services: Here) -> None:
    await services.mail.reset()


@router.post("/verify", dependencies=needs("settings", "update"))
async def verify(request: Request, services: Here) -> VerifiedXO:
    """The body is an address: a test message is sent there."""
    address = (await text_body(request)).strip().strip('"')
    try:
        await services.mail.verify(address)
    except MailRefused as error:
        return VerifiedXO(success=False, reason=error.message)
    return VerifiedXO(success=True, reason="")
