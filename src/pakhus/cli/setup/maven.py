"""Maven's settings.xml: a server and a mirror, put between comment markers without touching anything else.

The file is edited as bytes at positions that a parser gives, so comments, order and encoding stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape

from pakhus.cli.outcome import Failure

BEGIN, END = "<!-- pakhus:begin mvn -->", "<!-- pakhus:end mvn -->"
BLOCK = re.compile(rb"\n[ ]*" + BEGIN.encode() + rb".*?" + END.encode(), re.DOTALL)
EMPTY = b"""<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
</settings>
"""


@dataclass(slots=True)
class Outline:
    """Where, in bytes, the sections of the file begin and where the root ends; ids of servers and mirrors."""

    sections: dict[str, int] = field(default_factory=dict)
    end: int = 0
    ids: set[str] = field(default_factory=set)


def write(body: bytes, *, id: str, url: str, username: str, password: str) -> bytes:
    """The file with our server and our mirror of everything, in place of older ones."""
    body = erase(body) or EMPTY
    outline = outline_of(body)
    if id in outline.ids:
        raise Failure(f"settings.xml has a server or mirror {id} of its own: choose another --name")
    server = element("server", id=id, username=username, password=password)
    plain = {"blocked": "false"} if url.startswith("http:") else {}
    mirror = element("mirror", id=id, mirrorOf="*", url=url, **plain)
    # From the end to the beginning, so that the positions stay right. The first mirror that matches wins.
    places = sorted(
        (("servers", server), ("mirrors", mirror)), key=lambda p: outline.sections.get(p[0], 0), reverse=True
    )
    for section, content in places:
        if section not in outline.sections:
            whole = f"<{section}>\n{content}\n  </{section}>"
            body = insert(body, outline_of(body).end, f"  {BEGIN}\n  {whole}\n  {END}", newline_after=True)
        else:
            body = into(body, outline_of(body).sections[section], section, content)
    outline_of(body)
    return body


def element(tag: str, **children: str) -> str:
    inner = "".join(f"\n      <{name}>{escape(value)}</{name}>" for name, value in children.items())
    return f"    <{tag}>{inner}\n    </{tag}>"


def into(body: bytes, start: int, section: str, content: str) -> bytes:
    stop = body.index(b">", start) + 1
    block = f"    {BEGIN}\n{content}\n    {END}"
    if body[start:stop].endswith(b"/>"):
        opened = body[start : stop - 2].rstrip() + b">"
        return body[:start] + opened + b"\n" + encoded(block) + f"\n  </{section}>".encode() + body[stop:]
    return insert(body, stop, block)


def insert(body: bytes, at: int, block: str, *, newline_after: bool = False) -> bytes:
    """The block on lines of its own. `erase` takes the newline before it as well."""
    if newline_after:
        # Before `</settings>`: keep the newline that stands there for the tag.
        at = at - 1 if body[at - 1 : at] == b"\n" else at
        tail = b"" if body[at : at + 1] == b"\n" else b"\n"
        return body[:at] + b"\n" + encoded(block) + tail + body[at:]
    return body[:at] + b"\n" + encoded(block) + body[at:]


def encoded(text: str) -> bytes:
    return text.encode("ascii", "xmlcharrefreplace")


def erase(body: bytes) -> bytes:
    return BLOCK.sub(b"", body)


def outline_of(body: bytes) -> Outline:
    """Raises `Failure` for what is no settings.xml."""
    outline, path, text = Outline(), [""] * 0, [""]
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(name: str, _: dict[str, str]) -> None:
        path.append(name.rpartition(" ")[2])
        text[0] = ""
        if len(path) == 2:
            outline.sections[path[1]] = parser.CurrentByteIndex

    def end(_: str) -> None:
        if path[1:] in (["servers", "server", "id"], ["mirrors", "mirror", "id"]):
            outline.ids.add(text[0].strip())
        if len(path) == 1:
            outline.end = parser.CurrentByteIndex
        path.pop()

    def characters(piece: str) -> None:
        text[0] += piece

    def entity(*_: object) -> None:
        raise Failure("settings.xml declares entities: it is not edited")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = characters, entity
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Failure(f"settings.xml is not well-formed: {error}") from error
    if not re.search(rb"</settings\s*>\s*\Z", body[outline.end :]):
        raise Failure("the file is no settings.xml of Maven")
    return outline
