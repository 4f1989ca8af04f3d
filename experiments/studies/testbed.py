"""Agents on real servers: ``python -m experiments.studies.testbed [experiment=testbed] [target=FOLDER]``.

Reads the finished runs of ``experiments.interleave experiment=testbed`` (folders ``testbed_<workload>``) and
the costs that ``experiments.truth experiment=testbed`` measured; writes agents.md and .csv, grid.md, and a
figure like the paper's Fig. 11. A run has one seed, so intervals are over its turns: blocks of slots in
which all agents met the same requests, one after another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.arguments import parse
from experiments.figures import style
from experiments.results import Run, finished_runs
from experiments.statistics import bootstrap, mean, ratio

TURN = 10  # slots
WINDOW = 10  # slots in the moving average
REFERENCE = "static_best"
_FLAGS = ("late", "shared", "faulted")
_DEFAULTS = {
    "runs": "results/runs",
    "experiment": "testbed",
    "table": "results/testbed/mobilenet_v2/table.csv",
    "target": "results/testbed/mobilenet_v2",
}


def agents(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per workload and preset, cheapest first.

    Args:
        rows: slots of all runs, one run per workload and preset.

    Returns:
        Columns: workload, preset, slots, cost_s and its ratio to the best static configuration with a 95 %
        bootstrap interval over turns, late_cost_s (second half), p95_latency_s (mean over slots), lost
        (share of the requests), configurations (tried), reconfiguration_s (mean over slots), and how many
        slots were flagged late, shared or faulted.
    """
    table = pd.DataFrame(
        [
            {"workload": workload, "preset": preset} | _numbers(mine, _cost(rows, str(workload), REFERENCE))
            for (workload, preset), mine in rows.groupby(["workload", "preset"])
        ]
    )
    return table.sort_values(["workload", "cost_s"], ignore_index=True)


def _numbers(mine: pd.DataFrame, reference: pd.Series | None) -> dict[str, Any]:
    mine = mine.sort_values("slot")
    cost = mine.set_index("slot")["cost"]
    lost = mine[["rejections", "timeouts", "errors"]].sum().sum()
    knobs = [name for name in mine.columns if name.endswith("_parallelism") or name.startswith("batch_")]
    flags = mine["flags"].str.split()
    return {
        "slots": len(mine),
        "cost_s": cost.mean(),
        **_ratio(cost, reference),
        "late_cost_s": cost.iloc[len(cost) // 2 :].mean(),
        "p95_latency_s": mine["p95_latency_s"].mean(),
        "lost": lost / mine["arrivals"].sum(),
        "configurations": len(mine[knobs].dropna(axis=1).drop_duplicates()),
        "reconfiguration_s": mine["reconfiguration_s"].mean(),
        **{flag: sum(flag in raised for raised in flags) for flag in _FLAGS},
    }


def _cost(rows: pd.DataFrame, workload: str, preset: str) -> pd.Series | None:
    chosen = rows[(rows["workload"] == workload) & (rows["preset"] == preset)]
    return None if chosen.empty else chosen.set_index("slot")["cost"]


def _ratio(cost: pd.Series, reference: pd.Series | None) -> dict[str, float]:
    names = ("cost_ratio", "cost_ratio_low", "cost_ratio_high")
    if reference is None:
        return dict.fromkeys(names, np.nan)
    pairs = pd.DataFrame({"mine": cost, "reference": reference}).dropna()
    turns = pairs.groupby(pairs.index // TURN).mean().to_numpy(dtype=np.float64)
    estimate = bootstrap([turns], ratio(mean))
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


def draw(rows: pd.DataFrame, machine: str) -> style.Drawing:
    """Arrival rate and cost over time, a column per workload, a line per agent."""
    workloads = sorted(rows["workload"].unique())
    figure, axes = plt.subplots(
        2, len(workloads), figsize=(style.WIDE_INCHES, 4.2), sharex="col", sharey="row",
        height_ratios=[1, 1.8], squeeze=False,
    )  # fmt: skip
    drawn = [_column(axes[:, place], rows, workload) for place, workload in enumerate(workloads)]
    axes[0, 0].set_ylabel("arrivals (1/s)")
    axes[1, 0].set_ylabel("cost per slot (s)")
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside lower center")
    model = ", ".join(sorted(rows["model"].unique()))
    return style.Drawing(
        name="testbed",
        title=f"Like Fig. 11 (a, b), on real servers: {model} under {' and '.join(workloads)}",
        paper_shows="The paper's testbed has ten-core servers and other models: compare shapes, not seconds.",
        caption=(
            f"Above: requests per second. Below: mean latency per slot with every lost request counted as 5 s, "
            f"moving average over {WINDOW} slots, log scale; one run per agent and workload, slots served in "
            f"turns of {TURN} so that a slow hour hurts all alike. {machine}"
        ),
        figure=figure,
        data=pd.concat(drawn, ignore_index=True),
    )


def _column(axes: np.ndarray[Any, Any], rows: pd.DataFrame, workload: str) -> pd.DataFrame:
    above, below = axes
    mine = rows[rows["workload"] == workload]
    one = mine[mine["preset"] == mine["preset"].iloc[0]].sort_values("slot")
    above.plot(one["minute"], one["load_rps"], color="#bbbbbb", linewidth=0.7)
    above.plot(one["minute"], one["true_load_rps"], color="#333333")
    above.set_title(workload, loc="left")
    above.set_ylim(bottom=0)
    return _costs(below, mine).assign(workload=workload)


def _costs(axes: Axes, rows: pd.DataFrame) -> pd.DataFrame:
    drawn = []
    for preset in style.in_order(list(rows["preset"].unique())):
        mine = rows[rows["preset"] == preset].sort_values("slot")
        cost_s = style.rolling(mine["cost"].to_numpy(dtype=np.float64), WINDOW)
        axes.plot(mine["minute"], cost_s, color=style.colour(preset), label=style.label(preset))
        drawn.append(pd.DataFrame({"preset": preset, "minute": mine["minute"], "cost_s": cost_s}))
    axes.set_yscale("log")
    axes.set_xlabel("time (min)")
    return pd.concat(drawn, ignore_index=True)


def machine_text(manifest: Mapping[str, Any]) -> str:
    """The machine, and when."""
    machine = manifest["machine"]
    return (
        f"Measured on {machine.get('cpu') or machine['processor']}, {machine['cores']} cores, "
        f"{machine['platform'].split('-with')[0]}, Python {machine['python']}; {manifest['end'][:10]}."
    )


def _markdown(table: pd.DataFrame, title: str, notes: str) -> str:
    shown = table.map(lambda value: f"{value:.3g}" if isinstance(value, float) else str(value))
    lines = [list(shown.columns), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return f"# {title}\n\n{notes}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _runs(folder: Path, experiment: str) -> list[Run]:
    return [run for one in sorted(folder.glob(f"{experiment}_*")) for run in finished_runs(one)]


def main(arguments: list[str]) -> int:
    """Read, tabulate, draw and write; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__)
    target = Path(options["target"])
    found = _runs(Path(options["runs"]), options["experiment"])
    if not found:
        command = (
            f"python -m experiments.interleave experiment={options['experiment']} agent=... workload=..."
        )
        print(f"not yet computed, run: {command} (docs/testbed.md)", file=sys.stderr)
        return 1
    rows = pd.concat([run.table("slots") for run in found], ignore_index=True)
    machine = machine_text(found[-1].manifest)
    style.apply()
    paths = style.save(draw(rows, machine), target)
    table = agents(rows)
    table.to_csv(target / "agents.csv", index=False, float_format="%.6g")
    (target / "agents.md").write_text(_markdown(table, "Agents on real servers", f"{machine} {_LEGEND}"))
    paths += [target / "agents.csv", target / "agents.md"]
    if Path(options["table"]).exists():
        configurations = grid(pd.read_csv(options["table"]))
        text = _markdown(configurations, "What the knobs do", f"{machine} {spread(configurations)}")
        (target / "grid.md").write_text(text)
        paths.append(target / "grid.md")
    for path in paths:
        print(path)
    return 0


_LEGEND = (
    "Cost: mean over all slots, learning included, of the mean latency with every lost request counted as "
    "5 s; its ratio to that of the best static configuration, with a 95 % bootstrap interval over turns of "
    f"{TURN} slots; late_cost: over the second half. Lost: share of the requests. Late, shared, faulted: "
    "slots flagged so."
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
