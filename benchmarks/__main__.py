"""`python -m benchmarks [--only CASE …]`: measure, print ratios, never fail because something was slow."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import httpx2
from tests.clients import install

from benchmarks.cases import CASES, Bench
from benchmarks.report import Report

KEPT = Path(__file__).parents[1] / ".cache"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), default=list(CASES), metavar="CASE")
    parser.add_argument("--rounds", type=int, default=3, help="alternations (default 3)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of one run of wrk (default 3)")
    parser.add_argument("--versions", type=int, default=1000, help="versions in the document cases (default 1000)")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    report = Report()
    KEPT.mkdir(exist_ok=True)
    for name in options.only:
        work = Path(tempfile.mkdtemp(prefix=f"bench-{name}-", dir=KEPT))
        bench = Bench(work, report, rounds=options.rounds, seconds=options.seconds, versions=options.versions)
        try:
            CASES[name](bench)
        except (AssertionError, SystemExit, install.NotInstalled, httpx2.HTTPError) as reason:
            report.failed(name, reason)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    report.write(KEPT / "bench.json")
    return 1 if any("failed" in row for row in report.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
