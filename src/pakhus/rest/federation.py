"""Identity providers, issuers and workload roles (`/api/v1/security/{oidc,saml,workload}`). Native API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from pakhus.database.federation import RoleRow
from pakhus.rest import federation_shapes as shapes
from pakhus.rest.bodies import NativeShape, Taking
from pakhus.rest.rights import Here, needs
from pakhus.services.federation.registry import OIDC, SAML, WORKLOAD

router = APIRouter(prefix="/security", tags=["security: identity providers"])


def _provided(kind: str, path: str, shape: type[NativeShape]) -> None:
    """The routes of one kind: list, make, show, change and remove."""
    taken: Any = Depends(Taking(shape))  # a default, since an annotation could not name what is local

    @router.get(path, dependencies=needs(kind, "read"), name=f"list of {path}")
    async def everything(services: Here) -> list[dict[str, Any]]:
        return [_named(name, found) for name, found in await services.federation.administration.providers(kind)]

    @router.get(f"{path}/{{name}}", dependencies=needs(kind, "read"), name=f"one of {path}")
    async def one(name: str, services: Here) -> dict[str, Any]:
        return _named(name, await services.federation.administration.provider(kind, name))

    @router.post(f"{path}/{{name}}", dependencies=needs(kind, "create"), status_code=201, name=f"new of {path}")
    async def create(name: str, services: Here, body: Any = taken) -> dict[str, Any]:
        await services.federation.administration.put(kind, name, body.model_dump(), new=True)
        return _named(name, await services.federation.administration.provider(kind, name))

    @router.put(
        f"{path}/{{name}}",
        dependencies=needs(kind, "update"),
        status_code=204,
        response_class=Response,
        name=f"changed of {path}",
    )
    async def update(name: str, services: Here, body: Any = taken) -> None:
        await services.federation.administration.put(kind, name, body.model_dump(), new=False)

    @router.delete(
        f"{path}/{{name}}",
        dependencies=needs(kind, "delete"),
        status_code=204,
        response_class=Response,
        name=f"gone of {path}",
    )
    async def delete(name: str, services: Here) -> None:
        await services.federation.administration.remove(kind, name)


_provided(OIDC, "/oidc/providers", shapes.OidcXO)
_provided(SAML, "/saml/providers", shapes.SamlXO)
_provided(WORKLOAD, "/workload/issuers", shapes.IssuerXO)
UserBody = Annotated[shapes.FederatedUserXO, Depends(Taking(shapes.FederatedUserXO))]
RoleBody = Annotated[shapes.RoleXO, Depends(Taking(shapes.RoleXO))]


@router.put(
    "/oidc/providers/{name}/users/{user_id}",
    dependencies=needs("users", "update"),
    status_code=204,
    response_class=Response,
)
async def put_oidc_user(name: str, user_id: str, body: UserBody, services: Here) -> None:
    """Make an account before its first login, or change its roles and state."""
    await services.federation.administration.put_user(name, user_id, roles=body.roles, status=body.status)


@router.put(
    "/saml/providers/{name}/users/{user_id}",
    dependencies=needs("users", "update"),
    status_code=204,
    response_class=Response,
)
async def put_saml_user(name: str, user_id: str, body: UserBody, services: Here) -> None:
    """Make an account before its first login, or change its roles and state."""
    await services.federation.administration.put_user(name, user_id, roles=body.roles, status=body.status)


# -- workload roles ------------------------------------------------------------------------------------------------


@router.get("/workload/roles", dependencies=needs(WORKLOAD, "read"))
async def roles(services: Here) -> list[dict[str, Any]]:
    return [_role(row) for row in await services.federation.administration.roles()]


@router.get("/workload/roles/{name}", dependencies=needs(WORKLOAD, "read"))
async def role(name: str, services: Here) -> dict[str, Any]:
    return _role(await services.federation.administration.role(name))


@router.post("/workload/roles/{name}", dependencies=needs(WORKLOAD, "create"), status_code=201)
async def create_role(name: str, body: RoleBody, services: Here) -> dict[str, Any]:
    await services.federation.administration.put_role(_row(name, body), new=True)
    return _role(await services.federation.administration.role(name))


@router.put("/workload/roles/{name}", dependencies=needs(WORKLOAD, "update"), status_code=204, response_class=Response)
async def update_role(name: str, body: RoleBody, services: Here) -> None:
    await services.federation.administration.put_role(_row(name, body), new=False)


@router.delete(
    "/workload/roles/{name}", dependencies=needs(WORKLOAD, "delete"), status_code=204, response_class=Response
)
async def delete_role(name: str, services: Here) -> None:
    """Tokens that were exchanged for it are void at once."""
    await services.federation.administration.remove_role(name)


@router.post("/workload/explain", dependencies=needs(WORKLOAD, "read"))
async def explain(
    body: Annotated[shapes.TokenXO, Depends(Taking(shapes.TokenXO))], services: Here
) -> shapes.ExplainedXO:
    """What would become of a token, role by role. Nobody is let in by this."""
    found = await services.federation.workloads.explain(body.token)
    return shapes.ExplainedXO(
        issuer=found.issuer,
        claims=dict(found.claims),
        refused=found.refused,
        roles={name: list(flaws) for name, flaws in (found.roles or {}).items()},
    )


@router.get("/federation/refusals", dependencies=needs("logging", "read"))
async def refusals(services: Here) -> list[shapes.RefusalXO]:
    """The last logins and tokens that this node did not accept, the newest first."""
    return [
        shapes.RefusalXO(
            moment=each.moment,
            kind=each.kind,
            name=each.name,
            subject=each.subject,
            address=each.address,
            why=each.why,
        )
        for each in services.federation.refusals.last()
    ]


def _row(name: str, body: shapes.RoleXO) -> RoleRow:
    return RoleRow(name, body.issuer, body.model_dump(exclude={"issuer"}))


def _role(row: RoleRow) -> dict[str, Any]:
    return {"name": row.name, "issuer": row.issuer, **row.settings}


def _named(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, **settings}
