"""One server for the tests of a module, with its upstreams; each test makes repositories of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.serving import Serving, serving
from tests.integration.upstream import Upstream, upstream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def near(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """A server without repositories."""
    async with serving(tmp_path_factory.mktemp("near") / "data") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def far() -> AsyncIterator[Upstream]:
    """An upstream without files."""
    async with upstream() as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for repositories of this test alone."""
    return f"r{abs(hash(request.node.nodeid))}"
