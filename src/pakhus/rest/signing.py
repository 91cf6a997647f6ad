"""The keys that a repository signs its indexes with: read by whoever reads the repository, rotated by an administrator.

Native API. Secret keys go in and never come out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from pakhus.database.signing_keys import KeyRow
from pakhus.domain.errors import Invalid
from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission
from pakhus.engine.outdating import sets_of
from pakhus.rest.bodies import Moment, NativeShape, Taking
from pakhus.rest.repositories import Administering
from pakhus.rest.rights import Here, OnRepository

router = APIRouter(prefix="/repositories", tags=["signing"])
MOST_DAYS = 3650
NOT_SIGNED = "{name} signs nothing: its format has no signed indexes, or it is a proxy and has its upstream's"


class SigningKeyXO(NativeShape):
    """`signs_until` is null for the key that stays; `public_key` is armored."""

    fingerprint: str
    user_ids: list[str]
    created: Moment | None
    signs_until: Moment | None
    public_key: str


class SigningKeysXO(NativeShape):
    """The keys that sign now, newest first; `generating` says that another one is on its way."""

    generating: bool
    keys: list[SigningKeyXO]


class RotationRequest(NativeShape):
    """`overlap_days`: how long the present key goes on signing (default: as configured).

    With a `keypair` (armored secret key) that one is taken, else one is generated.
    """

    overlap_days: Annotated[int, Field(ge=0, le=MOST_DAYS)] | None = None
    keypair: str | None = None
    passphrase: str | None = None


@router.get("/{name}/signing-keys")
async def keys(
    repository: Annotated[Repository, Depends(OnRepository(Permission.READ, parameter="name"))], services: Here
) -> SigningKeysXO:
    """A repository that was never published has none yet."""
    return await _keys(services, repository)


@router.post(
    "/{name}/signing-keys",
    status_code=201,
    responses={202: {"model": SigningKeysXO, "description": "A key is being generated."}},
)
async def rotate(
    repository: Annotated[Repository, Depends(Administering("edit"))],
    body: Annotated[RotationRequest, Depends(Taking(RotationRequest))],
    services: Here,
    response: Response,
) -> SigningKeysXO:
    """Sign with a new key from now on, and with the present one beside it for a while."""
    _check_signs(services, repository)
    overlap = None if body.overlap_days is None else timedelta(days=body.overlap_days)
    if body.keypair:
        key = await services.keyring.read(body.keypair, body.passphrase or "")
        await services.keyring.rotate(repository, key, overlap=overlap)
    else:
        services.keyring.generate(repository, overlap=overlap)
        response.status_code = 202
    return await _keys(services, repository)


async def _keys(services: Here, repository: Repository) -> SigningKeysXO:
    rows = await services.keyring.known(repository)
    return SigningKeysXO(generating=services.keyring.is_generating(repository), keys=[_shown(row) for row in rows])


def _shown(row: KeyRow) -> SigningKeyXO:
    return SigningKeyXO(
        fingerprint=row.fingerprint,
        user_ids=list(row.user_ids),
        created=row.created,
        signs_until=row.signs_until,
        public_key=row.public,
    )


def _check_signs(services: Here, repository: Repository) -> None:
    """Raise `Invalid` where a key would change nothing."""
    signed = any(each.signed for each in sets_of(services.catalog.format(repository)))
    if not signed or repository.remote is not None:
        raise Invalid(NOT_SIGNED.format(name=repository.name))
