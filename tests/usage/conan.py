"""Conan: a recipe of one's own is uploaded, and installed on an empty cache."""

from __future__ import annotations

from tests.usage import Trial

RECIPE = """\
from conan import ConanFile

class Own(ConanFile):
    name = "own"
    version = "1.0"
"""
PROFILE = "[settings]\nos=Linux\narch=x86_64\nbuild_type=Release\n"
WORDS = {"name": "own", "version": "1.0"}
ENV = {"CONAN_NON_INTERACTIVE": "1"}

TRIALS = {
    "conan": Trial(
        {"conan": "conan"},
        {"conanfile.py": RECIPE, "~/.conan2/profiles/default": PROFILE},
        WORDS,
        before="conan create .",
        after="conan remove -c 'own/*'\nconan install -r {name} --requires own/1.0",
        env=ENV,
    ),
    "conan 1": Trial(
        {"conan": "conan1"},
        {"conanfile.py": RECIPE, "~/.conan/profiles/default": PROFILE},
        WORDS,
        before="conan config set general.revisions_enabled=1\nconan create .",
        after="conan remove -f own\nconan install -r {name} own/1.0@",
        env=ENV,
    ),
}
