"""What is set up before any test is collected, and in the process that hands the tests out."""

from __future__ import annotations

import pytest

from tests.clients import matrix


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(matrix.Collector(), "pakhus-matrix")


LONG = 60
"""Characters: what is longer is made, not written, and may have the time or a key in it."""


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Names of tests must be the same in every process."""
    made = isinstance(val, bytes) and not val.isascii()
    return argname if made or (isinstance(val, bytes | str) and len(val) > LONG) else None
