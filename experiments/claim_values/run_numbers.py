"""What the claims ask of one run, learning included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.claim_values import slo
from experiments.convergence import first_passage, settles, time_until
from experiments.results import Run

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RunNumbers:
    """One run in numbers. Times are in slots, infinite for never, NaN where the run cannot say.

    Attributes:
        cost_s: mean over slots of the latency with every lost request counted as the penalty (5 s): the
            slot's cost under ``mean_latency``, and the same formula under other objectives.
        latency_s: mean over slots of the mean latency of completed requests.
        squared_variation: of the slots' mean latencies (variance over squared mean).
        violation_percent: share of requests over the SLO or lost, of all that were decided.
        utilisation: mean busy share of the GPU where there is one, else of the CPU.
        settled: until the windowed noise-free gap stays at most 1.25 to the end.
        first_passage: until it is so for the first time.
        met_percent: share of slots that meet the SLO.
        slo_first: until the policy first meets the SLO over a window.
        slo_for_good: until it does so to the end.
        rise_points: see ``slo.more_violations_after_rises``.
    """

    cost_s: float
    latency_s: float
    squared_variation: float
    violation_percent: float
    utilisation: float
    settled: float
    first_passage: float
    met_percent: float
    slo_first: float
    slo_for_good: float
    rise_points: float

    @staticmethod
    def of(run: Run) -> RunNumbers:
        """Read a finished run."""
        slots = run.table("slots")
        gap = slots["gap"].to_numpy(dtype=np.float64)
        latency_s = slots["mean_latency_s"].to_numpy(dtype=np.float64)
        gpu = slots["gpu_utilisation"].to_numpy(dtype=np.float64)
        cpu = slots["cpu_utilisation"].to_numpy(dtype=np.float64)
        mean_s = _mean(latency_s)
        return RunNumbers(
            cost_s=_mean(_cost_s(slots, run)),
            latency_s=mean_s,
            squared_variation=_mean((latency_s - mean_s) ** 2) / mean_s**2,
            violation_percent=slo.violation_percent(slots),
            utilisation=_mean(cpu if np.isnan(gpu).all() else gpu),
            settled=time_until(settles, gap),
            first_passage=time_until(first_passage, gap),
            met_percent=100 * _mean(slo.met(slots)),
            slo_first=slo.time_to_meet(slots),
            slo_for_good=slo.time_to_meet_for_good(slots),
            rise_points=slo.more_violations_after_rises(slots),
        )


def latency_with_losses_s(slots: pd.DataFrame, penalty_s: float) -> Floats:
    """Per slot the mean latency with every lost request counted as ``penalty_s``.

    The formula of ``serving.objective.mean_cost_s``, from the rows: ``penalty_s`` where nothing was decided
    although requests wait, NaN without any request.
    """
    answered_s = (slots["mean_latency_s"].fillna(0.0) * slots["completions"]).to_numpy(dtype=np.float64)
    count = slo.decided(slots)
    waiting = (slots["backlog_start"] + slots["backlog_end"]).to_numpy(dtype=np.float64)
    silent = np.where(waiting > 0, penalty_s, np.nan)
    mean_s = (answered_s + penalty_s * slo.lost(slots)) / np.maximum(count, 1.0)
    return np.where(count > 0, mean_s, silent)


def _cost_s(slots: pd.DataFrame, run: Run) -> Floats:
    if slots["objective"].iloc[0] == "mean_latency":
        return slots["cost"].to_numpy(dtype=np.float64)
    return latency_with_losses_s(slots, float(run.config["objective"]["penalty_s"]))


def _mean(values: Floats) -> float:
    """Mean of what is known, NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
