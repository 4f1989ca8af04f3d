"""When a run has converged: slots until then, or None for never. A run's length never stands in for never.

Times are counted in slots played, so slot index t is time t + 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

HELD = 0.5
"""Share of a run for which a Q table must have held still to count as settled: as long as it took."""


def windowed_gap(gap: NDArray[np.float64], window: int = 25) -> NDArray[np.float64]:
    """Geometric mean of the gap over every full window.

    Args:
        gap: noise-free cost of the chosen configuration over the best one's, per slot, shape (slots,).
        window: slots per window.

    Returns:
        Shape (slots - window + 1,), entry i for the slots i .. i + window - 1; empty for shorter runs.
    """
    if len(gap) < window:
        return np.empty(0)
    with np.errstate(divide="ignore"):
        logs = np.log(gap)
    means: NDArray[np.float64] = np.exp(np.lib.stride_tricks.sliding_window_view(logs, window).mean(axis=1))
    return means


def first_passage(gap: NDArray[np.float64], threshold: float = 1.25, window: int = 25) -> int | None:
    """Slots until the windowed gap is at most ``threshold`` for the first time; None for never."""
    reached = np.flatnonzero(windowed_gap(gap, window) <= threshold)
    return int(reached[0]) + window if len(reached) else None


def settles(gap: NDArray[np.float64], threshold: float = 1.25, window: int = 25) -> int | None:
    """Slots until the windowed gap is at most ``threshold`` and stays so to the end; None for never.

    A missing gap (NaN) is not within the threshold.
    """
    within = windowed_gap(gap, window) <= threshold
    if not len(within) or not within[-1]:
        return None
    outside = np.flatnonzero(~within)
    return (int(outside[-1]) + 1 if len(outside) else 0) + window


def time_until(when: Callable[[NDArray[np.float64]], int | None], series: NDArray[np.float64]) -> float:
    """``when(series)`` as a number to compare: infinite for never, NaN where nothing is known."""
    if np.isnan(series).all():
        return np.nan
    slots = when(series)
    return np.inf if slots is None else float(slots)


def settles_q(q_distance: NDArray[np.float64], threshold: float = 0.10, held: float = HELD) -> int | None:
    """Slots until the Q table is within ``threshold`` of where it ends, and stays so (``conv_q``, Fig. 9).

    The distance to a table's own end is 0 at the end, so every run gets there, however far it still is from
    settling: with discount 0.9 the slot was 0.7 to 0.9 of the run for runs of 1500 to 12,000 slots. A time
    counts only if the table then held for the last ``held`` share of the run, else the run was too short.

    Args:
        q_distance: ||Q_t - Q_end|| / ||Q_end|| per slot, shape (slots,).
        threshold: largest distance that counts as there.
        held: share of the run, 0..1; 0 takes every run as converged.

    Returns:
        Slots, or None where the table moved for longer than that.
    """
    settled = settles(q_distance, threshold, window=1)
    if settled is None or settled > (1 - held) * len(q_distance):
        return None
    return settled
