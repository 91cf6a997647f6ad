"""A path for every route: the shortest text that its template matches."""

from __future__ import annotations

import re._constants as codes
import re._parser as parser
from typing import Any

from pakhus.kit.paths import template

CHARACTERS = "ab1Z/-._@ "


def path_of(text: str) -> str:
    """A path that the template matches; assertions about what stands around are not looked at."""
    pattern = template(text).pattern
    return _Sample().sequence(parser.parse(pattern.pattern, pattern.flags))


class _Sample:
    def __init__(self) -> None:
        self._groups: dict[int, str] = {}

    def sequence(self, items: Any) -> str:
        return "".join(self._one(code, argument) for code, argument in items)

    def _one(self, code: Any, argument: Any) -> str:
        if code is codes.LITERAL:
            return chr(argument)
        if code is codes.NOT_LITERAL:
            return next(each for each in CHARACTERS if ord(each) != argument)
        if code is codes.ANY:
            return "a"
        if code is codes.IN:
            return self._member(argument)
        if code is codes.BRANCH:
            return self.sequence(argument[1][0])
        if code is codes.SUBPATTERN:
            found = self._groups[argument[0]] = self.sequence(argument[3])
            return found
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            return self.sequence(argument[2]) * int(argument[0])
        if code is codes.GROUPREF:
            return self._groups[argument]
        assert code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT), code
        return ""

    def _member(self, items: Any) -> str:
        negated = items[0][0] is codes.NEGATE
        for each in CHARACTERS:
            if any(_is_in(each, code, argument) for code, argument in items) is not negated:
                return each
        code, argument = next(item for item in items if item[0] is not codes.NEGATE)
        return chr(argument if code is codes.LITERAL else argument[0])


def _is_in(character: str, code: Any, argument: Any) -> bool:
    if code is codes.LITERAL:
        return ord(character) == argument
    if code is codes.RANGE:
        return bool(argument[0] <= ord(character) <= argument[1])
    word = character.isalnum() or character == "_"
    return code is codes.CATEGORY and {
        codes.CATEGORY_DIGIT: character.isdigit(),
        codes.CATEGORY_NOT_DIGIT: not character.isdigit(),
        codes.CATEGORY_WORD: word,
        codes.CATEGORY_NOT_WORD: not word,
        codes.CATEGORY_SPACE: character.isspace(),
        codes.CATEGORY_NOT_SPACE: not character.isspace(),
    }.get(argument, False)
