"""The form of Fig. 11, 12 and 13: arrivals above latency over time, under WiKi and under Dynamic."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from experiments.figures import over_time
from experiments.figures.conditions import (
    PUBLISHED,
    REFERENCES,
    TUNED,
    Compared,
    Condition,
    compared,
    seeds_said,
)
from experiments.figures.style import WIDE_INCHES, Drawing, in_order, label, log_ticks

_WORKLOADS = {"WiKi": "wiki", "Dynamic": "dynamic"}
_ROWS = {"published": (*PUBLISHED, *REFERENCES), "tuned": (*TUNED, *REFERENCES)}


def draw(runs: Path, *, name: str, model: str, system: str, title: str, paper_shows: str) -> Drawing:
    """Draw the agents of one experiment, published settings above tuned ones.

    Args:
        runs: folder of the runs.
        name: of the experiment and of the figure.
        model: of which network; likewise ``system``.
        system: see there.
        title: for readers.
        paper_shows: what the paper's figure shows, in our words.
    """
    panels = compared(
        runs, name, [Condition(title, workload, model, system) for title, workload in _WORKLOADS.items()]
    )
    figure, data = _draw(panels)
    shared = panels[0].settings
    return Drawing(
        name=name,
        title=title,
        paper_shows=paper_shows,
        caption=(
            f"{shared['slots']} slots of {shared['slot_s']:g} s, {seeds_said(panels)}. (a, c) requests per "
            f"second in each slot. (b, d) cost per slot, which is the mean latency with every lost request "
            f"counted as {shared['objective']['penalty_s']:g} s, log scale: {over_time.BAND}. Solid: the "
            "agents as published; dashed: as tuned by us. Mean cost over the whole run, learning included: "
            f"{_means(panels)}. Profile {shared['hardware']['name']}."
        ),
        figure=figure,
        data=data,
    )


def _draw(panels: list[Compared]) -> tuple[Figure, pd.DataFrame]:
    figure, axes = plt.subplots(
        3, 2, figsize=(WIDE_INCHES, 5.2), sharex="col", sharey="row", height_ratios=[1, 1.5, 1.5]
    )
    axes[2, 0].sharey(axes[1, 0])
    parts = []
    for column, panel, letters in zip(axes.T, panels, ("ab", "cd"), strict=True):
        seed = over_time.arrivals(column[0], next(iter(panel.by_preset.values())))
        column[0].set_title(f"({letters[0]}) {panel.condition.title}, seed {seed}", loc="left")
        for axis, (settings, presets) in zip(column[1:], _ROWS.items(), strict=True):
            drawn = over_time.agents(axis, panel.of(presets), "cost")
            axis.set_yscale("log")
            axis.set_title(f"({letters[1]}) {settings} settings", loc="left")
            parts.append(drawn.assign(workload=panel.condition.workload, settings=settings))
        column[-1].set_xlabel("time (min)")
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("arrivals (1/s)")
    axes[0, 0].legend(ncols=2, loc="lower right")
    for axis in axes[1:, 0]:
        axis.set_ylabel("cost per slot (s)")
        log_ticks(axis.yaxis)
    lines = {one.get_label(): one for axis in axes[1:, 0] for one in axis.get_lines()}
    named = in_order({preset for panel in panels for preset in panel.by_preset})
    figure.legend(handles=[lines[label(preset)] for preset in named], loc="outside lower center", ncols=4)
    return figure, pd.concat(parts, ignore_index=True)


def _means(panels: list[Compared]) -> str:
    return "; ".join(
        f"{panel.condition.title}: "
        + ", ".join(
            f"{label(preset)} {over_time.average(arm, 'cost'):.3g} s"
            for preset, arm in panel.by_preset.items()
        )
        for panel in panels
    )
