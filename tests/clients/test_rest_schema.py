"""The OpenAPI documents are true: whatever fits them is answered as they say, and never by a fault of the server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.clients.server import ADMIN, Server

EXAMPLES = int(os.environ.get("PAKHUS_SCHEMA_EXAMPLES", "8"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# What would lock the test out, ask other servers, make folders anywhere, or answers 500 as Nexus does.
LEFT_OUT = (
    r"read-only|lifecycle|supportzip|/security/users|change-admin-password|/anonymous|/realms|/tokens|/login"
    r"|/security/ssl$|email/verify|/v1/http$"
    r"|blobstores/file|blobstores/group|/convert/"
    r"|/system/eula|/metrics/healthcheck"
)


@pytest.fixture(scope="module")
def described(pakhus_server: Callable[..., Server]) -> Any:
    """The whole API of a server, as it describes itself."""
    server = pakhus_server("schema")
    schema = schemathesis.openapi.from_url(f"{server.url}/api/v1/openapi.json")
    schema.config.update(base_url=server.url)
    return schema.exclude(path_regex=LEFT_OUT)


def test_whatever_fits_is_answered_as_described(described: Any) -> None:
    wrong: dict[str, str] = {}
    for result in described.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def asked(case: Any) -> None:
            case.call_and_validate(auth=ADMIN, checks=CHECKS)

        try:
            asked()
        except FailureGroup as failures:
            wrong[operation.label] = "\n".join(str(each) for each in failures.exceptions)

    assert wrong == {}, "\n\n".join(f"{label}: {reason}" for label, reason in wrong.items())
