"""The form of Fig. 11, 12 and 13: arrivals above latency over time, under WiKi and under Dynamic."""

from __future__ import annotations

from pathlib import Path

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
from experiments.figures.layout import legend_below, lettered, log_ticks, share_x, stacked
from experiments.figures.style import Drawing, in_order, label

_WORKLOADS = {"WiKi": "wiki", "Dynamic": "dynamic"}
_HEIGHTS = (0.8, 1.15, 1.15)  # inches: arrivals, published, tuned
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
            f"{shared['slots']} slots of {shared['slot_s']:g} s, {seeds_said(panels)}. (a, d) Requests per "
            f"second in each slot. Other panels: cost per slot, which is the mean latency with every lost "
            f"request counted as {shared['objective']['penalty_s']:g} s, log scale: {over_time.BAND}. "
            "(b, e), solid: the agents as published; (c, f), dashed: as tuned by us. Mean cost over the "
            f"whole run, learning included: {_means(panels)}. Profile {shared['hardware']['name']}."
        ),
        figure=figure,
        data=data,
    )


def _draw(panels: list[Compared]) -> tuple[Figure, pd.DataFrame]:
    figure, axes = stacked(_HEIGHTS * len(panels), legend_rows=5)
    arrivals, costs = axes[::3], [axis for place, axis in enumerate(axes) if place % 3]
    for same in (arrivals, costs):
        for axis in same[1:]:
            axis.sharey(same[0])
    parts, titles = [], []
    for place, panel in zip(range(0, len(axes), 3), panels, strict=True):
        top, *below = axes[place : place + 3]
        share_x((top, *below))
        seed = over_time.arrivals(top, next(iter(panel.by_preset.values())))
        titles.append(f"{panel.condition.title}, arrivals, seed {seed}")
        for axis, (settings, presets) in zip(below, _ROWS.items(), strict=True):
            drawn = over_time.agents(axis, panel.of(presets), "cost")
            titles.append(f"{panel.condition.title}, {settings} settings")
            parts.append(drawn.assign(workload=panel.condition.workload, settings=settings))
        below[-1].set_xlabel("time (min)")
        top.set_ylabel("rate (1/s)")
    lettered(axes, titles)
    arrivals[0].set_ylim(bottom=0)
    for axis in costs:
        axis.set_ylabel("cost per slot (s)")
        axis.set_yscale("log")
        log_ticks(axis.yaxis)
    lines = {one.get_label(): one for axis in costs for one in axis.get_lines()}
    named = in_order({preset for panel in panels for preset in panel.by_preset})
    legend_below(figure, [*(lines[label(preset)] for preset in named), *arrivals[0].lines], columns=2)
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
