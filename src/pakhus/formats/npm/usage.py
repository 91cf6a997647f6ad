"""How npm, pnpm and yarn are set up for a repository."""

from __future__ import annotations

from pakhus.kit.format import Snippet

NPMRC = """\
registry={url}
//{host}/repository/{name}/:_authToken=${{NPM_TOKEN}}
"""
YARN_CLASSIC = """\
registry={url}
//{host}/repository/{name}/:_authToken=${{NPM_TOKEN}}
always-auth=true
"""
YARN_BERRY = """\
npmRegistryServer: "{url}"
npmAlwaysAuth: true
npmAuthToken: "${{NPM_TOKEN}}"
"""

USAGE = (
    Snippet("npm", "npm login --registry={url} --auth-type=legacy"),
    Snippet("npm", NPMRC, file=".npmrc", language="ini"),
    Snippet("npm", "npm install --registry={url} <package>\nnpm publish --registry={url}"),
    Snippet("pnpm", NPMRC, file=".npmrc", language="ini"),
    Snippet("yarn classic", YARN_CLASSIC, file=".npmrc", language="ini"),
    Snippet("yarn", YARN_BERRY, file=".yarnrc.yml", language="yaml"),
)
