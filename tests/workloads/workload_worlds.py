"""What several tests of the workloads share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

REAL = Path(__file__).parents[3] / "shared" / "traces"
PER_MINUTE = "wikibench_per_minute_20070918-20070930.csv.gz"
FIRST_HOUR = "wikibench_first_hour_10ms_counts.csv.gz"


def real_trace(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real trace is not here: {name} is not part of the repository")
    return path


def made_minutes(path: Path, counts: list[int], start: str = "2007-09-18T20:10:43") -> Path:
    """A per-minute file whose first bin begins at ``start``."""
    ends = np.datetime64(start) + np.timedelta64(60, "s") * np.arange(1, len(counts) + 1)
    lines = [f"{end.item():%d/%m/%Y %H:%M:%S},{count}" for end, count in zip(ends, counts, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def ks_distance_to_exponential(gaps: np.ndarray, mean: float) -> float:
    """Kolmogorov-Smirnov distance times sqrt(n); above 1.63 with probability 1 %."""
    n = len(gaps)
    theory = 1 - np.exp(-np.sort(gaps) / mean)
    above = np.arange(1, n + 1) / n - theory
    return float(np.sqrt(n) * max(above.max(), (theory - np.arange(n) / n).max()))
