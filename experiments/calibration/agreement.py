"""How far the simulator is from the testbed, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.statistics import Estimate, bootstrap, mean

LOAD = 0.7  # of saturation; above it the bar for latency does not hold
_Z = 1.96
_QUANTITIES = ("mean_latency_s", "p95_latency_s", "cpu_s_per_request", "throughput_rps")
_MEANS = (*_QUANTITIES, *(f"simulated_{name}" for name in _QUANTITIES), "load_rps", "speed")


@dataclass(frozen=True)
class Agreement:
    """Simulator against testbed on windows that no fit saw. Errors in percent of what was measured.

    A window is the mean of its visits, but for ``visit_mape``.

    Attributes:
        windows: of a constant rate of at most 0.7 of the measured saturation.
        mape: mean absolute error of their mean latency, with a 95 % bootstrap interval over configurations.
        visit_mape: the same of single visits.
        between: median relative standard deviation of the visits of a window, percent: what the machine does
            differently from one minute to the next.
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
    visit_mape: float
    between: float
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
    trace = rows[rows["mode"] == "trace"]
    pooled = with_share(pool(rows, knobs), knobs)
    closed, rate = pooled[pooled["mode"] == "closed"], pooled[pooled["mode"] == "rate"]
    within = rate[rate["share"] <= LOAD]
    visits = rows.merge(within[[*knobs, "mode", "level"]], on=[*knobs, "mode", "level"])
    pairs, concord = tau(rate)
    return Agreement(
        windows=len(within),
        mape=_over_configurations(within, knobs),
        visit_mape=_mean(np.abs(errors(visits))),
        between=float(100 * (within["between_s"] / within["mean_latency_s"]).median()),
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


def pool(rows: pd.DataFrame, knobs: Sequence[str]) -> pd.DataFrame:
    """One row per window: means over its visits, weighted by their completions.

    Returns:
        The columns of ``rows``, and ``visits`` (how many), ``between_s`` (standard deviation of their mean
        latencies, NaN of one visit). ``mean_error_s`` is that within visits or that between them, whichever
        is larger.
    """
    parts = rows.groupby([*knobs, "mode", "level", "slot"], sort=False, dropna=False)
    return pd.DataFrame([_pool(part) for _, part in parts]).reset_index(drop=True)


def _pool(part: pd.DataFrame) -> pd.Series:
    weight = part["completions"] / part["completions"].sum()
    means = {name: (weight * part[name]).sum(min_count=1) for name in _MEANS if name in part}
    between_s = float(part["mean_latency_s"].std(ddof=1))
    within_s = float(np.sqrt(((weight * part["mean_error_s"]) ** 2).sum(skipna=False)))
    flags = " ".join(sorted({flag for raised in part["flags"].dropna() for flag in raised.split()}))
    error_s = np.fmax(within_s, between_s / np.sqrt(len(part)))
    of_all = {"visits": len(part), "between_s": between_s, "mean_error_s": error_s, "flags": flags}
    values: dict[Any, Any] = part.iloc[-1].to_dict()
    return pd.Series(values | means | of_all)


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
