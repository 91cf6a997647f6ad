"""Search filters: built by functions, or parsed from an administrator's text (RFC 4515), as the protocol has them.

What a user typed only ever becomes a value in `equal` or `starts_with`; it is never part of a text that is parsed.
"""

from __future__ import annotations

import re

from pakhus.remote.ldap import ber

AND, OR, NOT, EQUAL, SUBSTRINGS, GREATER, LESS, PRESENT, APPROX, EXTENSIBLE = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
)  # fmt: skip
DEEPEST = 32
ATTRIBUTE = r"[A-Za-z0-9.][A-Za-z0-9.;_-]*"
_ITEM = re.compile(rf"(?P<name>{ATTRIBUTE})(?P<type>=|~=|>=|<=)(?P<value>.*)\Z", re.S)
_RULED = re.compile(rf"(?P<name>{ATTRIBUTE})?(?P<dn>:dn)?(?::(?P<rule>{ATTRIBUTE}))?:=(?P<value>.*)\Z", re.S | re.I)
_CHAINED = re.compile(rf"(?P<name>{ATTRIBUTE}):(?P<rule>[0-9.]+):?\Z")
_TYPES = {"=": EQUAL, "~=": APPROX, ">=": GREATER, "<=": LESS}


class BadFilter(ValueError):
    """The text is no filter."""


def equal(attribute: str, value: str) -> bytes:
    """The attribute has the value. `member:1.2.840.113556.1.4.1941` names a matching rule besides."""
    ruled = _CHAINED.match(attribute)
    if ruled is not None:
        return _extensible(ruled["name"], ruled["rule"], value.encode(), dn=False)
    return ber.tlv(EQUAL, ber.octets(attribute), ber.octets(value))


def starts_with(attribute: str, value: str) -> bytes:
    if not value:
        return present(attribute)
    return ber.tlv(SUBSTRINGS, ber.octets(attribute), ber.tlv(ber.SEQUENCE, ber.octets(value, 0x80)))


def present(attribute: str) -> bytes:
    return ber.octets(attribute, PRESENT)


def all_of(*filters: bytes) -> bytes:
    return filters[0] if len(filters) == 1 else ber.tlv(AND, *filters)


def parse(text: str) -> bytes:
    """A filter as administrators write it: `(&(objectClass=person)(!(l=Nowhere)))`. Raises `BadFilter`."""
    parser = _Parser(text.strip())
    found = parser.filter(0)
    if parser.at != len(parser.text):
        raise BadFilter(f"there is something behind the end of the filter: {parser.text[parser.at :]!r}")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        # A filter without its outer parentheses is common in other products' settings.
        self.text = text if text.startswith("(") else f"({text})"
        self.at = 0

    def filter(self, depth: int) -> bytes:
        if depth > DEEPEST:
            raise BadFilter("the filter is nested too deeply")
        self._expect("(")
        sign = self.text[self.at : self.at + 1]
        if sign in ("&", "|"):
            self.at += 1
            inner = []
            while self.text[self.at : self.at + 1] == "(":
                inner.append(self.filter(depth + 1))
            found = ber.tlv(AND if sign == "&" else OR, *inner)
        elif sign == "!":
            self.at += 1
            found = ber.tlv(NOT, self.filter(depth + 1))
        else:
            found = self._item()
        self._expect(")")
        return found

    def _item(self) -> bytes:
        end = next((at for at in range(self.at, len(self.text)) if self.text[at] in "()"), len(self.text))
        text, self.at = self.text[self.at : end], end
        ruled = _RULED.match(text)
        if ruled is not None and (ruled["name"] or ruled["rule"]):
            return _extensible(ruled["name"], ruled["rule"], unescaped(ruled["value"]), dn=bool(ruled["dn"]))
        match = _ITEM.match(text)
        if match is None:
            raise BadFilter(f"{text!r} is no condition")
        name, value = match["name"], match["value"]
        if match["type"] != "=" or "*" not in value:
            return ber.tlv(_TYPES[match["type"]], ber.octets(name), ber.octets(unescaped(value)))
        return present(name) if value == "*" else _substrings(name, value)

    def _expect(self, sign: str) -> None:
        if self.text[self.at : self.at + 1] != sign:
            raise BadFilter(f"{sign!r} is missing at position {self.at + 1}")
        self.at += 1


def _substrings(name: str, value: str) -> bytes:
    first, *between, last = value.split("*")
    parts = [(0x80, first), *((0x81, each) for each in between), (0x82, last)]
    found = [ber.octets(unescaped(text), tag) for tag, text in parts if text]
    return ber.tlv(SUBSTRINGS, ber.octets(name), ber.tlv(ber.SEQUENCE, *found))


def _extensible(name: str | None, rule: str | None, value: bytes, *, dn: bool) -> bytes:
    parts = [ber.octets(rule, 0x81)] if rule else []
    parts += [ber.octets(name, 0x82)] if name else []
    parts += [ber.octets(value, 0x83)]
    parts += [ber.octets(b"\xff", 0x84)] if dn else []
    return ber.tlv(EXTENSIBLE, *parts)


def unescaped(text: str) -> bytes:
    r"""The value that a text with `\2a` for `*` and the like stands for."""
    raw = text.encode()
    if re.search(rb"\\(?![0-9a-fA-F]{2})", raw):
        raise BadFilter(f"{text!r}: a backslash is followed by two hexadecimal digits")
    return re.sub(rb"\\([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), raw)
