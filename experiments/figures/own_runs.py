"""Any folder of runs in the form of Fig. 11: a user's own trace, own agents, or a single run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.figures.layout import legend_below, lettered, log_ticks, share_x, stacked
from experiments.figures.over_time import WINDOW
from experiments.figures.style import (
    Drawing,
    NotYetComputedError,
    colour,
    dashes,
    in_order,
    label,
    rolling,
)
from experiments.pages import counted
from experiments.results import finished_runs, slots_of
from serving.errors import UsageError


def draw(runs: Path) -> Drawing:
    """Draw every agent that has finished runs below a folder.

    Raises:
        NotYetComputedError: if there are none.
        UsageError: if they are of several conditions, or several of one preset and seed.
    """
    rows = slots_of(finished_runs(runs))
    if rows.empty:
        raise NotYetComputedError(f"python -m experiments.run; {runs} holds no finished run")
    _refuse_mixtures(runs, rows)
    figure, axes = stacked((0.9, 1.7), legend_rows=2 + rows["preset"].nunique() // 2)
    share_x(axes)
    lettered(axes, (f"arrivals, seed {rows['seed'].min()}", "mean latency, lost requests counted as 5 s"))
    _arrivals(axes[0], rows)
    data = _latencies(axes[1], rows)
    handles = [one for axis in reversed(axes) for one in axis.get_legend_handles_labels()[0]]
    legend_below(figure, handles, columns=2)
    seeds = rows["seed"].nunique()
    first = rows.iloc[0]
    return Drawing(
        name="fig11",
        title=f"{first['model']} on {first['system']} under {first['workload']}, {first['objective']}",
        paper_shows="Not a figure of the paper: runs of your own in the form of its Fig. 11.",
        caption=(
            f"(a) requests per second in each slot; (b) cost per slot: mean latency with every lost request "
            f"counted as 5 s, moving average over {WINDOW} slots, log scale; line: mean over "
            f"{counted(seeds, 'seed')}, band: lowest to highest seed. Mean over the whole run, "
            "learning included: "
            + "; ".join(f"{label(preset)} {cost:.3g} s" for preset, cost in _means(rows).items())
            + ". Where requests wait longer than 5 s, rejecting more of them lowers the cost. "
            + f"Profile {first['hardware']}."
        ),
        figure=figure,
        data=data,
    )


def _refuse_mixtures(runs: Path, rows: pd.DataFrame) -> None:
    """One picture holds one condition, and one run per preset and seed."""
    for column in ("workload", "system", "hardware", "boundary", "model", "objective"):
        found = sorted(map(str, rows[column].unique()))
        if len(found) > 1:
            raise UsageError(
                f"runs={runs} has several {column}s {found}, expected a folder of runs that share it"
            )
    if rows.duplicated(["preset", "seed", "slot"]).any():
        raise UsageError(
            f"runs={runs} has several runs of one preset and seed, expected one: name a run's folder"
        )


def _means(rows: pd.DataFrame) -> dict[str, float]:
    means = rows.groupby("preset")["cost"].mean()
    return {preset: float(means[preset]) for preset in in_order(list(means.index))}


def _by_seed(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """One row per seed, one column per slot."""
    return rows.pivot_table(index="seed", columns="slot", values=column, dropna=False).to_numpy(
        dtype=np.float64
    )


def _arrivals(axes: Axes, rows: pd.DataFrame) -> None:
    one_agent = rows[rows["preset"] == rows["preset"].iloc[0]]
    one_seed = one_agent[one_agent["seed"] == one_agent["seed"].min()]
    minute = one_seed["minute"]
    axes.plot(minute, one_seed["load_rps"], color="#bbbbbb", linewidth=0.7, label="arrivals, measured")
    axes.plot(minute, one_seed["true_load_rps"], color="#333333", label="arrivals, true mean")
    axes.set_ylim(bottom=0)
    axes.set_xlim(minute.min(), minute.max())
    axes.set_ylabel("rate (1/s)")


def _latencies(axes: Axes, rows: pd.DataFrame) -> pd.DataFrame:
    drawn = []
    for preset in in_order(list(rows["preset"].unique())):
        mine = rows[rows["preset"] == preset]
        minute = np.sort(mine["minute"].unique())
        cost_s = np.array([rolling(one, WINDOW) for one in _by_seed(mine, "cost")])
        mean_s = cost_s.mean(axis=0)
        axes.plot(minute, mean_s, dashes(preset), color=colour(preset), label=label(preset))
        axes.fill_between(
            minute, cost_s.min(axis=0), cost_s.max(axis=0), color=colour(preset), alpha=0.15, linewidth=0
        )
        drawn.append(pd.DataFrame({"preset": preset, "minute": minute, "cost_s": mean_s}))
    if rows["preset"].nunique() == 1 == rows["seed"].nunique():
        _single_run(axes, rows)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_xlabel("time (min)")
    axes.set_ylabel("cost per slot (s)")
    return pd.concat(drawn, ignore_index=True)


def _single_run(axes: Axes, rows: pd.DataFrame) -> None:
    """For one run alone: every slot as a dot, and the least cost that was possible."""
    axes.plot(
        rows["minute"], rows["cost"], ".", color=colour(rows["preset"].iloc[0]), markersize=2, alpha=0.5
    )
    if rows["optimal_cost"].notna().all():
        axes.plot(rows["minute"], rows["optimal_cost"], color="black", linewidth=0.8, label="optimum")
