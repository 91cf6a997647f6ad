"""SAML as Nexus configures it (`/v1/security/saml`): one provider, whose groups are roles by their names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pakhus.domain.errors import NotFound
from pakhus.rest.bodies import Shape, Taking, Text
from pakhus.rest.problems import bare
from pakhus.rest.rights import OPEN_TO_ALL, BaseUrl, Here, needs
from pakhus.services.federation.registry import SAML
from pakhus.services.federation.saml import NEXUS

router = APIRouter(prefix="/security/saml", tags=["security: SAML"])


class SamlConfigurationXO(Shape):
    """Of the `validate…` members, true demands that signature; in any case one of the two has to be there and valid."""

    idp_metadata: Text
    entity_id: str | None = None
    username_attribute: Text
    first_name_attribute: str | None = None
    last_name_attribute: str | None = None
    email_attribute: str | None = None
    groups_attribute: str | None = None
    validate_response_signature: bool | None = None
    validate_assertion_signature: bool | None = None


@router.get("", dependencies=needs("saml", "read"))
async def read(services: Here) -> SamlConfigurationXO:
    try:
        found = await services.federation.administration.provider(SAML, NEXUS)
    except NotFound as error:
        raise bare(404) from error
    return SamlConfigurationXO(
        idp_metadata=found["idp_metadata"],
        entity_id=found.get("entity_id") or None,
        username_attribute=found["username_attribute"],
        first_name_attribute=found.get("first_name_attribute") or None,
        last_name_attribute=found.get("last_name_attribute") or None,
        email_attribute=found.get("email_attribute") or None,
        groups_attribute=found.get("groups_attribute") or None,
        validate_response_signature=found.get("signed_response"),
        validate_assertion_signature=found.get("signed_assertion"),
    )


@router.put("", dependencies=needs("saml", "update"), status_code=204, response_class=Response)
async def put(
    body: Annotated[SamlConfigurationXO, Depends(Taking(SamlConfigurationXO))], services: Here, response: Response
) -> None:
    """201 the first time."""
    settings = {
        "idp_metadata": body.idp_metadata,
        "entity_id": body.entity_id or "",
        "username_attribute": body.username_attribute,
        "first_name_attribute": body.first_name_attribute or "",
        "last_name_attribute": body.last_name_attribute or "",
        "email_attribute": body.email_attribute or "",
        "groups_attribute": body.groups_attribute or "",
        "signed_response": body.validate_response_signature or None,
        "signed_assertion": body.validate_assertion_signature or None,
        "groups_are_roles": True,
    }
    if await services.federation.administration.put(SAML, NEXUS, settings):
        response.status_code = 201


@router.delete("", dependencies=needs("saml", "delete"), status_code=204, response_class=Response)
async def delete(services: Here) -> None:
    try:
        await services.federation.administration.remove(SAML, NEXUS)
    except NotFound as error:
        raise bare(404) from error


@router.get("/metadata", dependencies=OPEN_TO_ALL)
async def metadata(services: Here, base_url: BaseUrl) -> Response:
    """What the identity provider wants to know of this server: it fetches this by itself."""
    try:
        provider = await services.federation.logins.saml_provider(NEXUS)
    except NotFound as error:
        raise bare(404) from error
    return Response(services.federation.saml.metadata(provider, base_url), media_type="application/samlmetadata+xml")


@router.get("/pem", dependencies=needs("saml", "read"))
async def pem(services: Here) -> Response:
    """This server's certificate."""
    try:
        provider = await services.federation.logins.saml_provider(NEXUS)
    except NotFound as error:
        raise bare(404) from error
    return Response(provider.certificate, media_type="application/x-pem-file")
