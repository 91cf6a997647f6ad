"""Passwords that are tried first: common words and names, however they are dressed up with digits and signs."""

from __future__ import annotations

import re
from collections.abc import Collection

_LISTED = """
abc abcd access account admin administrator alexander amanda andrea andrew angel anthony apple april arsenal artifact
asdf asdfgh asdfghjkl ashley august austin autumn baby banana barcelona baseball basketball batman beautiful berlin
biteme blahblah blink blue bond boss brandon buster butterfly charlie cheese chelsea chocolate chris computer cookie
dallas daniel david december default demo deploy deployer developer diamond dragon eminem enter euro everton falcon
family february fender ferrari flower football forever freedom friday friends fuckyou gandalf george ginger google
guest guitar hamster hannah harley hello heslo hockey hunter iloveyou india internet jack january jasmine jenkins
jennifer jessica jesus jordan joshua july june junior justin killer killme klaster knight lakers letmein liverpool
login london love lovely loveme lucky maggie manager march marina martin master matrix matthew maven maverick melissa
mercedes merlin metallica michael michelle monday monkey mother mustang mypass naruto nexus nicole ninja nothing
november october oracle orange pakhus parola pass passwd password passwort pepper phoenix player pokemon princess
private public purple qazwsx qwer qwert qwerty qwertyui qwertyuiop qwertz ranger registry repository robert root
samsung sander saturday secret senha september server service shadow shannon silver simple slipknot snoopy soccer
software spring startrek starwars steelers stupid summer sunday sunshine super superman superuser support sweet system
taylor temp temppass tennis test tester testing thomas thunder thursday tigger toor trustno trustnoone tuesday unknown
user vagrant wednesday welcome whatever william winter wizard wordpass work xbox yankees yellow zxcv zxcvbn zxcvbnm
"""
WORDS = frozenset(_LISTED.split())
ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm")
LEET = str.maketrans("01345789@$!|", "oleastbgasil")
SHORTEST_RUN = 4


def is_common(password: str, *, about: Collection[str] = ()) -> bool:
    """Would it be guessed early? `about`: words that belong to the user, such as its name."""
    plain = password.casefold()
    known = WORDS | {each.casefold() for each in about if len(each) > 2}
    cores = {_core(plain), _core(plain.translate(LEET)), _core(plain).translate(LEET)}
    if "" in cores or cores & known:
        return True
    return _repeats(plain) or _walks(plain)


def _core(text: str) -> str:
    """Without the digits and signs around it: `Summer2024!` is `summer`."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def _repeats(text: str) -> bool:
    """One short piece again and again."""
    return re.fullmatch(r"(.{1,4}?)\1+.{0,3}", text) is not None


def _walks(text: str) -> bool:
    """Nothing but runs along the alphabet, the digits or the rows of a keyboard, in either direction."""
    left = text
    while left:
        run = _run(left)
        if run < SHORTEST_RUN:
            return False
        left = left[run:]
    return True


def _run(text: str) -> int:
    longest = 0
    for row in ROWS:
        for line in (row, row[::-1]):
            length = 0
            while length < len(text) and text[: length + 1] in line:
                length += 1
            longest = max(longest, length)
    return longest
