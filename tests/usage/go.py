"""Go: a module is downloaded by its path; a zip of one's own is published."""

from __future__ import annotations

from tests.samples.go import module_zip
from tests.usage import Trial

PROGRAMS = {"go": "go"}
FILES = {"go.mod": "module example.com/project\n\ngo 1.21\n"}
WORDS = {"module": "example.com/beta"}
ENV = {"GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw -mod=mod", "GOTELEMETRY": "off", "GOSUMDB": "off"}

TRIALS = {
    "go": Trial(
        PROGRAMS,
        FILES,
        WORDS,
        env=ENV,
        secure=True,
        after="grep -q example.com/beta go.mod",
    ),
    "curl: publish": Trial(
        {**PROGRAMS, "curl": "curl"},
        {**FILES, "module.zip": module_zip("example.com/own/shown", "v1.0.0")},
        {"module": "example.com/own/shown"},
        secure=True,
        after="curl -sf -u {user}:{password} {url}example.com/own/shown/@v/list | grep -qx v1.0.0",
    ),
}
