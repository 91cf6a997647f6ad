"""How npm, pnpm and yarn are set up for a repository; the client tests run what stands here."""

from __future__ import annotations

from pakhus.kit.format import Snippet

_LOGIN = "\"$(printf %s '{user}:{password}' | base64 -w0)\""
_CONFIG = "config set registry {url}\n{tool} config set //{below}:_auth " + _LOGIN
_CLASSIC = """\
cat >> ~/.npmrc <<END
registry={url}
//{below}:_auth=$(printf %s '{user}:{password}' | base64 -w0)
//{below}:always-auth=true
END
"""
_BERRY = """\
npmRegistryServer: "{url}"
npmAlwaysAuth: true
npmAuthIdent: "{user}:{password}"
"""


def _configure(tool: str) -> str:
    return f"{tool} {_CONFIG.replace('{tool}', tool)}"


USAGE = (
    Snippet("npm", _configure("npm")),
    Snippet("npm", "npm install <package>\nnpm publish"),
    Snippet("pnpm", _configure("pnpm")),
    Snippet("pnpm", "pnpm add <package>\npnpm publish"),
    Snippet("yarn classic", _CLASSIC),
    Snippet("yarn classic", "yarn add <package>\nyarn publish"),
    Snippet("yarn", _BERRY, file=".yarnrc.yml", language="yaml"),
    Snippet("yarn", "yarn add <package>\nyarn npm publish"),
)
