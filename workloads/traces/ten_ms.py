"""Arrivals in consecutive 10 ms, one integer per line. No header, no time of day."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from workloads.traces.lines import matched_lines
from workloads.traces.series import RateSeries

LINE = re.compile(r"\d+", re.ASCII)
EXPECTED = "a count of arrivals"
_BIN_S = 0.01


def load(path: Path) -> RateSeries:
    """Read the file."""
    counts = [int(line) for _, line, _ in matched_lines(path, LINE, EXPECTED)]
    return RateSeries(None, _BIN_S, np.array(counts, dtype=np.float64) / _BIN_S)
