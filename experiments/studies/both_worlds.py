"""Agents on the testbed and in its calibrated simulator: ``python -m experiments.studies.both_worlds``.

Reads every slot of ``experiment=testbed`` (``real=results/testbed/mobilenet_v2/slots.csv``: one seed, real
servers) and the finished runs of ``experiment=calibrated`` (several seeds); settings: ``runs=results/runs
simulated=calibrated target=results/validation``. Writes agents_both.md and .csv: mean cost of every agent in
both worlds, and whether its rank is the same.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.arguments import parse
from experiments.results import finished_runs, slots_of
from experiments.studies.testbed_tables import TURN, cost_ratio, markdown

_DEFAULTS = {
    "real": "results/testbed/mobilenet_v2/slots.csv",
    "runs": "results/runs",
    "simulated": "calibrated",
    "target": Path("results/validation"),
}
_NOTES = (
    "Cost: mean over all slots, learning included; a run per agent on the testbed, several in the simulator. "
    "A pair of agents is told apart on the testbed where the 95 % bootstrap interval of the ratio of their "
    f"costs, over turns of {TURN} slots, excludes 1."
)


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


Pair = tuple[str, str]


def told_apart(real: pd.DataFrame, workload: str) -> set[Pair]:
    """Pairs of presets, in alphabetical order, whose costs on the testbed differ by more than chance."""
    cost = real[real["workload"] == workload].pivot(index="slot", columns="preset", values="cost")
    found = set()
    for one, other in combinations(sorted(cost.columns), 2):
        estimate = cost_ratio(cost[one], cost[other])
        if estimate.low > 1 or estimate.high < 1:
            found.add((one, other))
    return found


def kendall(one: pd.Series, other: pd.Series, among: set[Pair] | None = None) -> float:
    """Kendall's tau, concordant less discordant pairs over all; NaN if there are none.

    Args:
        one: costs, by the names of presets.
        other: costs in the other world.
        among: the pairs that count; all if not given.
    """
    signs = [
        np.sign((one[a] - one[b]) * (other[a] - other[b]))
        for a, b in combinations(sorted(one.index), 2)
        if among is None or (a, b) in among
    ]
    return float(np.mean(signs)) if signs else float("nan")


def said(table: pd.DataFrame, real: pd.DataFrame, simulated: pd.DataFrame) -> str:
    """How far the ranks agree under each workload, in sentences."""
    return " ".join(
        _said(str(workload), part.set_index("preset"), real, simulated)
        for workload, part in table.groupby("workload")
    )


def _said(workload: str, part: pd.DataFrame, real: pd.DataFrame, simulated: pd.DataFrame) -> str:
    presets = set(part.index)
    apart = told_apart(real[real["preset"].isin(presets)], workload)
    all_pairs = kendall(part["real_cost"], part["simulated_cost"])
    text = f"Under {workload}, Kendall's tau of {len(part)} agents' costs in both worlds is {all_pairs:.2f}"
    if apart:
        sure = kendall(part["real_cost"], part["simulated_cost"], apart)
        text += f", and {sure:.2f} over the {len(apart)} pairs that the testbed tells apart"
    mine = simulated[(simulated["workload"] == workload) & simulated["preset"].isin(presets)]
    by_seed = mine.groupby(["preset", "seed"])["cost"].mean().unstack("seed").dropna(axis=1)
    if by_seed.shape[1] > 1:
        own = [kendall(by_seed[one], by_seed.drop(columns=one).mean(axis=1)) for one in by_seed]
        text += f"; one seed of the simulator against its others: {np.mean(own):.2f} on average"
    return f"{text}."


def main(arguments: list[str]) -> int:
    """Read, compare, write; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    measured = Path(options["real"])
    if not measured.exists():
        print(f"real={measured} is not there, see docs/testbed.md", file=sys.stderr)
        return 1
    name = options["simulated"]
    found = [run for one in Path(options["runs"]).glob(f"{name}_*") for run in finished_runs(one)]
    if not found:
        print(f"{name}: not yet computed, see docs/calibration.md", file=sys.stderr)
        return 1
    real, simulated = pd.read_csv(measured), slots_of(found)
    table = both(real, simulated)
    target = options["target"]
    target.mkdir(parents=True, exist_ok=True)
    table.to_csv(target / "agents_both.csv", index=False, float_format="%.6g")
    notes = f"{said(table, real, simulated)} {_NOTES}"
    (target / "agents_both.md").write_text(markdown(table, "Agents in both worlds", notes))
    for suffix in ("csv", "md"):
        print(target / f"agents_both.{suffix}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
