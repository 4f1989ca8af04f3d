"""What every loader returns: a rate on equal bins."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

MOST_MISSING = 0.25
"""Largest share of bins without data that is interpolated; beyond it, a trace is refused."""


@dataclass(frozen=True, eq=False)
class RateSeries:
    """Request rate over time.

    Attributes:
        start: start of the first bin in UTC; None if the file does not say.
        bin_s: length of a bin in seconds.
        rate_rps: mean rate in each bin, requests/s, shape (bins,).
        filled_bins: number of bins without data, whose rate was interpolated.
    """

    start: datetime | None
    bin_s: float
    rate_rps: NDArray[np.float64]
    filled_bins: int = 0

    @property
    def duration_s(self) -> float:
        """Length of the whole series in seconds."""
        return len(self.rate_rps) * self.bin_s

    @property
    def mean_rps(self) -> float:
        """Mean rate of the whole series in requests/s."""
        return float(self.rate_rps.mean())


@dataclass(frozen=True)
class Bin:
    """One bin as read; ``place`` says where ("FILE: line 3"), for the error message."""

    place: str
    start: datetime
    count: float | None  # None: the file has the bin, without data


def on_grid(path: object, bins: Sequence[Bin], bin_s: float) -> RateSeries:
    """The bins on an equal grid from the first on; a hole in time stays a hole in time, never closed up.

    Bins without data, and those that are missing altogether, are interpolated linearly between their
    neighbours (in a hole of days, the shape of the day is lost), counted in ``filled_bins`` and warned of.

    Raises:
        UsageError: if times do not increase or are off the grid, or more than ``MOST_MISSING`` is missing.
    """
    grid: list[int] = []
    for one in bins:
        index, rest = divmod(one.start - bins[0].start, timedelta(seconds=bin_s))
        if rest or (grid and index <= grid[-1]):
            raise UsageError(
                f"{one.place}: expected a later time, by a multiple of {bin_s:g} s, than the line before"
            )
        grid.append(index)
    known = [i for i, one in enumerate(bins) if one.count is not None]
    length = grid[-1] + 1
    missing = length - len(known)
    message = f"workload.trace={path}: {missing} of {length} bins have no data"
    if missing > MOST_MISSING * length or not known:
        raise UsageError(f"{message}, expected at most {MOST_MISSING:.0%}")
    if missing:
        warnings.warn(f"{message}; interpolated", stacklevel=2)
    places = np.array(grid)[known]
    rate = np.array([bins[i].count for i in known], dtype=np.float64) / bin_s
    return RateSeries(bins[0].start, bin_s, np.interp(np.arange(length), places, rate), missing)
