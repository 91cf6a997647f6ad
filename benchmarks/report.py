"""What a run prints: medians, spans, ratios; and the same as JSON for whoever compares runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import Series


class Report:
    """Prints each result as soon as there is one."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def compare(self, title: str, found: Mapping[str, Series], unit: str) -> None:
        """One line a contestant; the ratio is ours to theirs."""
        ours = found["pakhus"]
        print(f"\n{title}", flush=True)
        for name, series in found.items():
            low, high = series.span
            ratio = ours.rate / series.rate if series.rate else 0.0
            per = "request" if unit == "req/s" else "MiB"
            own = "" if series is ours else f"   ratio {ratio:.3g}"
            print(
                f"  {name:11} {series.rate:12,.1f} {unit:5} ({low:,.1f} to {high:,.1f})"
                f"   {series.cpu_us:8,.1f} µs CPU a {per}   errors {series.errors}{own}",
                flush=True,
            )
            self.rows.append(
                {
                    "case": title,
                    "contestant": name,
                    "unit": unit,
                    "rate": series.rate,
                    "span": [low, high],
                    "cpu_us": series.cpu_us,
                    "errors": series.errors,
                    "ratio": ratio,
                }
            )

    def durations(self, title: str, found: Mapping[str, Sequence[float]]) -> None:
        """Seconds of one contestant a line; the ratio is theirs to ours, so that more is better for us."""
        ours = median(found["pakhus"])
        print(f"\n{title}", flush=True)
        for name, seconds in found.items():
            ratio = median(seconds) / ours if ours else 0.0
            own = "" if name == "pakhus" else f"   ratio {ratio:.3g}"
            print(f"  {name:22} {median(seconds):8.2f} s ({min(seconds):.2f} to {max(seconds):.2f}){own}", flush=True)
            self.rows.append({"case": title, "contestant": name, "unit": "s", "value": median(seconds), "ratio": ratio})

    def figure(self, title: str, value: float, unit: str, note: str = "") -> None:
        print(f"\n{title}: {value:,.2f} {unit}{f'   ({note})' if note else ''}", flush=True)
        self.rows.append({"case": title, "contestant": "pakhus", "unit": unit, "value": value, "note": note})

    def failed(self, title: str, reason: BaseException) -> None:
        print(f"\n{title}: not measured: {reason}", file=sys.stderr, flush=True)
        self.rows.append({"case": title, "failed": str(reason)})

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.rows, indent=1))
