"""How far the simulator is from the testbed, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.statistics import Estimate, bootstrap, mean

LOAD = 0.7  # of saturation; above it the bar for latency does not hold
_Z = 1.96


@dataclass(frozen=True)
class Agreement:
    """Simulator against testbed on windows that no fit saw. Errors in percent of what was measured.

    Attributes:
        windows: of a constant rate of at most 0.7 of the measured saturation.
        mape: mean absolute error of their mean latency, with a 95 % bootstrap interval over configurations.
        bias: mean signed error: positive where the simulator is too slow.
        p95_mape: of the 95th percentile.
        cpu_mape: of the CPU seconds per request.
        saturation_mape: of the throughput of a closed loop.
        beyond_mape: of mean latency in the windows of higher rates.
        noise: median relative standard error of a measured mean, percent: less than that cannot be expected.
        pairs: pairs of configurations at the same rate whose measured 95 % intervals do not overlap.
        tau: Kendall's tau over those pairs.
        regret: by how many percent the configuration that is best in the simulator is slower on the testbed
            than the best there, at each rate.
        trace_mape, trace_p95_mape, trace_bias: per slot of the trace.
    """

    windows: int
    mape: Estimate
    bias: float
    p95_mape: float
    cpu_mape: float
    saturation_mape: float
    beyond_mape: float
    noise: float
    pairs: int
    tau: float
    regret: dict[float, float]
    trace_mape: float
    trace_p95_mape: float
    trace_bias: float


def agreement(rows: pd.DataFrame, knobs: Sequence[str]) -> Agreement:
    """Compare.

    Args:
        rows: of ``replay.simulated``.
        knobs: names of the knobs.
    """
    rows = with_share(rows, knobs)
    closed, rate = rows[rows["mode"] == "closed"], rows[rows["mode"] == "rate"]
    trace = rows[rows["mode"] == "trace"]
    within = rate[rate["share"] <= LOAD]
    pairs, concord = tau(rate)
    return Agreement(
        windows=len(within),
        mape=_over_configurations(within, knobs),
        bias=_mean(errors(within)),
        p95_mape=_mean(np.abs(errors(within, "p95_latency_s"))),
        cpu_mape=_mean(np.abs(errors(within, "cpu_s_per_request"))),
        saturation_mape=_mean(np.abs(errors(closed, "throughput_rps"))),
        beyond_mape=_mean(np.abs(errors(rate[rate["share"] > LOAD]))),
        noise=float(100 * (within["mean_error_s"] / within["mean_latency_s"]).median()),
        pairs=pairs,
        tau=concord,
        regret={float(level): _regret(part) for level, part in rate.groupby("level")},  # type: ignore[arg-type]
        trace_mape=_mean(np.abs(errors(trace))),
        trace_p95_mape=_mean(np.abs(errors(trace, "p95_latency_s"))),
        trace_bias=_mean(errors(trace)),
    )


def with_share(rows: pd.DataFrame, knobs: Sequence[str]) -> pd.DataFrame:
    """With a column ``share``: the rate over the configuration's measured saturated throughput."""
    rows = rows.drop(columns=["saturated_rps", "share"], errors="ignore")
    closed = rows[rows["mode"] == "closed"]
    saturated = closed.groupby(list(knobs))["throughput_rps"].max().rename("saturated_rps")
    joined = rows.join(saturated, on=list(knobs))
    return joined.assign(share=joined["load_rps"] / joined["saturated_rps"])


def errors(rows: pd.DataFrame, quantity: str = "mean_latency_s") -> NDArray[np.float64]:
    """Simulated over measured less one, in percent; shape (rows,)."""
    ratio = rows[f"simulated_{quantity}"] / rows[quantity]
    return 100 * (ratio.to_numpy(dtype=np.float64) - 1)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _over_configurations(rows: pd.DataFrame, knobs: Sequence[str]) -> Estimate:
    absolute = rows.assign(error=np.abs(errors(rows)))
    each = absolute.groupby(list(knobs))["error"].mean().to_numpy(dtype=np.float64)
    return bootstrap([each[:, None]], lambda runs: mean(runs[..., 0]))


def tau(rate: pd.DataFrame) -> tuple[int, float]:
    """Pairs at the same rate that differ for certain, and concordant less discordant ones over them."""
    signs = []
    for _, part in rate.groupby("level"):
        for (_, one), (_, other) in combinations(part.iterrows(), 2):
            apart = one["mean_latency_s"] - other["mean_latency_s"]
            if abs(apart) > _Z * (one["mean_error_s"] + other["mean_error_s"]):
                said = one["simulated_mean_latency_s"] - other["simulated_mean_latency_s"]
                signs.append(np.sign(apart) * np.sign(said))
    return len(signs), float(np.mean(signs)) if signs else float("nan")


def _regret(part: pd.DataFrame) -> float:
    measured_s = part["mean_latency_s"].to_numpy(dtype=np.float64)
    chosen_s = measured_s[int(part["simulated_mean_latency_s"].to_numpy(dtype=np.float64).argmin())]
    return float(100 * (chosen_s / measured_s.min() - 1))
