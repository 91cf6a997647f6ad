"""Cleanup policies (`/v1/cleanup-policies`), what they would remove, and carrying them out (`/v1/cleanup/run`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BeforeValidator, Field

from pakhus.domain.cleanup import ALL_FORMATS, CleanupPolicy
from pakhus.domain.errors import NotFound
from pakhus.domain.repository import Repository
from pakhus.rest.bodies import AnyCaseLower, AnyCaseUpper, NullIsEmpty, Shape, Taking, Text
from pakhus.rest.contents import ComponentXO, Writer
from pakhus.rest.rights import Here, needs
from pakhus.services.services import Services

router = APIRouter(tags=["cleanup"])
previews = APIRouter(tags=["cleanup"])
SHOWN = 50
"""So many components has a preview; `total` counts all."""


def _format(value: object) -> object:
    return ALL_FORMATS if value in (None, "", "ALL_FORMATS") else value


def _blank(value: object) -> object:
    return None if value == "" else value


Unset = BeforeValidator(_blank)
Days = Annotated[Annotated[int, Field(ge=0, le=24855)] | None, Unset]


class CriteriaXO(Shape):
    """All that are set must hold. Ages are days."""

    criteria_last_blob_updated: Days = None
    criteria_last_downloaded: Days = None
    criteria_release_type: Annotated[
        Literal["RELEASES", "PRERELEASES", "RELEASES_AND_PRERELEASES"] | None, AnyCaseUpper, Unset
    ] = None
    criteria_asset_regex: Annotated[str | None, Unset] = None
    retain: Annotated[Annotated[int, Field(ge=1)] | None, Unset] = None
    sort_by: Annotated[Literal["version", "date"] | None, AnyCaseLower, Unset] = None

    def policy(self, name: str, format: str = ALL_FORMATS, notes: str = "") -> CleanupPolicy:
        return CleanupPolicy(
            name,
            format,
            notes,
            last_blob_updated=self.criteria_last_blob_updated,
            last_downloaded=self.criteria_last_downloaded,
            release_type=self.criteria_release_type,
            asset_regex=self.criteria_asset_regex,
            retain=self.retain,
            sort_by=self.sort_by,
        )


class CleanupPolicyXO(CriteriaXO):
    """`format` is one of this server's, or `*` for all."""

    name: Text
    format: Annotated[str, BeforeValidator(_format)] = ALL_FORMATS
    notes: Annotated[str, NullIsEmpty] = ""
    in_use_count: int = 0


class PreviewRequestXO(CriteriaXO):
    repository: Text


class PreviewXO(Shape):
    total: int
    results: list[ComponentXO]


class RunXO(Shape):
    """Without `policy` all that the repository names; `dryRun` only counts."""

    repository: Text
    policy: str | None = None
    dry_run: bool = False


class RanXO(Shape):
    """What left, or with `dryRun` would leave; `bytes` is how long the assets are."""

    repository: str
    policies: list[str]
    dry_run: bool
    components: int
    bytes: int


Body = Annotated[CleanupPolicyXO, Depends(Taking(CleanupPolicyXO))]


@router.get("/cleanup-policies", dependencies=needs("settings", "read"))
async def everything(services: Here) -> list[CleanupPolicyXO]:
    return [_shown(each, services) for each in await services.cleanup.everything()]


@router.post("/cleanup-policies", dependencies=needs("settings", "update"), status_code=201)
async def create(body: Body, services: Here) -> CleanupPolicyXO:
    policy = body.policy(body.name, body.format, body.notes)
    await services.cleanup.create(policy)
    return _shown(policy, services)


@router.get("/cleanup-policies/{name}", dependencies=needs("settings", "read"))
async def one(name: str, services: Here) -> CleanupPolicyXO:
    return _shown(await services.cleanup.get(name), services)


@router.put(
    "/cleanup-policies/{name}", dependencies=needs("settings", "update"), status_code=204, response_class=Response
)
async def update(name: str, body: Body, services: Here) -> None:
    await services.cleanup.update(name, body.policy(body.name, body.format, body.notes))


@router.delete(
    "/cleanup-policies/{name}", dependencies=needs("settings", "update"), status_code=204, response_class=Response
)
async def delete(name: str, services: Here) -> None:
    """The policy goes, and its name from every repository."""
    await services.cleanup.delete(name)


@router.post("/cleanup/run", dependencies=needs("settings", "update"))
async def run(body: Annotated[RunXO, Depends(Taking(RunXO))], services: Here) -> RanXO:
    """Carry policies out on one repository, now."""
    repository = _repository(services, body.repository)
    cleanup = services.cleanup
    policies = [await cleanup.get(body.policy)] if body.policy else await cleanup.policies_of(repository)
    done = RanXO(repository=repository.name, policies=[], dry_run=body.dry_run, components=0, bytes=0)
    for policy in policies:
        found = await (cleanup.dry(policy, repository) if body.dry_run else cleanup.apply(policy, repository))
        done.policies.append(policy.name)
        done.components, done.bytes = done.components + found.components, done.bytes + found.bytes
    return done


@previews.post("/cleanup-policies/preview/components", dependencies=needs("settings", "read"))
async def preview(
    body: Annotated[PreviewRequestXO, Depends(Taking(PreviewRequestXO))], services: Here, shown: Writer
) -> PreviewXO:
    """What a policy with these criteria would remove from a repository."""
    found = PreviewXO(total=0, results=[])
    async for component in services.cleanup.found(body.policy("preview"), _repository(services, body.repository)):
        found.total += 1
        if len(found.results) < SHOWN:
            found.results.append(shown.component(component))
    return found


def _repository(services: Services, name: str) -> Repository:
    found = services.catalog.find(name)
    if found is None:
        raise NotFound(f"Repository '{name}' not found.")
    return found


def _shown(policy: CleanupPolicy, services: Services) -> CleanupPolicyXO:
    return CleanupPolicyXO(
        name=policy.name,
        format=policy.format,
        notes=policy.notes,
        criteria_last_blob_updated=policy.last_blob_updated,
        criteria_last_downloaded=policy.last_downloaded,
        criteria_release_type=policy.release_type,  # type: ignore[arg-type]
        criteria_asset_regex=policy.asset_regex,
        retain=policy.retain,
        sort_by=policy.sort_by,  # type: ignore[arg-type]
        in_use_count=len(services.cleanup.users_of(policy.name)),
    )
