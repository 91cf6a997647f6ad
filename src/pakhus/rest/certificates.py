"""Certificates of other servers: what they show, and which are trusted (`/v1/security/ssl`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pakhus.rest.bodies import Shape, text_body
from pakhus.rest.rights import Here, needs
from pakhus.services.trust import Certificate

router = APIRouter(prefix="/security/ssl", tags=["certificates"])


class CertificateXO(Shape):
    """Times in milliseconds since the epoch; `id` is the fingerprint."""

    id: str
    fingerprint: str
    serial_number: str
    pem: str
    issued_on: int
    expires_on: int
    issuer_common_name: str | None
    issuer_organization: str | None
    issuer_organizational_unit: str | None
    subject_common_name: str | None
    subject_organization: str | None
    subject_organizational_unit: str | None


@router.get("", dependencies=needs("ssl-truststore", "read"))
async def presented(
    services: Here,
    host: Annotated[str, Query(min_length=1)],
    port: Annotated[int, Query(ge=1, le=65535)] = 443,
    protocol_hint: Annotated[str, Query(alias="protocolHint", description="https or tcp; TLS either way.")] = "",
) -> CertificateXO:
    """The certificate that a server shows."""
    return _shown(await services.trust.presented(host, port))


@router.get("/truststore", dependencies=needs("ssl-truststore", "read"))
async def everything(services: Here) -> list[CertificateXO]:
    return [_shown(each) for each in await services.trust.everything()]


@router.post("/truststore", dependencies=needs("ssl-truststore", "create"), status_code=201)
async def add(request: Request, services: Here) -> CertificateXO:
    """The body is a certificate in PEM, whatever its content type says."""
    return _shown(await services.trust.add(await text_body(request)))


@router.delete(
    "/truststore/{id}", dependencies=needs("ssl-truststore", "delete"), status_code=204, response_class=Response
)
async def remove(id: str, services: Here) -> None:
    await services.trust.remove(id)


def _shown(found: Certificate) -> CertificateXO:
    return CertificateXO(
        id=found.fingerprint,
        fingerprint=found.fingerprint,
        serial_number=found.serial,
        pem=found.pem,
        issued_on=found.issued,
        expires_on=found.expires,
        issuer_common_name=found.issuer.common_name,
        issuer_organization=found.issuer.organization,
        issuer_organizational_unit=found.issuer.unit,
        subject_common_name=found.subject.common_name,
        subject_organization=found.subject.organization,
        subject_organizational_unit=found.subject.unit,
    )
