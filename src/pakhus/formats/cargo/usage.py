"""How cargo is set up for a repository; the client tests run what stands here."""

from __future__ import annotations

from pakhus.kit.format import Clue, Snippet

_REGISTRY = """\
[registries."{name}"]
index = "sparse+{url}"
credential-provider = "cargo:token"
"""
_REPLACEMENT = (
    _REGISTRY
    + """
[source.crates-io]
replace-with = "{name}"
"""
)
_LOGIN = "printf 'Basic %s' \"$(printf %s '{user}:{password}' | base64 -w0)\" | cargo login --registry {name}\n"
_COMMANDS = """\
cargo add --registry {name} <package>
cargo publish --registry {name}
"""

USAGE = (
    Snippet("cargo", _REGISTRY, file="~/.cargo/config.toml", language="toml"),
    Snippet("cargo", _LOGIN + _COMMANDS),
    Snippet("cargo: in place of the default registry", _REPLACEMENT, file="~/.cargo/config.toml", language="toml"),
    Snippet("cargo: in place of the default registry", _LOGIN + "cargo add <package>"),
)

_ASK = (
    "CARGO_HTTP_PROXY=127.0.0.1:1 CARGO_NET_RETRY=0 CARGO_LOG=network=debug cargo info cargo 2>&1"
    r" | sed -n 's|.* fetch \(https\{0,1\}://[^ ]*/\)config\.json$|\1|p'"
)
"""Cargo does not print the address of its index, but logs it before it connects; here it gets no further than that."""

CLUES = (Clue(command=("sh", "-c", _ASK)),)
