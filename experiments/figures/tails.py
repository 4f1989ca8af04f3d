"""Panels of tails: the share of requests that took longer than x."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.arms import Arm
from experiments.figures.layout import log_ticks
from experiments.figures.style import SLO_LINE, colour, dashes, label
from experiments.results import Run
from experiments.statistics import bootstrap, mean
from serving.histogram import BIN_COUNT, EDGES_S

EVERY = 5  # bin edges from one point to the next: 10 % of x
LEAST_SHARE = 1e-4  # of the requests; below it a curve is not drawn


def counts_and_lost(run: Run) -> tuple[NDArray[np.int64], int]:
    """A run's latency histogram, shape (BIN_COUNT,), and its number of lost requests."""
    per_bin = run.table("histogram").groupby("bin")["count"].sum()
    counts = np.zeros(BIN_COUNT, dtype=np.int64)
    counts[per_bin.index.to_numpy()] = per_bin
    lost = run.table("slots")[["rejections", "timeouts", "errors"]].sum().sum()
    return counts, int(lost)


def ccdf(arm: Arm) -> pd.DataFrame:
    """Share of requests that took longer than ``latency_s``; lost ones took longer than any.

    Returns:
        ``latency_s``, ``value``, ``low``, ``high``, ``seeds``: mean over seeds with its 95 % interval, from
        the least to the largest latency of a completed request.
    """
    runs = [counts_and_lost(run) for run in arm.runs.values()]
    shares = np.array([1 - np.cumsum(counts)[:-1] / (counts.sum() + lost) for counts, lost in runs])
    seen = np.flatnonzero(np.sum([counts for counts, _ in runs], axis=0)[1:-1])
    at = range(seen.min(), seen.max() + 2, EVERY) if len(seen) else range(0)
    points = [bootstrap([shares[:, [edge]]], lambda runs: mean(runs[..., 0]), resamples=1000) for edge in at]
    return pd.DataFrame({
        "latency_s": EDGES_S[list(at)],
        "value": [one.value for one in points],
        "low": [one.low for one in points],
        "high": [one.high for one in points],
        "seeds": len(shares),
    })  # fmt: skip


def agents(axes: Axes, by_preset: Mapping[str, Arm], slo_s: float) -> pd.DataFrame:
    """One curve per agent and the objective as a line; returns the numbers drawn."""
    parts = []
    for preset, arm in by_preset.items():
        drawn = ccdf(arm)
        axes.plot(
            drawn["latency_s"], drawn["value"], dashes(preset), color=colour(preset), label=label(preset)
        )
        axes.fill_between(
            drawn["latency_s"], drawn["low"], drawn["high"], color=colour(preset), alpha=0.15, linewidth=0
        )
        parts.append(drawn.assign(preset=preset))
    axes.axvline(slo_s, label="objective", **SLO_LINE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(LEAST_SHARE, 1)
    log_ticks(axes.xaxis)
    log_ticks(axes.yaxis)
    return pd.concat(parts, ignore_index=True)
