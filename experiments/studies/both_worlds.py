"""Agents on the testbed and in its calibrated simulator: ``python -m experiments.studies.both_worlds``.

Reads the finished runs of ``experiment=testbed`` (one seed, real servers) and ``experiment=calibrated``
(several seeds); settings: ``runs=results/runs real=testbed simulated=calibrated target=results/validation``.
Writes agents_both.md and .csv: mean cost of every agent in both worlds, and whether its rank is the same.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.arguments import parse
from experiments.results import finished_runs, slots_of
from experiments.studies.testbed_tables import markdown

_DEFAULTS = {
    "runs": "results/runs",
    "real": "testbed",
    "simulated": "calibrated",
    "target": "results/validation",
}


def both(real: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """One row per workload and preset that ran in both worlds.

    Args:
        real: slots of runs on the testbed.
        simulated: slots of runs in the simulator, of one seed or several.

    Returns:
        Columns: workload, preset, cost and rank in both worlds (``real_``, ``simulated_``; mean over slots
        and seeds), seeds of the simulated runs; cheapest on the testbed first.
    """
    by = ["workload", "preset"]
    table = pd.DataFrame(
        {
            "real_cost": real.groupby(by)["cost"].mean(),
            "simulated_cost": simulated.groupby(by)["cost"].mean(),
            "seeds": simulated.groupby(by)["seed"].nunique(),
        }
    ).dropna()
    for world in ("real", "simulated"):
        ranks = table.groupby("workload")[f"{world}_cost"].rank()
        table[f"{world}_rank"] = ranks.astype(int)
    return table.reset_index().sort_values(["workload", "real_cost"], ignore_index=True)


def kendall(one: pd.Series, other: pd.Series) -> float:
    """Kendall's tau: concordant less discordant pairs over all."""
    signs = [
        np.sign((one.iloc[a] - one.iloc[b]) * (other.iloc[a] - other.iloc[b]))
        for a, b in combinations(range(len(one)), 2)
    ]
    return float(np.mean(signs)) if signs else float("nan")


def said(table: pd.DataFrame) -> str:
    """Tau of each workload, in a sentence."""
    parts = [
        f"{kendall(part['real_cost'], part['simulated_cost']):.2f} under {workload} ({len(part)} agents)"
        for workload, part in table.groupby("workload")
    ]
    return f"Kendall's tau of the agents' costs in both worlds: {', '.join(parts)}."


def main(arguments: list[str]) -> int:
    """Read, compare, write; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    rows = {}
    for world, name in (("real", options["real"]), ("simulated", options["simulated"])):
        found = [run for one in Path(options["runs"]).glob(f"{name}_*") for run in finished_runs(one)]
        if not found:
            print(f"{name}: not yet computed, see docs/calibration.md", file=sys.stderr)
            return 1
        rows[world] = slots_of(found)
    table = both(**rows)
    target = Path(options["target"])
    target.mkdir(parents=True, exist_ok=True)
    table.to_csv(target / "agents_both.csv", index=False, float_format="%.6g")
    (target / "agents_both.md").write_text(markdown(table, "Agents in both worlds", said(table)))
    for suffix in ("csv", "md"):
        print(target / f"agents_both.{suffix}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
