"""yum: what was put comes back. The file below `/etc` is the machine's: `tests/clients/test_yum.py` has its like."""

from __future__ import annotations

from tests.samples.rpm_packages import rpm
from tests.usage import Trial

TRIALS = {
    "dnf": Trial(untried="its file belongs to the machine; the client tests write the same into a root of their own"),
    "curl": Trial(
        {"curl": "curl"},
        {"tool-1.0-1.x86_64.rpm": rpm("tool", arch="x86_64")},
        after="curl -sf -u {user}:{password} {url}Packages/tool-1.0-1.x86_64.rpm | cmp - tool-1.0-1.x86_64.rpm",
    ),
}
