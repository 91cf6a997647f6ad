"""Which passwords are guessed early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.services.guesses import WORDS, is_common


@given(st.sampled_from(sorted(WORDS)), st.text("0123456789!?._-#", max_size=6), st.text("0123456789!?.", max_size=3))
def test_common_word_stays_one_in_digits_and_signs(word: str, behind: str, before: str) -> None:
    assert is_common(before + word + behind)
    assert is_common(word.upper() + behind)


@pytest.mark.parametrize(
    "password",
    ["12345678", "87654321", "qwertyuiop", "asdfghjkl1234", "abcabcabc", "zzzzzzzz", "P4ssw0rd!", "!!!!!!!!"],
)
def test_pattern_is_guessed_early(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "an-administrators-password", "Tr0ub4dor&3-rest", "x9Kf!vR2mQ", "grünkohlpinkel"],
)
def test_password_of_ones_own_is_not(password: str) -> None:
    assert not is_common(password)


def test_name_of_the_user_is_guessed_early() -> None:
    assert is_common("Petra2026!", about=["petra"])
    assert not is_common("Petra2026!", about=["pe"])


@given(st.text(max_size=40))
def test_any_text_is_judged(password: str) -> None:
    assert is_common(password) in (True, False)
