"""LDAP servers (`/v1/security/ldap`): as they are configured, in which order, and whether they work."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from pakhus.rest.bodies import AnyCaseUpper, Shape, Taking, Text, json_body
from pakhus.rest.problems import Flawed
from pakhus.rest.rights import Here, needs
from pakhus.services.identity.ldap.servers import Server
from pakhus.services.identity.ldap.settings import TEMPLATES, LdapSettings
from pakhus.services.identity.realm import Listed

router = APIRouter(prefix="/security/ldap", tags=["security: LDAP"])


class _Directory(Shape):
    """`useStartTls` is Pakhus's own."""

    name: Text
    protocol: Annotated[Literal["LDAP", "LDAPS"], AnyCaseUpper]
    use_trust_store: bool | None = None
    use_start_tls: bool | None = None
    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    search_base: Text
    auth_scheme: Text
    auth_realm: str | None = None
    auth_username: str | None = None
    connection_timeout_seconds: Annotated[int, Field(ge=1, le=3600)]
    connection_retry_delay_seconds: Annotated[int, Field(ge=0)]
    max_incidents_count: Annotated[int, Field(ge=1)]
    user_base_dn: str | None = None
    user_subtree: bool | None = None
    user_object_class: Text
    user_ldap_filter: str | None = None
    user_id_attribute: Text
    user_real_name_attribute: Text
    user_email_address_attribute: Text
    user_password_attribute: str | None = None
    ldap_groups_as_roles: bool | None = None
    group_type: str | None = None
    group_base_dn: str | None = None
    group_subtree: bool | None = None
    group_object_class: str | None = None
    group_id_attribute: str | None = None
    group_member_attribute: str | None = None
    group_member_format: str | None = None
    user_member_of_attribute: str | None = None


class LdapRequest(_Directory):
    """`authPassword` may be left out to keep it, but not for another server or account."""

    auth_password: str | None = None

    def settings(self) -> LdapSettings:
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return LdapSettings.of(given)


class LoginRequest(LdapRequest):
    username: Text
    password: str


class LdapXO(_Directory):
    """An LDAP server; its password is never shown."""

    id: str
    order: int


class LdapUserXO(Shape):
    """A user as it would come in; `membership` are the groups."""

    username: str
    real_name: str
    email: str
    membership: list[str]


Body = Annotated[LdapRequest, Depends(Taking(LdapRequest))]


@router.get("", dependencies=needs("ldap", "read"))
async def everything(services: Here) -> list[LdapXO]:
    return [_shown(each) for each in await services.identification.ldap_servers.everything()]


@router.post("", dependencies=needs("ldap", "create"), status_code=201, response_class=Response)
async def create(body: Body, services: Here) -> None:
    await services.identification.ldap_servers.create(body.settings())


@router.get("/templates", dependencies=needs("ldap", "read"))
async def templates() -> list[dict[str, Any]]:
    """What usual directories want."""
    return [{"name": name, **_camel(members)} for name, members in TEMPLATES.items()]


@router.post("/change-order", dependencies=needs("ldap", "update"), status_code=204, response_class=Response)
async def change_order(services: Here, request: Request) -> None:
    """A JSON array of all names."""
    wanted = await json_body(request)
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise Flawed([("*", "must be a list of names")])
    await services.identification.ldap_servers.order(wanted)


@router.post("/verify-connection", dependencies=needs("ldap", "update"), status_code=204, response_class=Response)
async def verify_connection(body: Body, services: Here) -> None:
    """Can the server be reached, and does it take the search account? 400 and why not."""
    await services.identification.ldap_servers.try_connection(body.settings())


@router.post("/verify-user-mapping", dependencies=needs("ldap", "update"))
async def verify_user_mapping(body: Body, services: Here) -> list[LdapUserXO]:
    """Some users with their groups, as these settings find them."""
    return [_user(each) for each in await services.identification.ldap_servers.try_mapping(body.settings())]


@router.post("/verify-login", dependencies=needs("ldap", "update"))
async def verify_login(body: Annotated[LoginRequest, Depends(Taking(LoginRequest))], services: Here) -> LdapUserXO:
    """Would the user come in with this password?"""
    servers = services.identification.ldap_servers
    return _user(await servers.try_login(body.settings(), body.username, body.password))


@router.delete("/cache", dependencies=needs("ldap", "update"), status_code=204, response_class=Response)
async def clear_cache(services: Here) -> None:
    await services.identification.ldap_servers.clear_cache()


@router.get("/{name}", dependencies=needs("ldap", "read"))
async def one(name: str, services: Here) -> LdapXO:
    return _shown(await services.identification.ldap_servers.get(name))


@router.put("/{name}", dependencies=needs("ldap", "update"), status_code=204, response_class=Response)
async def update(name: str, body: Body, services: Here) -> None:
    await services.identification.ldap_servers.update(name, body.settings())


@router.delete("/{name}", dependencies=needs("ldap", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    await services.identification.ldap_servers.delete(name)


def _shown(server: Server) -> LdapXO:
    members = {name: value for name, value in server.settings.kept().items() if name != "auth_password"}
    return LdapXO(id=server.id, order=server.order, **members)


def _user(listed: Listed) -> LdapUserXO:
    name = f"{listed.first_name} {listed.last_name}".strip()
    return LdapUserXO(username=listed.user_id, real_name=name, email=listed.email, membership=list(listed.groups))


def _camel(members: Any) -> dict[str, Any]:
    alias: Any = LdapXO.model_config["alias_generator"]
    return {alias(name): value for name, value in members.items()}
