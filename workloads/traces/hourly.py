"""Hourly requests of all projects 2008-2013, ``YYYY-MM-DD-HH,count``: HH (UTC) is the END of the hour.

HH may have one digit; the header ``Date, Requests`` is optional. ``NA``, ``NaN`` and 0 are hours in which
nothing was recorded (all of Wikimedia is never without a request), so they count as missing.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from workloads.traces.lines import matched_lines, place, utc
from workloads.traces.series import Bin, RateSeries, on_grid

HEADER = "Date, Requests"
LINE = re.compile(r"(\d{4})-(\d\d)-(\d\d)-(\d\d?),(\d+|NA|NaN)", re.ASCII)
EXPECTED = "YYYY-MM-DD-HH,count (or NA)"
_BIN_S = 3600.0


def load(path: Path) -> RateSeries:
    """Read the file."""
    bins = []
    for number, line, match in matched_lines(path, LINE, EXPECTED, HEADER):
        *when, text = match.groups()
        count = 0.0 if text in ("NA", "NaN") else float(text)
        end = utc(place(path, number), line, *when)
        bins.append(Bin(place(path, number), end - timedelta(seconds=_BIN_S), count or None))
    return on_grid(path, bins, _BIN_S)
