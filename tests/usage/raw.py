"""Raw: what was put comes back."""

from __future__ import annotations

from tests.usage import Trial

FILES = {"file.bin": b"\x00some bytes\xff"}

TRIALS = {
    "curl": Trial(
        {"curl": "curl"},
        FILES,
        after="curl -sf -u {user}:{password} {url}folder/file.bin | cmp - file.bin",
    ),
    "wget": Trial(
        {"curl": "curl"},
        FILES,
        before="curl -sf -u {user}:{password} -T file.bin {url}folder/file.bin; mv file.bin was.bin",
        after="cmp file.bin was.bin",
    ),
}
