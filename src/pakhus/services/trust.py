"""The trust store: certificates that proxies with `useTrustStore` accept, beside those that the system knows."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pakhus.database import certificates
from pakhus.database.transaction import Database
from pakhus.domain.errors import Conflict, Invalid, NotFound, PakhusError
from pakhus.engine.catalog import Catalog

SECONDS = 10.0
"""So long a server is waited for."""


class NotReached(PakhusError):
    """No certificate could be had of a server."""

    status = 400


@dataclass(frozen=True, slots=True)
class Party:
    """Who a certificate is of, or by."""

    common_name: str | None
    organization: str | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """`issued` and `expires` are milliseconds since the epoch; the fingerprint is SHA-1, as Nexus shows it."""

    fingerprint: str
    serial: str
    pem: str
    issued: int
    expires: int
    issuer: Party
    subject: Party


class Trust:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def everything(self) -> list[Certificate]:
        found = await self._database.read(certificates.everything)
        return [read(pem) for _, pem in found]

    async def add(self, pem: str) -> Certificate:
        """Trust the first certificate of a PEM text."""
        new = read(pem)
        if not await self._database.write(certificates.add, new.fingerprint, new.pem):
            raise Conflict(f"A certificate already exists with the id: '{new.fingerprint}'.")
        await self._catalog.refresh()
        return new

    async def remove(self, fingerprint: str) -> None:
        if not await self._database.write(certificates.remove, fingerprint.upper()):
            raise NotFound(f"Certificate with id '{fingerprint}' not found.")
        await self._catalog.refresh()

    async def presented(self, host: str, port: int) -> Certificate:
        """The certificate that a server shows, whoever it is signed by. Raises `NotReached`."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            async with asyncio.timeout(SECONDS):
                _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
        except (OSError, TimeoutError, ValueError) as error:
            raise NotReached(f"Could not retrieve an SSL certificate from '{host}:{port}'.") from error
        try:
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
        return read(ssl.DER_cert_to_PEM_cert(shown))


def read(pem: str) -> Certificate:
    """The first certificate of a PEM text. Raises `Invalid`."""
    try:
        found = x509.load_pem_x509_certificate(pem.strip().strip('"').replace("\\n", "\n").encode())
    except ValueError as error:
        raise Invalid("Unable to parse the PEM certificate.") from error
    return Certificate(
        fingerprint=":".join(f"{byte:02X}" for byte in found.fingerprint(SHA1())),  # noqa: S303 -- a name, no proof
        serial=f"{found.serial_number:X}",
        pem=found.public_bytes(Encoding.PEM).decode(),
        issued=int(found.not_valid_before_utc.timestamp() * 1000),
        expires=int(found.not_valid_after_utc.timestamp() * 1000),
        issuer=_party(found.issuer),
        subject=_party(found.subject),
    )


def _party(name: x509.Name) -> Party:
    def first(kind: ObjectIdentifier) -> str | None:
        values = name.get_attributes_for_oid(kind)
        return str(values[0].value) if values else None

    return Party(first(NameOID.COMMON_NAME), first(NameOID.ORGANIZATION_NAME), first(NameOID.ORGANIZATIONAL_UNIT_NAME))
