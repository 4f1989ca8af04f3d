"""Tables of what was measured on real servers: one of agents, one of configurations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.statistics import Estimate, bootstrap, mean, ratio

TURN = 10  # slots
_LEAST_TURNS = 5  # that an interval can be told from
# The first that has a run; a fixed agent learns nothing in a simulator.
REFERENCES = ("static_best", "tf_default", "static_best_prepared", "tf_default_prepared")
_FLAGS = ("late", "shared", "faulted")
COSTS = {
    "mean_latency": "the mean latency with every lost request counted as 5 s",
    "strict_slo": "the mean latency, a lost request counted as 5 s, times 1 + 5 x the share of requests over "
    "the latency objective",
    "min_resource": "CPU use, 0 to 1, plus 10 x the relative excess of p95 over the latency objective",
}


def agents(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per workload and preset, cheapest first.

    Args:
        rows: slots of all runs, one run per workload and preset.

    Returns:
        Columns: workload, preset, slots, cost and its ratio to the reference's with a 95 % bootstrap interval
        over turns, late_cost (second half), p95_latency_s (mean over slots), cpu (mean use), lost (share of
        the requests), configurations (tried), reconfiguration_s (mean over slots), and how many slots were
        flagged late, shared or faulted.
    """
    found = reference(rows)
    table = pd.DataFrame(
        [
            {"workload": workload, "preset": preset} | _numbers(mine, _cost(rows, str(workload), found))
            for (workload, preset), mine in rows.groupby(["workload", "preset"])
        ]
    )
    return table.sort_values(["workload", "cost"], ignore_index=True)


def _numbers(mine: pd.DataFrame, reference: pd.Series | None) -> dict[str, Any]:
    mine = mine.sort_values("slot")
    cost = mine.set_index("slot")["cost"]
    lost = mine[["rejections", "timeouts", "errors"]].sum().sum()
    knobs = [name for name in mine.columns if name.endswith("_parallelism") or name.startswith("batch_")]
    flags = mine["flags"].str.split()
    return {
        "slots": len(mine),
        "cost": cost.mean(),
        **_ratio(cost, reference),
        "late_cost": cost.iloc[len(cost) // 2 :].mean(),
        "p95_latency_s": mine["p95_latency_s"].mean(),
        "cpu": mine["cpu_utilisation"].mean(),
        "lost": lost / mine["arrivals"].sum(),
        "configurations": len(mine[knobs].dropna(axis=1).drop_duplicates()),
        "reconfiguration_s": mine["reconfiguration_s"].mean(),
        **{flag: sum(flag in raised for raised in flags) for flag in _FLAGS},
    }


def reference(rows: pd.DataFrame) -> str | None:
    """The preset that others are compared with."""
    return next((one for one in REFERENCES if one in set(rows["preset"])), None)


def _cost(rows: pd.DataFrame, workload: str, preset: str | None) -> pd.Series | None:
    chosen = rows[(rows["workload"] == workload) & (rows["preset"] == preset)]
    return None if chosen.empty else chosen.set_index("slot")["cost"]


def cost_ratio(cost: pd.Series, reference: pd.Series) -> Estimate:
    """Ratio of mean costs, both by slot, with a 95 % bootstrap interval over turns; none over few."""
    pairs = pd.DataFrame({"mine": cost, "reference": reference}).dropna()
    turns = pairs.groupby(pairs.index // TURN).mean().to_numpy(dtype=np.float64)
    estimate = bootstrap([turns], ratio(mean))
    return estimate if len(turns) >= _LEAST_TURNS else replace(estimate, low=np.nan, high=np.nan)


def _ratio(cost: pd.Series, reference: pd.Series | None) -> dict[str, float]:
    names = ("cost_ratio", "cost_ratio_low", "cost_ratio_high")
    if reference is None:
        return dict.fromkeys(names, np.nan)
    estimate = cost_ratio(cost, reference)
    return dict(zip(names, (estimate.value, estimate.low, estimate.high), strict=True))


def grid(table: pd.DataFrame) -> pd.DataFrame:
    """Latency when idle and throughput when saturated, of every configuration, fastest first.

    Args:
        table: what ``experiments.truth`` measured: the least load counts as idle, the greatest as saturation.
    """
    knobs = list(table.columns[: table.columns.get_loc("load_rps")])
    idle = table[table["load_rps"] == table["load_rps"].min()].set_index(knobs)
    full = table[table["load_rps"] == table["load_rps"].max()].set_index(knobs)
    return (
        pd.DataFrame(
            {
                "idle_latency_s": idle["mean_latency_s"],
                "saturated_rps": full["completions"] / full["slot_s"],
                "saturated_cpu": full["cpu_utilisation"],
            }
        )
        .sort_values("saturated_rps", ascending=False)
        .reset_index()
    )


def spread(found: pd.DataFrame) -> str:
    """How far the grid's ends are apart, in a sentence."""
    saturated, idle = found["saturated_rps"], found["idle_latency_s"]
    return (
        f"Saturated throughput: {saturated.min():.3g} to {saturated.max():.3g} requests/s "
        f"({saturated.max() / saturated.min():.2f} x); latency when idle: {1000 * idle.min():.3g} to "
        f"{1000 * idle.max():.3g} ms ({idle.max() / idle.min():.2f} x)."
    )


def legend(rows: pd.DataFrame) -> str:
    """What the columns of ``agents`` mean."""
    found = reference(rows)
    compared = (
        f" Its ratio to that of {found}, with a 95 % bootstrap interval over turns of {TURN} slots, where "
        f"there are {_LEAST_TURNS} or more."
    )
    return (
        f"Cost: mean over all slots, learning included, of {COSTS[rows['objective'].iloc[0]]}."
        f"{compared if found else ''} late_cost: over the second half; cpu: mean use of all cores; "
        "lost: share of the requests; configurations: how many were tried; late, shared, faulted: slots "
        "flagged so."
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3g}"
    return str(value)


def markdown(table: pd.DataFrame, title: str, notes: str) -> str:
    """A page with one table."""
    shown = table.map(_shown)
    lines = [list(shown.columns), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return f"# {title}\n\n{notes}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
