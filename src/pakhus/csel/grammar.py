"""The grammar: `format == "maven2" and (path =^ "/org/acme/" or path =~ "/com/acme/.*\\.jar")`.

`and` binds stronger than `or`; both have a second spelling, `&&` and `||`. For `==` and `!=` the text may come first.
In a text, a backslash takes the meaning from a quote or a backslash after it; before anything else it stays, so that
regular expressions can be written without doubling.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.exceptions import UnexpectedEOF, UnexpectedToken, VisitError

from pakhus.csel import patterns
from pakhus.csel.expression import Comparison, Either, Every, Expression, Operator, Subject

LONGEST, DEEPEST = 10_000, 100
"""Characters, and parentheses inside each other."""
UNSUPPORTED = "Expression not supported in CSEL selector"

GRAMMAR = r"""
    either: every (_OR every)*
    every: _term (_AND _term)*
    _term: "(" either ")" | comparison
    comparison: SUBJECT EQUALITY TEXT | SUBJECT OPERATOR TEXT | TEXT EQUALITY SUBJECT
    SUBJECT.2: /(format|path)\b/
    _AND: /and\b|&&/
    _OR: /or\b|\|\|/
    EQUALITY: "==" | "!="
    OPERATOR: "=~" | "=^"
    TEXT: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
    %import common.WS
    %ignore WS
"""


class Unsupported(ValueError):
    """The text is no expression; the message says where, and what was expected."""


class _Builder(Transformer[Token, Expression]):
    def either(self, parts: list[Expression]) -> Expression:
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def every(self, parts: list[Expression]) -> Expression:
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def comparison(self, tokens: list[Token]) -> Expression:
        by_type = {token.type: str(token) for token in tokens}
        operator = Operator(by_type.get("EQUALITY") or by_type["OPERATOR"])
        text = _unquoted(by_type["TEXT"])
        if operator is Operator.MATCHES and (problem := patterns.flaw(text)) is not None:
            raise Unsupported(f"{UNSUPPORTED}: {text!r} is not a regular expression here: {problem}")
        return Comparison(Subject(by_type["SUBJECT"]), operator, text)


_PARSER = Lark(GRAMMAR, start="either", parser="lalr", transformer=_Builder())


@lru_cache(maxsize=1024)
def parsed(text: str) -> Expression:
    """The expression. Raises `Unsupported`."""
    if len(text) > LONGEST:
        raise Unsupported(f"{UNSUPPORTED}: it is longer than {LONGEST} characters")
    if _depth(text) > DEEPEST:
        raise Unsupported(f"{UNSUPPORTED}: its parentheses are deeper than {DEEPEST}")
    try:
        found: Any = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise Unsupported(_place(text, error)) from error
    except VisitError as error:
        raise error.orig_exc from error
    assert isinstance(found, Comparison | Every | Either)
    return found


def _depth(text: str) -> int:
    """At most so many parentheses are open at once; those inside of texts are counted too, which refuses more."""
    deepest = depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _unquoted(text: str) -> str:
    quote, inner = text[0], text[1:-1]
    found, escaped = [], False
    for character in inner:
        if escaped:
            found.append(character if character in (quote, "\\") else "\\" + character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            found.append(character)
    return "".join(found)


def _place(text: str, error: UnexpectedInput) -> str:
    position = error.pos_in_stream or 0
    if 0 <= position < len(text) and not isinstance(error, UnexpectedEOF) and not _at_end(error):
        return f"{UNSUPPORTED}: {text[position : position + 20]!r} at character {position + 1}"
    return f"{UNSUPPORTED}: it is not complete"


def _at_end(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"
