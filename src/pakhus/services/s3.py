"""Blob stores in S3 buckets: made and changed as the REST objects that Nexus speaks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pakhus.database import blobs, repositories
from pakhus.database.repositories import StoreRow
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.domain.errors import Invalid, NotFound, Unavailable
from pakhus.engine.catalog import Catalog
from pakhus.services.blobstores import BlobStores
from pakhus.services.outbound import PLACEHOLDER
from pakhus.storage.file import FileStore
from pakhus.storage.s3 import S3Settings, S3Store
from pakhus.storage.store import BlobStore

S3 = "S3"
KEPT_SECRETS = ("secretAccessKey", "sessionToken")
ENCRYPTIONS = {"s3ManagedEncryption": "AES256", "kmsManagedEncryption": "aws:kms"}
Json = dict[str, Any]


class S3BlobStores:
    def __init__(
        self, database: Database, catalog: Catalog, blobstores: BlobStores, vault: Vault, folder: Path
    ) -> None:
        """`folder` is where stores spool what is being written."""
        self._database = database
        self._catalog = catalog
        self._blobstores = blobstores
        self._vault = vault
        self._folder = folder

    async def get(self, name: str) -> Json:
        """The settings as they were sent, with placeholders for secrets."""
        settings = dict(self._row(name).settings)
        bucket = dict(settings["bucketConfiguration"])
        if (security := bucket.get("bucketSecurity")) is not None:
            shown = {key: PLACEHOLDER if key in KEPT_SECRETS and value else value for key, value in security.items()}
            bucket["bucketSecurity"] = shown
        return {"name": name, "type": "s3", **settings, "bucketConfiguration": bucket}

    async def create(self, name: str, settings: Json) -> None:
        self._blobstores.check_name(name)
        await self._keep(name, settings)

    async def update(self, name: str, settings: Json) -> None:
        """Another bucket or prefix only while the store is empty; secrets that are placeholders stay."""
        before = self._row(name).settings
        _keep_secrets(settings, before)
        if _place(settings) != _place(before) and (await self._database.read(blobs.usage, name))[0]:
            raise Invalid("cannot change while the blob store holds blobs", field="bucketConfiguration.bucket")
        await self._keep(name, settings)

    async def _keep(self, name: str, settings: Json) -> None:
        """Keep the settings of a bucket that can be written. Raises `Invalid` for one that cannot."""
        _refuse_unknown(settings)
        folder = self._folder / f".probe-{secrets.token_hex(4)}"
        try:
            await S3Store(name, s3_settings(settings), folder).probe()
        except Unavailable as error:
            raise Invalid(error.message, field="bucketConfiguration") from error
        finally:
            for each in (folder / "drafts", folder / "uploaded", folder):
                each.rmdir()
        row = StoreRow(name, S3, self._vault.seal(settings))
        await self._database.write(repositories.put_blob_store, row)
        await self._catalog.refresh()

    def _row(self, name: str) -> StoreRow:
        row = self._catalog.stores.get(name)
        if row is None:
            raise NotFound(f"Blob store {name} does not exist")
        if row.type != S3:
            raise Invalid(f"Blob store {name} is not an S3 blob store")
        return row


def store_of(row: StoreRow, data: Path) -> BlobStore:
    """The blob store that a row describes; relative paths lie below the data directory's `blobs`."""
    if row.type == S3:
        return S3Store(row.name, s3_settings(row.settings), data / "spool" / row.name)
    return FileStore(row.name, data / "blobs" / str(row.settings.get("path") or row.name))


def s3_settings(settings: Mapping[str, Any]) -> S3Settings:
    """What the store needs, from the (opened) object of the REST API."""
    configuration = settings["bucketConfiguration"]
    bucket = configuration["bucket"]
    security = configuration.get("bucketSecurity") or {}
    encryption = configuration.get("encryption") or {}
    connection = configuration.get("advancedBucketConnection") or {}
    region = bucket.get("region") or ""
    return S3Settings(
        bucket=bucket["name"],
        region="" if region.upper() == "DEFAULT" else region,
        prefix=bucket.get("prefix") or "",
        access_key=security.get("accessKeyId") or "",
        secret_key=security.get("secretAccessKey") or "",
        session_token=security.get("sessionToken") or "",
        endpoint=connection.get("endpoint") or "",
        path_style=bool(connection.get("forcePathStyle")),
        encryption=ENCRYPTIONS.get(encryption.get("encryptionType") or "", ""),
        encryption_key=encryption.get("encryptionKey") or "",
        connections=connection.get("maxConnectionPoolSize"),
    )


def _place(settings: Mapping[str, Any]) -> tuple[str, str, str]:
    found = s3_settings(settings)
    return found.bucket, found.prefix, found.endpoint


def _refuse_unknown(settings: Mapping[str, Any]) -> None:
    """What Nexus can and this server cannot is refused, not kept."""
    configuration = settings["bucketConfiguration"]
    if (configuration.get("bucketSecurity") or {}).get("role"):
        raise Invalid("assuming a role is not supported", field="bucketConfiguration.bucketSecurity.role")
    if configuration.get("preSignedUrlEnabled"):
        raise Invalid("signed URLs are not handed out", field="bucketConfiguration.preSignedUrlEnabled")
    if configuration.get("failoverBuckets"):
        raise Invalid("failover buckets are not supported", field="bucketConfiguration.failoverBuckets")


def _keep_secrets(settings: Json, before: Mapping[str, Any]) -> None:
    security = settings["bucketConfiguration"].get("bucketSecurity") or {}
    known = before["bucketConfiguration"].get("bucketSecurity") or {}
    same = s3_settings(settings).endpoint == s3_settings(before).endpoint
    for name in KEPT_SECRETS:
        if security.get(name) == PLACEHOLDER:
            security[name] = known.get(name) if same else None
