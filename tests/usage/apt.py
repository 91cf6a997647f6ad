"""apt: what was put comes back. The files below `/etc` are the machine's: `test_apt.py` has their like."""

from __future__ import annotations

from tests.samples.apt_packages import deb
from tests.usage import Trial

TRIALS = {
    "apt": Trial(untried="its files belong to the machine; the client tests write the same into a root of their own"),
    "curl": Trial(
        {"curl": "curl"},
        {"hello_1.0_amd64.deb": deb("hello", "1.0", "amd64")},
        after="curl -sf -u {user}:{password} {url}pool/main/h/hello/hello_1.0_amd64.deb | cmp - hello_1.0_amd64.deb",
    ),
}
