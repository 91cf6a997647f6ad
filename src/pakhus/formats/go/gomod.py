"""go.mod files: the directives that tell something about the module.

Source: Go modules reference, "go.mod files" (lexical elements, grammar, deprecation).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pakhus.domain.errors import BadPackage

_TOKEN = re.compile(r'//.*|"(?:[^"\\]|\\.)*"|`[^`]*`|[()\[\]{},]|(?:(?!//)[^\s"`()\[\]{},])+')
_DEPRECATED = re.compile(r"(?m:^)Deprecated:[ \t]*(.*?)(?:\n\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Requirement:
    path: str
    version: str
    indirect: bool = False


@dataclass(frozen=True, slots=True)
class GoMod:
    """What a go.mod says; empty where it says nothing."""

    module: str
    go: str = ""
    toolchain: str = ""
    deprecated: str = ""
    requires: tuple[Requirement, ...] = ()
    retracts: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class _Line:
    """A directive, also one of a block: its words, the comment behind it, and those right above."""

    verb: str
    words: list[str]
    comment: str
    above: str


def parse_gomod(body: bytes) -> GoMod:
    """Unknown directives are passed over, as the go command does in dependencies. Raises `BadPackage`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPackage("go.mod is not UTF-8") from error
    module = go = toolchain = deprecated = ""
    requires: list[Requirement] = []
    retracts: list[str] = []
    for line in _lines(text):
        match line.verb, line.words:
            case "module", [path]:
                if module:
                    raise BadPackage("go.mod has more than one module directive")
                module, deprecated = path, _deprecation(line)
            case "go", [go]:
                pass
            case "toolchain", [toolchain]:
                pass
            case "require", [path, version]:
                requires.append(Requirement(path, version, line.comment.startswith("indirect")))
            case "retract", words:
                retracts.append(" ".join(words))
    if not module:
        raise BadPackage("go.mod has no module directive")
    return GoMod(module, go, toolchain, deprecated, tuple(requires), tuple(retracts))


def synthesized(module: str) -> bytes:
    """The go.mod of a module that has none."""
    return f"module {module}\n".encode()


def _lines(text: str) -> Iterator[_Line]:
    block, above = "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        tokens = _TOKEN.findall(raw)
        comment = tokens.pop().removeprefix("//").strip() if tokens and tokens[-1].startswith("//") else ""
        words = [_unquoted(token, number) for token in tokens]
        if not words:
            above = f"{above}{comment}\n" if "//" in raw else ""
        elif block and words == [")"]:
            block = above = ""
        elif not block and words[1:] == ["("]:
            block = words[0]
        else:
            yield _Line(block, words, comment, above) if block else _Line(words[0], words[1:], comment, above)
            above = ""


def _unquoted(token: str, number: int) -> str:
    if token.startswith("`"):
        return token[1:-1]
    if not token.startswith('"'):
        return token
    inner = token[1:-1]
    if "\\" in inner:
        raise BadPackage(f"go.mod, line {number}: {token[:100]} has an escape, which no path and no version needs")
    return inner


def _deprecation(line: _Line) -> str:
    for comment in (line.above, line.comment):
        if found := _DEPRECATED.search(comment):
            return " ".join(found[1].split())
    return ""
