"""Blob stores in S3 buckets (`/v1/blobstores/s3`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import AliasChoices, Field

from pakhus.domain.errors import Invalid
from pakhus.rest.blobstores import SoftQuota
from pakhus.rest.bodies import Shape, Taking, Text
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/blobstores/s3", tags=["blob stores"])


class BucketXO(Shape):
    """`region` may be DEFAULT. `expiration` was Nexus's grace for deleted blobs: the sweep has its own."""

    region: Text
    name: Text
    prefix: str | None = None
    expiration: int | None = None


class BucketSecurityXO(Shape):
    """Empty: what the environment of the server has."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    role: str | None = None
    session_token: str | None = None


class EncryptionXO(Shape):
    encryption_type: Literal["s3ManagedEncryption", "kmsManagedEncryption"] | None = None
    encryption_key: str | None = None


class ConnectionXO(Shape):
    """Another service than AWS: its endpoint."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] | None = None
    signer_type: Literal["DEFAULT", "AWSS3V4SignerType", ""] | None = None
    force_path_style: bool | None = None
    max_connection_pool_size: Annotated[int, Field(ge=1)] | None = None


class FailoverBucketXO(Shape):
    region: str
    bucket_name: str


class BucketConfigurationXO(Shape):
    bucket: BucketXO
    bucket_security: Annotated[
        BucketSecurityXO | None,
        Field(validation_alias=AliasChoices("bucketSecurity", "security"), serialization_alias="bucketSecurity"),
    ] = None
    encryption: EncryptionXO | None = None
    advanced_bucket_connection: Annotated[
        ConnectionXO | None,
        Field(
            validation_alias=AliasChoices("advancedBucketConnection", "advancedConnection"),
            serialization_alias="advancedBucketConnection",
        ),
    ] = None
    failover_buckets: list[FailoverBucketXO] | None = None
    pre_signed_url_enabled: bool | None = None


class S3BlobStoreXO(Shape):
    name: Text
    type: str | None = None
    soft_quota: SoftQuota | None = None
    bucket_configuration: BucketConfigurationXO

    def settings(self) -> dict[str, Any]:
        """Members that are not set are left out, as Nexus shows them."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude={"name", "type"})
        return {**found, "bucketConfiguration": found["bucketConfiguration"]}


Body = Annotated[S3BlobStoreXO, Depends(Taking(S3BlobStoreXO))]


@router.post("", dependencies=needs("blobstores", "create"), status_code=201, response_class=Response)
async def create(body: Body, services: Here) -> None:
    """The bucket is there; it is written to, to see whether that is possible."""
    await services.s3.create(body.name, body.settings())


@router.get("/{name}", dependencies=needs("blobstores", "read"))
async def one(name: str, services: Here) -> dict[str, Any]:
    """Secrets are placeholders; who sends them back keeps what is kept."""
    return {"softQuota": None, **await services.s3.get(name)}


@router.put("/{name}", dependencies=needs("blobstores", "update"), status_code=204, response_class=Response)
async def update(name: str, body: Body, services: Here) -> None:
    """Another bucket only while the store is empty."""
    if body.name != name:
        raise Invalid("cannot change", field="name")
    await services.s3.update(name, body.settings())
