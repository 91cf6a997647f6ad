"""How pip, uv, twine, poetry and pdm are set up for a repository; the client tests run what stands here."""

from __future__ import annotations

from pakhus.kit.format import Snippet

_PIP = "[global]\nindex-url = {login_url}simple/\n"
_UV = """\
[[index]]
name = "{name}"
url = "{login_url}simple/"
publish-url = "{url}"
default = true
"""
_TWINE = """\
[distutils]
index-servers =
    {name}

[{name}]
repository = {url}
username = {user}
password = {password}
"""
_POETRY = """\
poetry source add --priority=primary {name} {url}simple/
poetry config repositories.{name} {url}
poetry config http-basic.{name} {user} {password}
poetry add <package>
poetry publish --repository {name}
"""
_PDM = """\
pdm config pypi.url {url}simple/
pdm config pypi.username {user}
pdm config pypi.password {password}
pdm add <package>
pdm publish --repository {url} --username {user} --password {password}
"""

USAGE = (
    Snippet("pip", _PIP, file="~/.config/pip/pip.conf", language="ini"),
    Snippet("pip", "pip install <package>"),
    Snippet("uv", _UV, file="~/.config/uv/uv.toml", language="toml"),
    Snippet("uv", "uv add <package>\nuv publish --index {name} --username {user} --password {password}"),
    Snippet("twine", _TWINE, file="~/.pypirc", language="ini"),
    Snippet("twine", "twine upload --repository {name} dist/*"),
    Snippet("poetry", _POETRY),
    Snippet("pdm", _PDM),
)
