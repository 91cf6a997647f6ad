"""`pakhus login --browser`, with the browser that the environment names."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.federation.conftest import Setting

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from pakhus.cli import main; main()"]


def run(home: Path, *words: str, login: str = "ann") -> subprocess.CompletedProcess[str]:
    """The command in a home of its own."""
    browser = f"{sys.executable} -m tests.integration.federation.browse %s"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PAKHUS_", "XDG_"))}
    own = {"HOME": str(home), "BROWSER": browser, "LOGIN": login, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    return subprocess.run(
        [*COMMAND, *words], env={**inherited, **own}, cwd=ROOT, capture_output=True, text=True, timeout=110
    )


async def test_login_by_browser_keeps_a_token_of_its_own(setting: Setting, tmp_path: Path) -> None:
    setting.provider.account("ann", groups=["developers"])
    await setting.configure(default_roles=["nx-admin"])

    done = await asyncio.to_thread(run, tmp_path, "login", setting.url, "--browser")
    kept = json.loads((tmp_path / ".config/pakhus/client.json").read_text())
    listed = await asyncio.to_thread(run, tmp_path, "token", "list", "--json")
    out = await asyncio.to_thread(run, tmp_path, "logout")

    assert done.returncode == 0, done.stderr
    assert (kept["username"], kept["token"][:4]) == ("ann", "phk_")
    assert [each["name"] for each in json.loads(listed.stdout)] == [kept["token_name"]]
    assert out.returncode == 0
    assert "Revoked" not in done.stderr


async def test_login_with_a_provider_that_is_not_there_names_those_that_are(setting: Setting, tmp_path: Path) -> None:
    await setting.configure()

    done = await asyncio.to_thread(run, tmp_path, "login", setting.url, "--provider", "nobody")

    assert done.returncode == 2
    assert "corp" in done.stderr
    assert not (tmp_path / ".config").exists()
