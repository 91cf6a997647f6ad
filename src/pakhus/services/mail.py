"""Mail: where it is handed over, and handing it over."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

import aiosmtplib

from pakhus.database import certificates, values
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.domain.errors import PakhusError

KEY = "email"
SECONDS = 30.0
DEFAULTS: dict[str, Any] = {
    "enabled": False,
    "host": None,
    "port": None,
    "username": None,
    "password": None,
    "fromAddress": None,
    "subjectPrefix": None,
    "startTlsEnabled": False,
    "startTlsRequired": False,
    "sslOnConnectEnabled": False,
    "sslServerIdentityCheckEnabled": False,
    "nexusTrustStoreEnabled": False,
}
"""As the REST API shows them."""
Json = dict[str, Any]


class MailRefused(PakhusError):
    """The mail server could not be reached, or did not take the message."""

    status = 502


class Mail:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def settings(self) -> Json:
        """The settings with the password opened."""
        return DEFAULTS | (self._vault.open(await self._database.read(values.get, KEY)) or {})

    async def configure(self, wanted: Json) -> None:
        """Replace the settings; the password stays where it is left out and the server is the same."""
        before = await self.settings()
        same = all(wanted.get(name) == before[name] for name in ("host", "port", "username"))
        if same and not wanted.get("password"):
            wanted = {**wanted, "password": before["password"]}
        await self._database.write(values.put, KEY, self._vault.seal(DEFAULTS | wanted))

    async def reset(self) -> None:
        await self._database.write(values.put, KEY, {})

    async def send(self, to: str, subject: str, text: str) -> bool:
        """Hand a message over; false where mail is not enabled. Raises `MailRefused`."""
        found = await self.settings()
        if not found["enabled"]:
            return False
        await self._deliver(found, to, subject, text)
        return True

    async def verify(self, to: str) -> None:
        """Send a test message, even where mail is not enabled. Raises `MailRefused`."""
        found = await self.settings()
        if not found["host"]:
            raise MailRefused("no mail server is configured")
        text = "The mail settings of this server work.\n"
        await self._deliver(found, to, "Mail settings verified", text)

    async def _deliver(self, settings: Json, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        try:
            message["From"] = settings["fromAddress"]
            message["To"] = to
            message["Subject"] = " ".join(each for each in (settings["subjectPrefix"], subject) if each)
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain="pakhus.invalid")
            message.set_content(text)
            await aiosmtplib.send(
                message,
                hostname=settings["host"],
                port=settings["port"],
                username=settings["username"] or None,
                password=settings["password"] or None,
                timeout=SECONDS,
                use_tls=bool(settings["sslOnConnectEnabled"]),
                start_tls=_start_tls(settings),
                tls_context=await self._context(settings),
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailRefused(f"{type(error).__name__}: {error}") from error

    async def _context(self, settings: Json) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if settings["nexusTrustStoreEnabled"]:
            for _, pem in await self._database.read(certificates.everything):
                context.load_verify_locations(cadata=pem)
        context.check_hostname = bool(settings["sslServerIdentityCheckEnabled"])
        return context


def _start_tls(settings: Json) -> bool | None:
    """Whether to upgrade: `None` is "where the server offers it"."""
    if settings["sslOnConnectEnabled"]:
        return False
    if settings["startTlsRequired"]:
        return True
    return None if settings["startTlsEnabled"] else False
