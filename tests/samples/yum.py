"""Yum: two versions of a package and another one by PUT, with groups beside them."""

from __future__ import annotations

import gzip
import re

from tests.samples import Page, Release, Request, Sample
from tests.samples.rpm_packages import INT32, STRING, rpm

ALPHA_1, ALPHA_2, BETA = rpm("alpha"), rpm("alpha", "2.0~rc1", "3"), rpm("beta", "0.1", arch="x86_64", epoch=1)
COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>tools</id><name>Tools</name><packagelist>
<packagereq type="mandatory">alpha</packagereq></packagelist></group></comps>
"""


def big(size: int) -> Release:
    package = rpm("big", payload=bytes(size))
    return Release([Request("PUT", "big-1.0-1.noarch.rpm", package)], {"big-1.0-1.noarch.rpm": package})


def _lists(body: bytes) -> set[str]:
    return set(re.findall(r'<data type="(\w+)">', body.decode()))


SAMPLE = Sample(
    format="yum",
    first=Release(
        [Request("PUT", "Packages/alpha-1.0-1.noarch.rpm", ALPHA_1)],
        {"Packages/alpha-1.0-1.noarch.rpm": ALPHA_1},
        [Request("DELETE", "Packages/alpha-1.0-1.noarch.rpm")],
    ),
    second=Release(
        [Request("PUT", "Packages/alpha-2.0~rc1-3.noarch.rpm", ALPHA_2), Request("PUT", "repodata/comps.xml", COMPS)],
        {"Packages/alpha-2.0~rc1-3.noarch.rpm": ALPHA_2},
        [Request("DELETE", "Packages/alpha-2.0~rc1-3.noarch.rpm"), Request("DELETE", "repodata/comps.xml")],
    ),
    other=Release(
        [Request("PUT", "beta-0.1-1.x86_64.rpm", BETA)],
        {"beta-0.1-1.x86_64.rpm": BETA},
        [Request("DELETE", "beta-0.1-1.x86_64.rpm")],
    ),
    pages=(
        Page(
            "repodata/repomd.xml",
            _lists,
            frozenset({"primary", "filelists", "other", "group", "group_gz"}),
            frozenset({"primary", "filelists", "other", "group", "group_gz"}),
        ),
    ),
    absent="Packages/alpha-9.9-9.noarch.rpm",
    big=big,
    malformed=(
        Request("PUT", "a-1-1.noarch.rpm", b"not a package"),
        Request("PUT", "a-1-1.noarch.rpm", b""),
        Request("PUT", "a-1-1.noarch.rpm", ALPHA_1[:-1]),
        Request("PUT", "a-1-1.noarch.rpm", ALPHA_1[:200]),
        Request("PUT", "a-1-1.noarch.rpm", ALPHA_1 + b"more"),
        Request("PUT", "a-1-1.noarch.rpm", ALPHA_1[:-1] + b"?"),
        Request("PUT", "a-1-1.noarch.rpm", ALPHA_1.replace(b"The package", b"The pockage")),
        Request("PUT", "a-1-1.noarch.rpm", rpm("a/../b")),
        Request("PUT", "a-1-1.noarch.rpm", rpm("a", more={1001: (STRING, "")})),
        Request("PUT", "a-1-1.noarch.rpm", rpm("a", more={1003: (STRING, "one")})),
        Request("PUT", "a-1-1.noarch.rpm", rpm("a", files=[("/a", 0, 0)], more={1116: (INT32, [7])})),
        Request("PUT", "readme.txt", b"not a package"),
        Request("PUT", "repodata/repomd.xml", b"<repomd/>"),
        Request("PUT", "repodata/x/alpha-1.0-1.noarch.rpm", ALPHA_1),
        Request("PUT", "folder/comps.xml", COMPS),
        Request("PUT", "comps.xml", b"<comps>"),
        Request("PUT", "comps.xml", b"<html/>"),
        Request("PUT", "comps.xml.gz", gzip.compress(COMPS)[:-9]),
        Request("PUT", "comps.xml", b'<!DOCTYPE c [<!ENTITY a "b">]><comps>&a;</comps>'),
        Request("PUT", "modules.yaml", b"document: other\ndata: {}\n"),
        Request("PUT", "modules.yaml", b"a: ["),
        Request("PUT", "updateinfo.xml", b"<updates><update/></updates>"),
        Request("PUT", "updateinfo.xml", b'<!DOCTYPE u [<!ENTITY a "b">]><updates/>'),
    ),
)
