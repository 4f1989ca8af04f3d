"""Agents on real servers: ``python -m experiments.studies.testbed [experiment=testbed] [target=FOLDER]``.

Reads the finished runs of ``experiments.interleave experiment=testbed`` (folders ``testbed_<workload>``) and
the costs that ``experiments.truth experiment=testbed`` measured (``table=FILE``, else the one that the runs
name, ``none`` for none); writes slots.csv (all rows), agents.md and .csv, grid.md, and a figure like the
paper's Fig. 11. A run has one seed, so intervals are over its turns: blocks of slots in which all agents met
the same requests, one after another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.arguments import parse, refuse
from experiments.build import profile_files, takes_table
from experiments.figures import style
from experiments.results import Run, finished_runs
from experiments.studies.testbed_tables import COSTS, agents, grid, legend, markdown, spread

WINDOW = 10  # slots in the moving average
_DEFAULTS = {
    "runs": "results/runs",
    "experiment": "testbed",
    "table": "",
    "target": Path("results/testbed/mobilenet_v2"),
}


def draw(rows: pd.DataFrame, machine: str) -> style.Drawing:
    """Arrival rate and cost over time, a column per workload, a line per agent."""
    workloads = sorted(rows["workload"].unique())
    figure, axes = plt.subplots(
        2, len(workloads), figsize=(style.WIDE_INCHES, 4.2), sharex="col", sharey="row",
        height_ratios=[1, 1.8], squeeze=False,
    )  # fmt: skip
    drawn = [_column(axes[:, place], rows, workload) for place, workload in enumerate(workloads)]
    axes[0, 0].set_ylabel("arrivals (1/s)")
    axes[1, 0].set_ylabel("cost per slot")
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside lower center")
    model = ", ".join(sorted(rows["model"].unique()))
    return style.Drawing(
        name="testbed",
        title=f"Like Fig. 11 (a, b), on real servers: {model} under {' and '.join(workloads)}",
        paper_shows="The paper's testbed has ten-core servers and other models: compare shapes, not seconds.",
        caption=(
            f"Above: requests per second. Below: cost per slot: {COSTS[rows['objective'].iloc[0]]}; "
            f"moving average over {WINDOW} slots, log scale; one run per agent and workload, served in turns "
            f"so that a slow hour hurts all alike. {machine}"
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
        axes.plot(
            mine["minute"],
            cost_s,
            style.dashes(preset),
            color=style.colour(preset),
            label=style.label(preset),
        )
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


def _runs(folder: Path, experiment: str) -> list[Run]:
    """Runs in the folders that are named by the experiment and the runs' workload."""
    return [
        run
        for one in sorted(folder.glob(f"{experiment}_*"))
        for run in finished_runs(one)
        if one.name == f"{experiment}_{run.config['workload']['name']}"
    ]


def _slots(run: Run) -> pd.DataFrame:
    """Of a run, one that was prepared in a simulator under a name of its own."""
    rows = run.table("slots")
    if "pretrain" not in run.config:
        return rows
    # Who cannot take a table has played slots, as without: a second run of the same, as a control.
    tables = "_tables" if len(profile_files(run.config)) > 1 else "_table"
    told = tables if takes_table(run.config) else style.AGAIN if run.config["pretrain"].get("table") else ""
    return rows.assign(preset=rows["preset"] + told + style.PREPARED)


def _table(option: str, runs: Sequence[Run]) -> Path | None:
    """Where the costs of all configurations are: as told, else as a run's settings say."""
    if option:
        return None if option == "none" else Path(option)
    named = (run.config["table"].get("measured") for run in runs)
    return next((Path(one) for one in named if one and Path(one).exists()), None)


def _grid(table: Path) -> pd.DataFrame:
    try:
        return grid(pd.read_csv(table))
    except (OSError, ValueError, KeyError) as error:
        told = " ".join(str(error).split())
        refuse(f"table={table}: {told}, expected a file of experiments.truth on a real system, or none")


def main(arguments: list[str]) -> int:
    """Read, tabulate, draw and write; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__)
    target = options["target"]
    found = _runs(Path(options["runs"]), options["experiment"])
    if not found:
        command = (
            f"python -m experiments.interleave experiment={options['experiment']} agent=... workload=..."
        )
        folder = f"{options['runs']}/{options['experiment']}_WORKLOAD"
        print(f"no finished runs in {folder}, run: {command} (docs/testbed.md)", file=sys.stderr)
        return 1
    measured = _table(options["table"], found)
    configurations = None if measured is None else _grid(measured)
    rows = pd.concat([_slots(run) for run in found], ignore_index=True)
    machine = machine_text(found[-1].manifest)
    style.apply()
    paths = style.save(draw(rows, machine), target)
    table = agents(rows)
    table.to_csv(target / "agents.csv", index=False, float_format="%.6g")
    rows.to_csv(target / "slots.csv", index=False, float_format="%.6g")
    (target / "agents.md").write_text(markdown(table, "Agents on real servers", f"{machine} {legend(rows)}"))
    paths += [target / "slots.csv", target / "agents.csv", target / "agents.md"]
    if configurations is not None:
        notes = f"Measured by python -m experiments.truth, in {measured}. {spread(configurations)}"
        (target / "grid.md").write_text(markdown(configurations, "What the knobs do", notes))
        paths.append(target / "grid.md")
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
