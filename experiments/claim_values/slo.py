"""When a service-level objective (SLO) is met: definitions of ours, written before any result was seen.

The paper gives no percentile for the loose SLOs of Fig. 15; the 95th, which it names for the strict ones, is
taken for both. A request violates the SLO if it is slower, or lost (rejected, timed out, failed). A slot
meets the SLO if at most 5 % of the requests decided in it violate it: its 95th percentile is within, with
lost requests counted as slow. A policy meets the SLO over a window of 25 slots, that of the definition of
convergence, if at most 5 % of all requests decided in the window violate it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOLERATED_PERCENT = 5.0
WINDOW = 25
_RISE = 1.01  # load over that of the slot before: less is rounding


def lost(slots: pd.DataFrame) -> Floats:
    """Requests without an answer, per slot."""
    return slots[["rejections", "timeouts", "errors"]].sum(axis=1).to_numpy(dtype=np.float64)


def decided(slots: pd.DataFrame) -> Floats:
    """Requests answered or lost, per slot."""
    return slots["completions"].to_numpy(dtype=np.float64) + lost(slots)


def violating(slots: pd.DataFrame) -> Floats:
    """Requests over the SLO or lost, per slot."""
    return slots["slo_violations"].to_numpy(dtype=np.float64) + lost(slots)


def violation_percent(slots: pd.DataFrame) -> float:
    """Share of all requests of the run that violate the SLO."""
    return 100 * float(violating(slots).sum() / max(decided(slots).sum(), 1.0))


def met(slots: pd.DataFrame) -> Floats:
    """Per slot 1 where it meets the SLO, 0 where not, NaN without a request.

    A slot in which nothing was decided although requests wait does not meet it.
    """
    waiting = (slots["backlog_start"] + slots["backlog_end"]).to_numpy(dtype=np.float64)
    within = violating(slots) <= TOLERATED_PERCENT / 100 * decided(slots)
    silent = decided(slots) == 0
    return np.where(silent, np.where(waiting > 0, 0.0, np.nan), within.astype(np.float64))


def windowed_percent(slots: pd.DataFrame) -> Floats:
    """Share of requests that violate the SLO over every full window, shape (slots - 24,).

    A window in which nothing was decided counts as all violated.
    """
    if len(slots) < WINDOW:
        return np.empty(0)
    kernel = np.ones(WINDOW)
    total = np.convolve(decided(slots), kernel, mode="valid")
    over = np.convolve(violating(slots), kernel, mode="valid")
    return 100 * np.where(total > 0, over / np.maximum(total, 1.0), 1.0)


def time_to_meet(slots: pd.DataFrame) -> float:
    """Slots until the policy first meets the SLO over a window; infinite for never."""
    within = np.flatnonzero(windowed_percent(slots) <= TOLERATED_PERCENT)
    return float(within[0]) + WINDOW if len(within) else np.inf


def time_to_meet_for_good(slots: pd.DataFrame) -> float:
    """Slots until the policy meets the SLO over every window to the end; infinite for never."""
    outside = np.flatnonzero(windowed_percent(slots) > TOLERATED_PERCENT)
    windows = len(slots) - WINDOW + 1
    first = int(outside[-1]) + 1 if len(outside) else 0
    return float(first + WINDOW) if first < windows else np.inf


def more_violations_after_rises(slots: pd.DataFrame) -> float:
    """Percentage points by which slots that do not meet the SLO are more frequent after the load rose.

    After a rise: the slot in which the mean load rose, and those after it, 25 in all. Compared with all
    other slots from the first change of the load on, so that the start of learning counts on neither side.

    Returns:
        NaN for a run without a rise, or without other slots.
    """
    load_rps = slots["true_load_rps"].to_numpy(dtype=np.float64)
    rose = np.concatenate([[False], load_rps[1:] > _RISE * load_rps[:-1]])
    fell = np.concatenate([[False], load_rps[1:] < load_rps[:-1] / _RISE])
    changes = np.flatnonzero(rose | fell)
    if not len(changes):
        return np.nan
    after = np.convolve(rose, np.ones(WINDOW))[: len(rose)] > 0.5
    counted = (np.arange(len(rose)) >= changes[0]) & ~np.isnan(met(slots))
    missed = 1 - met(slots)
    one, other = missed[counted & after], missed[counted & ~after]
    if not len(one) or not len(other):
        return np.nan
    return 100 * float(one.mean() - other.mean())
