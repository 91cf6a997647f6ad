"""The REST API through clients that others made for Nexus, as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server

DRIVER = Path(__file__).with_name("nexus_api.py")


@pytest.mark.parametrize("chapter", ["status", "repositories", "contents", "administration", "tasks"])
def test_client_generated_from_nexus_own_description(chapter: str, nexus_api: Program, server: Server) -> None:
    nexus_api.run(DRIVER, server.url, *ADMIN, chapter).ok()


def ran(program: Program, server: Server, *args: str) -> Result:
    env = {
        "NEXUS3_URL": server.url,
        "NEXUS3_USERNAME": ADMIN[0],
        "NEXUS3_PASSWORD": ADMIN[1],
        "PYTHONWARNINGS": "ignore",
    }
    return program.run(*args, env=env)


def test_nexus3_cli_manages_blob_stores(nexus3: Program, server: Server) -> None:
    created = ("blobstore", "create", "file", "-q", "spaceUsedQuota", "-l", "100000", "cli-store", "cli-store")
    ran(nexus3, server, *created).ok()

    shown = json.loads(ran(nexus3, server, "blobstore", "show", "cli-store").ok().stdout)
    listed = ran(nexus3, server, "blobstore", "list").ok().stdout

    assert shown["softQuota"] == {"type": "spaceUsedQuota", "limit": 100000}
    assert (shown["path"], shown["type"]) == ("cli-store", "File")
    assert "cli-store" in listed
    ran(nexus3, server, "blobstore", "delete", "--yes", "cli-store").ok()
    assert "cli-store" not in ran(nexus3, server, "blobstore", "list").ok().stdout


def test_nexus3_cli_runs_tasks(nexus3: Program, server: Server) -> None:
    body = {"type": "repository.cleanup", "name": "by-cli", "enabled": True, "notificationCondition": "FAILURE"}
    made = server.http.post("/service/rest/v1/tasks", json={**body, "frequency": {"schedule": "manual"}})
    id = made.json()["id"]

    assert "by-cli" in ran(nexus3, server, "task", "list").ok().stdout
    ran(nexus3, server, "task", "run", id).ok()
    assert json.loads(ran(nexus3, server, "task", "show", id).ok().stdout)["name"] == "by-cli"


def test_nexus3_cli_reads_the_realms(nexus3: Program, server: Server) -> None:
    assert "NexusAuthenticatingRealm" in json.loads(ran(nexus3, server, "security", "realm", "active").ok().stdout)
    assert "NpmToken" in ran(nexus3, server, "security", "realm", "available").ok().stdout


def test_nexus3_cli_is_told_that_there_are_no_scripts(nexus3: Program, server: Server, tmp_path: Path) -> None:
    script = tmp_path / "x.groovy"
    script.write_text("return 1")

    refused = ran(nexus3, server, "script", "create", "x", str(script)).refused()

    assert "Creating and updating scripts is disabled" in refused.output
