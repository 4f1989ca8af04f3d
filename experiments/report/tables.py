"""Tables of results: those of ``experiments.compare``, and the mean cost of all else that ran."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.compare_text import LEGEND, conditions, readable
from experiments.report.markup import Cell, element, paragraph, plain, table
from experiments.results import Run

# Tables of experiments.compare: title, by=, reference=; any other such table is shown by its name.
_KNOWN = {
    "agents": ("All agents", "", "oracle"),
    "fig11": ("All agents", "", "oracle"),
    "drain": ("The drain rule, where queues are carried over slots", "drain_rule", "false"),
    "learning": ("Learning beside serving, one slot behind", "learning", "inline"),
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def comparisons(results: Path) -> dict[str, str]:
    """Every table that ``experiments.compare`` has made, as markup, by the name of its experiment."""
    found = {}
    for path in sorted(results.glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            columns = set(file.readline().strip().split(","))
        if {"preset", "settings", "cost_ratio"} <= columns:
            found[path.stem] = "\n".join(_comparison(path))
    return found


def _comparison(path: Path) -> Iterator[str]:
    title, by, reference = _KNOWN.get(path.stem, (path.stem, "", "oracle"))
    rows = pd.read_csv(path, dtype={by: str} if by else None)
    yield element("h3", title)
    for condition, found in conditions(rows):
        yield paragraph(condition)
        yield frame(readable(found, by, reference), f"{title}, {condition}")


def legend() -> str:
    """What the columns of these tables mean."""
    return element("p", LEGEND.replace("`", ""), class_="note")


def frame(data: pd.DataFrame, label: str) -> str:
    """Any table of ours; text that begins with a number is sorted by it, *never* after all numbers."""
    body = [[_cell(value) for value in row] for row in data.itertuples(index=False)]
    return table([str(column) for column in data.columns], body, label)


def _cell(value: Any) -> Cell:
    if pd.isna(value):
        return Cell("")
    shown = f"{value:.4g}" if isinstance(value, float) else str(value)
    if shown.startswith("never"):
        return Cell(shown, sort="Infinity")
    number = _NUMBER.match(shown)
    return Cell(shown, sort=number[0]) if number and number[0] != shown else plain(shown)


def means(runs: Sequence[Run], without: Sequence[str]) -> str:
    """Mean cost over the whole run for every agent of every experiment, but those named ``without``."""
    rows = [_mean(run) for run in runs if run.config["experiment_name"] not in without]
    if not rows:
        return ""
    labels = ["experiment", "workload", "system", "model", "objective", "agent", "radius", "discount"]
    data = (
        pd.DataFrame(rows)
        .groupby(labels, as_index=False)
        .agg(
            runs=("cost", "size"),
            mean_cost=("cost", "mean"),
            mean_latency_s=("latency_s", "mean"),
            optimal_cost=("optimal", "mean"),
        )
    )
    data["cost over optimal"] = data["mean_cost"] / data["optimal_cost"]
    remark = (
        "Mean over the whole run and all seeds, learning included; cost is the objective's. The optimum is "
        "read from the exhaustive table, whose error can put the oracle slightly below it."
    )
    shown = frame(data.sort_values(["experiment", "workload", "mean_cost"]), "Mean cost of every agent")
    return element("p", remark, class_="note") + shown


def _mean(run: Run) -> dict[str, object]:
    slots = run.table("slots")
    agent = run.config["agent"]
    labels = {name: slots[name].iloc[0] for name in ("workload", "system", "model", "objective")}
    return {"experiment": run.config["experiment_name"]} | labels | {
        "agent": agent.get("preset"),
        "radius": str(agent.get("radius", agent.get("credit", ""))),
        "discount": str(agent.get("gamma", "")),
        "cost": slots["cost"].mean(),
        "latency_s": slots["mean_latency_s"].mean(),
        "optimal": slots["optimal_cost"].mean(),
    }  # fmt: skip
