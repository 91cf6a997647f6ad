"""A connection to a directory: bind, search, StartTLS. Every step has a time limit."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pakhus.domain.errors import Unavailable
from pakhus.remote.ldap import ber, sasl
from pakhus.remote.ldap.ber import Malformed, Reader

BASE, ONE_LEVEL, SUBTREE = 0, 1, 2
START_TLS = "1.3.6.1.4.1.1466.20037"
SUCCESS, SIZE_LIMIT, IN_PROGRESS, NO_SUCH_OBJECT, WRONG_CREDENTIALS = 0, 4, 14, 32, 49
LARGEST_MESSAGE = 4 << 20
REASONS = {
    1: "operations error",
    2: "protocol error",
    3: "time limit exceeded",
    7: "authentication method not supported",
    8: "stronger authentication required",
    13: "confidentiality required",
    16: "no such attribute",
    32: "no such object",
    34: "invalid DN syntax",
    48: "inappropriate authentication",
    49: "invalid credentials",
    50: "insufficient access rights",
    51: "busy",
    52: "unavailable",
    53: "unwilling to perform",
}


class DirectoryDown(Unavailable):
    """The directory does not answer, or not in a way that can be used."""


class Refused(Exception):
    """The directory answered, and says no: `code` is its result code (RFC 4511, appendix A)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Address:
    """Where a directory is. `tls`: "" (plain), "ldaps", or "starttls"; `timeout` in seconds, for each step."""

    name: str
    host: str
    port: int
    tls: str = ""
    timeout: float = 30.0
    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Attribute names are lower case, whatever case the server writes them in."""

    dn: str
    attributes: Mapping[str, Sequence[bytes]]

    def values(self, attribute: str) -> list[str]:
        return [value.decode("utf-8", "replace") for value in self.attributes.get(attribute.lower(), ())]

    def first(self, attribute: str) -> str:
        return next(iter(self.values(attribute)), "")


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Connection]:
    """A connection, protected as the address says. Raises `DirectoryDown`."""
    connection = Connection(address)
    try:
        await connection.open()
        yield connection
    except (OSError, EOFError, TimeoutError, Malformed) as error:
        place = f"{address.host}:{address.port}"
        raise DirectoryDown(f"the LDAP server '{address.name}' ({place}) cannot be used: {_said(error)}") from error
    finally:
        await connection.close()


class Connection:
    def __init__(self, address: Address) -> None:
        self._address = address
        self._number = 0
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        where = self._address
        secured = where.tls == "ldaps"
        async with asyncio.timeout(where.timeout):
            self._reader, self._writer = await asyncio.open_connection(
                where.host, where.port, ssl=self._context() if secured else None, limit=LARGEST_MESSAGE
            )
        if where.tls == "starttls":
            await self._start_tls()

    async def close(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.write(self._message(ber.tlv(0x42)))
            self._writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._writer.wait_closed()

    def _context(self) -> ssl.SSLContext:
        return self._address.context or ssl.create_default_context()

    async def _start_tls(self) -> None:
        """RFC 4511, section 4.14. What the server sent before the handshake counts for nothing after it."""
        _checked(await self._ask(ber.tlv(0x77, ber.octets(START_TLS, 0x80)), 0x78))
        assert self._writer is not None
        async with asyncio.timeout(self._address.timeout):
            await self._writer.start_tls(self._context(), server_hostname=self._address.host)

    # -- bind ------------------------------------------------------------------------------------------------------

    async def bind(self, dn: str, password: str) -> None:
        """Raises `Refused`. Nobody binds with an empty password: servers take that for anonymous, and say yes."""
        if not dn or not password:
            raise Refused(WRONG_CREDENTIALS, "name and password are needed")
        await self._bind(dn, ber.octets(password, 0x80))

    async def bind_anonymously(self) -> None:
        await self._bind("", ber.octets(b"", 0x80))

    async def bind_by(self, mechanism: str, user: str, password: str, *, realm: str = "") -> None:
        """Challenge and response. Raises `Refused`."""
        code, reader = await self._bound("", ber.tlv(0xA3, ber.octets(mechanism)))
        if code == IN_PROGRESS:
            challenge = _credentials(reader)
            said = sasl.answer(mechanism, challenge, user=user, password=password, realm=realm, host=self._address.host)
            code, reader = await self._bound("", ber.tlv(0xA3, ber.octets(mechanism), ber.octets(said)))
        if code == IN_PROGRESS:
            # DIGEST-MD5 ends with the server's own proof, which an empty answer acknowledges.
            code, reader = await self._bound("", ber.tlv(0xA3, ber.octets(mechanism)))
        if code != SUCCESS:
            raise Refused(code, _reason(code, reader))

    async def _bind(self, dn: str, credentials: bytes) -> None:
        _checked(await self._ask(_bind_request(dn, credentials), 0x61))

    async def _bound(self, dn: str, credentials: bytes) -> tuple[int, Reader]:
        reader = await self._ask(_bind_request(dn, credentials), 0x61)
        return ber.as_integer(reader.next(ber.ENUMERATED)), reader

    # -- search ----------------------------------------------------------------------------------------------------

    async def search(
        self, base: str, filter: bytes, attributes: Sequence[str], *, scope: int = SUBTREE, limit: int = 0
    ) -> list[Entry]:
        """Entries below `base`, `limit` at most (0: as many as the server gives). Referrals are not followed.

        Raises `Refused`, but for a size limit: then the entries so far are the answer.
        """
        number = await self._send(
            ber.tlv(
                0x63,
                ber.octets(base),
                ber.integer(scope, ber.ENUMERATED),
                ber.integer(0, ber.ENUMERATED),
                ber.integer(limit),
                ber.integer(max(1, int(self._address.timeout))),
                ber.boolean(False),
                filter,
                ber.tlv(ber.SEQUENCE, *(ber.octets(each) for each in attributes)),
            )
        )
        found: list[Entry] = []
        while True:
            tag, content = await self._receive(number)
            if tag == 0x64:
                found.append(_entry(content))
            elif tag == 0x65:
                reader = Reader(content)
                code = ber.as_integer(reader.next(ber.ENUMERATED))
                if code not in (SUCCESS, SIZE_LIMIT):
                    raise Refused(code, _reason(code, reader))
                return found
            elif tag != 0x73:
                raise Malformed(f"operation {tag:#04x} in the answer to a search")

    # -- messages --------------------------------------------------------------------------------------------------

    async def _ask(self, operation: bytes, expected: int) -> Reader:
        tag, content = await self._receive(await self._send(operation))
        if tag != expected:
            raise Malformed(f"operation {tag:#04x} where {expected:#04x} belongs")
        return Reader(content)

    def _message(self, operation: bytes) -> bytes:
        self._number += 1
        return ber.tlv(ber.SEQUENCE, ber.integer(self._number), operation)

    async def _send(self, operation: bytes) -> int:
        assert self._writer is not None
        self._writer.write(self._message(operation))
        async with asyncio.timeout(self._address.timeout):
            await self._writer.drain()
        return self._number

    async def _receive(self, number: int) -> tuple[int, bytes]:
        """Tag and content of the next operation in answer to that message."""
        async with asyncio.timeout(self._address.timeout):
            message = Reader(await self._element())
        if ber.as_integer(message.next(ber.INTEGER)) != number:
            raise Malformed("the server ends the connection")
        tag = message.peek()
        return tag, message.next()

    async def _element(self) -> bytes:
        tag, first = await self._reader.readexactly(2)
        if tag != ber.SEQUENCE:
            raise Malformed("this is no LDAP server")
        size = first
        if first >= 0x80:
            digits = first & 0x7F
            if not 1 <= digits <= 4:
                raise Malformed("a length that is not used here")
            size = int.from_bytes(await self._reader.readexactly(digits), "big")
        if size > LARGEST_MESSAGE:
            raise Malformed(f"a message of {size} bytes")
        return await self._reader.readexactly(size)


def _bind_request(dn: str, credentials: bytes) -> bytes:
    return ber.tlv(0x60, ber.integer(3), ber.octets(dn), credentials)


def _checked(reader: Reader) -> None:
    code = ber.as_integer(reader.next(ber.ENUMERATED))
    if code != SUCCESS:
        raise Refused(code, _reason(code, reader))


def _reason(code: int, reader: Reader) -> str:
    """What the server says, else what its code means."""
    reader.next(ber.OCTETS)
    said = reader.next(ber.OCTETS).decode("utf-8", "replace").strip("\0 \n")
    meaning = REASONS.get(code, f"result {code}")
    return f"{meaning} ({said})" if said else meaning


def _credentials(reader: Reader) -> bytes:
    """The server's half of a challenge: behind the result, and perhaps referrals."""
    reader.next(ber.OCTETS)
    reader.next(ber.OCTETS)
    while reader:
        if reader.peek() == 0x87:
            return reader.next()
        reader.next()
    return b""


def _entry(content: bytes) -> Entry:
    reader = Reader(content)
    dn = reader.next(ber.OCTETS).decode("utf-8", "replace")
    attributes: dict[str, list[bytes]] = {}
    listed = Reader(reader.next(ber.SEQUENCE))
    while listed:
        one = Reader(listed.next(ber.SEQUENCE))
        name = one.next(ber.OCTETS).decode("utf-8", "replace").lower()
        values = Reader(one.next(ber.SET))
        kept = attributes.setdefault(name, [])
        while values:
            kept.append(values.next(ber.OCTETS))
    return Entry(dn, attributes)


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    return str(error) or type(error).__name__
