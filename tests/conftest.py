"""What is set up before any test is collected, and in the process that hands the tests out."""

from __future__ import annotations

import pytest

from tests.clients import matrix


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(matrix.Collector(), "pakhus-matrix")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Archives have the time in them: as names of tests they would differ from process to process."""
    return argname if isinstance(val, bytes) and not val.isascii() else None
