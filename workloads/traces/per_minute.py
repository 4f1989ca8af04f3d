"""Counts per minute, ``DD/MM/YYYY HH:MM:SS,count``: the time (UTC) is the END of the minute. No header."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from workloads.traces.lines import matched_lines, place, utc
from workloads.traces.series import Bin, RateSeries, on_grid

LINE = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d),(\d+)", re.ASCII)
EXPECTED = "DD/MM/YYYY HH:MM:SS,count"
_BIN_S = 60.0


def load(path: Path) -> RateSeries:
    """Read the file."""
    bins = []
    for number, line, match in matched_lines(path, LINE, EXPECTED):
        day, month, year, *clock, count = match.groups()
        where = place(path, number)
        end = utc(where, line, year, month, day, *clock)
        bins.append(Bin(where, end - timedelta(seconds=_BIN_S), float(count)))
    return on_grid(path, bins, _BIN_S)
