"""How Conan 1 and 2 are set up for a repository."""

from __future__ import annotations

from pakhus.kit.format import Snippet

USAGE = (
    Snippet("conan", "conan remote add {name} {url}\nconan remote login {name} {user} -p {password}"),
    Snippet("conan", "conan upload -c -r {name} '<name>/*'\nconan install -r {name} --requires '<name>/<version>'"),
    Snippet("conan 1", "conan remote add {name} {url}\nconan user -r {name} {user} -p {password}"),
    Snippet("conan 1", "conan config set general.revisions_enabled=1\nconan upload --all -c -r {name} '<name>/*'"),
)
