"""Cargo: a crate is added and built, and the project is published."""

from __future__ import annotations

from collections.abc import Mapping

from tests.usage import Trial

MANIFEST = """\
[package]
name = "{name}"
version = "1.0.0"
edition = "2021"
license = "MIT"
description = "A sample"

[dependencies]
"""
PROGRAMS = {"cargo": "cargo"}
WORDS = {"package": "alpha-tools"}
ENV = {"CARGO_NET_RETRY": "0"}
LOCKED = "cargo generate-lockfile\ngrep -q 'name = \"alpha-tools\"' Cargo.lock\n"


def project(name: str) -> Mapping[str, str]:
    return {"Cargo.toml": MANIFEST.replace("{name}", name), "src/lib.rs": ""}


PUBLISHED = "curl -sf -u {user}:{password} {url}by/-c/by-cargo | grep -q '\"alpha-tools\"'"

TRIALS = {
    "cargo": Trial(PROGRAMS, project("by-cargo"), WORDS, env=ENV, after=LOCKED + PUBLISHED),
    "cargo: in place of the default registry": Trial(PROGRAMS, project("replacing"), WORDS, env=ENV, after=LOCKED),
}
