"""Thinned counts of one language edition, ``YYYY-MM-DD HH:MM:SS value`` (39 h of WikiBench, 68 s bins).

No header. The time is the START of the bin, on a clock 4 h behind UTC (the first bin then begins 35 s before
the trace, which fits its half-sized value). The length of a bin is the step between the first two lines. The
unit of the values is not documented: only their shape means something.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from serving.errors import UsageError
from workloads.traces.lines import matched_lines, place, utc
from workloads.traces.series import Bin, RateSeries, on_grid

LINE = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) (\d+(?:\.\d+)?)", re.ASCII)
EXPECTED = "YYYY-MM-DD HH:MM:SS value"
_BEHIND_UTC = timedelta(hours=4)


def load(path: Path) -> RateSeries:
    """Read the file without its first and last bin, which the capture covers in part only."""
    bins = []
    for number, line, match in matched_lines(path, LINE, EXPECTED):
        *when, value = match.groups()
        where = place(path, number)
        bins.append(Bin(where, utc(where, line, *when) + _BEHIND_UTC, float(value)))
    if len(bins) < 3:
        raise UsageError(f"workload.trace={path}: {len(bins)} lines, expected at least 3")
    bin_s = (bins[1].start - bins[0].start).total_seconds()
    if bin_s <= 0:
        raise UsageError(f"{bins[1].place}: expected a later time than the line before")
    return on_grid(path, bins[1:-1], bin_s)
