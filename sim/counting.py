"""What a slot's latencies add up to: histogram, sum, violations and ticks, in one pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from serving.histogram import BIN_COUNT, EDGES_S
from serving.measurement import Ticks
from sim.kernel import compiled

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]

# The first bits of a positive floating-point number (exponent and 7 of the mantissa) name a cell less than
# 0.8 % wide, in which at most one edge lies: one look and one comparison find the bin that a search finds.
# What depends on the edges is an argument: compiled code on disk does not know of a change in another file.
_SHIFT = 52 - 7
_FIRST_CELL = int(EDGES_S[:1].view(np.int64)[0] >> _SHIFT)
_CELLS = int(EDGES_S[-1:].view(np.int64)[0] >> _SHIFT) + 1 - _FIRST_CELL
_CELL_STARTS_S = (np.arange(_FIRST_CELL, _FIRST_CELL + _CELLS) << _SHIFT).view(np.float64)
_NO_TICKS = (np.zeros(0, dtype=np.int64), np.zeros(0))
_EDGES_BEFORE = np.searchsorted(EDGES_S, _CELL_STARTS_S, side="right").astype(np.int16)


class Counts(NamedTuple):
    """Of the completions of a slot.

    Attributes:
        histogram: counts per bin of ``serving.histogram``.
        latency_sum_s: sum of the latencies, added in order of completion.
        slo_violations: how many were slower than the objective.
        ticks: completions and latencies by part of the slot; None if it was not to be parted.
    """

    histogram: _Integers
    latency_sum_s: float
    slo_violations: int
    ticks: Ticks | None


def count(
    latency_s: _Floats, completed_at_s: _Floats, slo_s: float, start_s: float, elapsed_s: float, ticks: int
) -> Counts:
    """Count the completions of a slot that took ``elapsed_s`` and is parted in so many ticks."""
    histogram = np.zeros(BIN_COUNT, dtype=np.int64)
    completions, latency_sums_s = _NO_TICKS
    if ticks:
        completions, latency_sums_s = np.zeros(ticks, dtype=np.int64), np.zeros(ticks)
    per_second = ticks / elapsed_s
    total_s, violations = _count(
        latency_s, completed_at_s, slo_s, start_s, per_second,
        EDGES_S, _FIRST_CELL, _EDGES_BEFORE, histogram, completions, latency_sums_s,
    )  # fmt: skip
    return Counts(histogram, total_s, violations, Ticks(completions, latency_sums_s) if ticks else None)


def _count_all(
    latency_s: _Floats, completed_at_s: _Floats, slo_s: float, start_s: float, per_second: float,
    edges_s: _Floats, first_cell: int, edges_before: NDArray[np.int16],
    histogram: _Integers, completions: _Integers, latency_sums_s: _Floats,
) -> tuple[float, int]:  # fmt: skip
    total_s, violations = 0.0, 0
    last = len(completions) - 1
    bits = latency_s.view(np.int64)
    for index in range(len(latency_s)):
        latency = latency_s[index]
        total_s += latency
        violations += latency > slo_s
        cell = (bits[index] >> _SHIFT) - first_cell
        if cell < 0:
            histogram[0] += 1
        elif cell >= len(edges_before):
            histogram[len(edges_s)] += 1
        else:
            before = edges_before[np.uintp(cell)]
            above = before < len(edges_s) and latency >= edges_s[np.uintp(before)]
            histogram[np.uintp(before + above)] += 1
        if last >= 0:
            tick = min(last, max(0, int((completed_at_s[index] - start_s) * per_second)))
            completions[np.uintp(tick)] += 1
            latency_sums_s[np.uintp(tick)] += latency
    return total_s, violations


_ROW, _NUMBERS, _SMALL = types.float64[::1], types.int64[::1], types.int16[::1]
_count = compiled(
    _count_all,
    types.Tuple((types.float64, types.int64))(
        _ROW,
        _ROW,
        types.float64,
        types.float64,
        types.float64,
        _ROW,
        types.int64,
        types.int16[::1],
        _NUMBERS,
        _NUMBERS,
        _ROW,
    ),
)
