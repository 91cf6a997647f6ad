"""BER as LDAP uses it (X.690; RFC 4511, section 5.1): definite lengths, one-byte tags."""

from __future__ import annotations

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31


class Malformed(ValueError):
    """The bytes are not what the protocol says they are."""


def tlv(tag: int, *content: bytes) -> bytes:
    """Tag, length, value; several values one after the other."""
    value = b"".join(content)
    return bytes([tag]) + length(len(value)) + value


def length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def integer(value: int, tag: int = INTEGER) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool) -> bytes:
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


def octets(value: bytes | str, tag: int = OCTETS) -> bytes:
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def as_integer(value: bytes) -> int:
    if not value:
        raise Malformed("an integer without content")
    return int.from_bytes(value, "big", signed=True)


class Reader:
    """Reads the elements of a constructed value, one after the other."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._at = 0

    def __bool__(self) -> bool:
        """Is there more?"""
        return self._at < len(self._value)

    def peek(self) -> int:
        """The tag of the next element."""
        if not self:
            raise Malformed("an element is missing")
        return self._value[self._at]

    def next(self, tag: int | None = None) -> bytes:
        """The content of the next element. Raises `Malformed` if it has another tag, or is cut."""
        found = self.peek()
        if tag is not None and found != tag:
            raise Malformed(f"element {found:#04x} where {tag:#04x} belongs")
        start, size = self._length(self._at + 1)
        if start + size > len(self._value):
            raise Malformed("an element is cut")
        self._at = start + size
        return self._value[start : self._at]

    def _length(self, at: int) -> tuple[int, int]:
        """Where the content starts, and its size."""
        if at >= len(self._value):
            raise Malformed("an element is cut")
        first = self._value[at]
        if first < 0x80:
            return at + 1, first
        digits = first & 0x7F
        if not 1 <= digits <= 4 or at + 1 + digits > len(self._value):
            raise Malformed("a length that is not used here")
        return at + 1 + digits, int.from_bytes(self._value[at + 1 : at + 1 + digits], "big")
