"""Helm: a chart is found, pulled and published."""

from __future__ import annotations

from tests.samples.helm import chart
from tests.usage import Trial

ARCHIVE = {"mychart-0.1.0.tgz": chart("mychart", "0.1.0")}

TRIALS = {
    "helm": Trial({"helm": "helm"}, words={"chart": "beta"}, after="test -f beta-0.1.0.tgz"),
    "cm-push": Trial(untried="the plugin cannot be installed here"),
    "curl": Trial(
        {"curl": "curl"},
        ARCHIVE,
        after="curl -sf -u {user}:{password} {url}mychart-0.1.0.tgz | cmp - mychart-0.1.0.tgz",
    ),
}
