"""npm: a project takes a package from the repository and is published there."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.usage import Trial

PACKAGE = "@acme/alpha"
INSTALLED = f"test -f node_modules/{PACKAGE}/package.json\n"


def project(name: str, **more: str) -> Mapping[str, str]:
    return {"package.json": json.dumps({"name": name, "version": "1.0.0", "license": "MIT"}), **more}


def published(name: str) -> str:
    return INSTALLED + f"curl -sf -u {{user}}:{{password}} {{url}}{name} | grep -q '\"1.0.0\"'"


WORDS = {"package": PACKAGE}

TRIALS = {
    "npm": Trial({"npm": "npm"}, project("by-npm"), WORDS, after=published("by-npm")),
    "pnpm": Trial(
        {"pnpm": "pnpm"},
        project("by-pnpm", **{"pnpm-workspace.yaml": "minimumReleaseAge: 0\n"}),
        WORDS,
        after=published("by-pnpm"),
        env={"npm_config_git_checks": "false"},
    ),
    "yarn classic": Trial({"yarn": "yarn"}, project("by-classic"), WORDS, after=published("by-classic")),
    "yarn": Trial(
        {"yarn": "berry"},
        project("by-berry", **{"yarn.lock": ""}),
        WORDS,
        after="grep -q 'resolution: \"@acme/alpha@npm' yarn.lock\n" + published("by-berry").removeprefix(INSTALLED),
        env={"YARN_NPM_MINIMAL_AGE_GATE": "0", "YARN_ENABLE_IMMUTABLE_INSTALLS": "false", "YARN_ENABLE_TELEMETRY": "0"},
        secure=True,
    ),
}
