"""Debian packages: two versions by PUT and by POST, and another package with its source."""

from __future__ import annotations

import re

from tests.samples import Page, Release, Request, Sample
from tests.samples.apt_packages import ar, control, deb, dsc, tar

POOL = "pool/main/a/alpha/"
ALPHA_1 = deb("alpha", "1.0-1", "amd64")
ALPHA_2 = deb("alpha", "1:2.0~rc1", "amd64", packing=".zst")
BETA = deb("beta", "0.1", packing=".gz")
BETA_TAR = tar({"beta-0.1/debian/control": b"Source: beta\n"})
BETA_DSC = dsc("beta", "0.1", {"beta_0.1.tar.xz": BETA_TAR})
NAMED = frozenset({"alpha 1.0-1", "alpha 1:2.0~rc1", "beta 0.1"})


def _packages(body: bytes) -> set[str]:
    return {" ".join(pair) for pair in re.findall(r"^Package: (.*)\n(?:.*\n)*?Version: (.*)$", body.decode(), re.M)}


def _suite(body: bytes) -> set[str]:
    return set(re.findall(r"^(?:Codename|Components): .*$", body.decode(), re.M))


HEADING = frozenset({"Codename: stable", "Components: main"})

SAMPLE = Sample(
    format="apt",
    first=Release(
        [Request("PUT", POOL + "alpha_1.0-1_amd64.deb", ALPHA_1)],
        {POOL + "alpha_1.0-1_amd64.deb": ALPHA_1},
        [Request("DELETE", POOL + "alpha_1.0-1_amd64.deb")],
    ),
    second=Release(
        [Request("POST", "", ALPHA_2, {"content-type": "application/octet-stream"})],
        {POOL + "alpha_2.0~rc1_amd64.deb": ALPHA_2},
        [Request("DELETE", POOL + "alpha_2.0~rc1_amd64.deb")],
    ),
    other=Release(
        [
            Request("PUT", "pool/beta_0.1_all.deb;deb.distribution=stable;deb.component=main", BETA),
            Request("PUT", "pool/main/b/beta/beta_0.1.dsc", BETA_DSC),
            Request("PUT", "pool/main/b/beta/beta_0.1.tar.xz", BETA_TAR),
        ],
        {
            "pool/beta_0.1_all.deb": BETA,
            "pool/main/b/beta/beta_0.1.dsc": BETA_DSC,
            "pool/main/b/beta/beta_0.1.tar.xz": BETA_TAR,
        },
        [Request("DELETE", "pool/beta_0.1_all.deb")],
    ),
    pages=(
        Page("dists/stable/InRelease", _suite, HEADING, HEADING),
        Page("dists/stable/main/binary-amd64/Packages", _packages, NAMED, NAMED - {"alpha 1.0-1"}),
        Page("dists/stable/main/binary-all/Packages", _packages, frozenset({"beta 0.1"}), frozenset({"beta 0.1"})),
    ),
    absent="pool/main/a/alpha/alpha_9.9_amd64.deb",
    big=lambda size: _big(size),
    malformed=(
        Request("PUT", POOL + "alpha_1.0-1_amd64.deb", b"not a package"),
        Request("PUT", POOL + "alpha_1.0-1_amd64.deb", b""),
        Request("PUT", POOL + "alpha_1.0-1_amd64.deb", ALPHA_1[:-40]),
        Request("PUT", POOL + "alpha_1.0-2_amd64.deb", ALPHA_1),
        Request("PUT", POOL + "alpha_1.0-1_arm64.deb", ALPHA_1),
        Request("PUT", "pool/main/b/beta/beta_1.0-1_amd64.deb", ALPHA_1),
        Request("PUT", "dists/stable/Release", b"Origin: a client"),
        Request("PUT", "pool/main/a/alpha/alpha.txt", b"text"),
        Request("PUT", "pool/alpha.deb;deb.distribution=../x", ALPHA_1),
        Request("PUT", "pool/alpha.deb;deb.component=a/b", ALPHA_1),
        Request("PUT", "pool/bad.deb", deb("Bad Name", "1.0")),
        Request("PUT", "pool/bad.deb", deb("bad", "one two")),
        Request("PUT", "pool/bad.deb", deb("bad", "1.0", "source")),
        Request("PUT", "pool/bad.deb", deb("bad", "1.0", Depends="x\n\nPackage: injected")),
        Request("PUT", "pool/bad.deb", ar({"debian-binary": b"2.0\n"})),
        Request("PUT", "pool/bad.deb", ar({"debian-binary": b"3.0\n", "control.tar.gz": tar({}, ".gz")})),
        Request("PUT", "pool/bad.deb", ar({"debian-binary": b"2.0\n", "control.tar": tar({"control": b""}, "")})),
        Request("POST", "", b"not a package"),
        Request("POST", "", control("alpha", "1.0")),
        Request("PUT", "pool/main/b/beta/beta_0.2.dsc", BETA_DSC),
        Request("PUT", "pool/main/b/beta/beta_0.1.dsc", b"no control file"),
        Request("PUT", "pool/main/b/beta/beta_0.1.dsc", dsc("beta", "0.1", {})),
    ),
)


def _big(size: int) -> Release:
    body = deb("big", "1.0", files={"usr/lib/big": bytes(size)}, packing="")
    return Release([Request("PUT", "pool/main/b/big/big_1.0_all.deb", body)], {"pool/main/b/big/big_1.0_all.deb": body})
