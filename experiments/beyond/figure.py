"""All agents over all conditions in one picture: performance profiles, and who beats whom how probably."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.beyond.comparison import TAU, improvements, profiles
from experiments.beyond.conditions import AGENTS, CASES, ORACLE
from experiments.beyond.table import Scores
from experiments.figures import style
from experiments.figures.layout import log_ticks

_DRAWN = tuple(one for one in AGENTS if one != ORACLE)
_BOUND = 1.25
_PANELS = {False: "the paper's", True: "nobody tuned on"}  # conditions
_IMPROVEMENT = "probability of improvement"


def numbers(found: Mapping[str, Scores], best: str) -> pd.DataFrame:
    """What is drawn, of what ``experiments.beyond.table.read`` has found.

    Args:
        found: see there.
        best: the agent that the others are compared with.

    Returns:
        Rows of ``profiles`` and ``improvements``, and whose panel they belong to.
    """
    presets = style.in_order(_DRAWN)
    parts = []
    for unseen, title in _PANELS.items():
        chosen = {case.title: found[case.title] for case in CASES if case.unseen == unseen}
        parts.append(profiles(chosen, presets).assign(panel=title))
    parts.append(improvements(found, best, presets).assign(panel=_IMPROVEMENT))
    return pd.concat(parts, ignore_index=True)


def draw(data: pd.DataFrame, best: str) -> style.Drawing:
    """Draw the numbers."""
    presets = style.in_order(_DRAWN)
    figure, axes = plt.subplots(1, 3, figsize=(style.WIDE_INCHES, 3.5), width_ratios=[1.25, 1.25, 1])
    axes[1].sharey(axes[0])
    panels = [data[data["panel"] == title] for title in _PANELS.values()]
    for axis, letter, title, drawn in zip(axes, "ab", _PANELS.values(), panels, strict=False):
        most = int(drawn["conditions"].max()) if len(drawn) else 0
        axis.set_title(f"({letter}) {title}: {most} conditions", loc="left", fontsize=8)
        _profiles(axis, drawn)
    axes[0].set_ylabel("share of runs")
    _improvements(axes[2], data[data["panel"] == _IMPROVEMENT], best)
    lines = {line.get_label(): line for axis in axes[:2] for line in axis.get_lines()}
    named = [lines[style.label(one)] for one in presets if style.label(one) in lines]
    figure.legend(handles=named, loc="outside lower center", ncols=5)
    return style.Drawing(
        name="beyond",
        title="All agents over all conditions",
        paper_shows="Not a figure of the paper: its conditions, and others, with its agents and others.",
        caption=(
            "(a, b) share of runs, under the paper's conditions and under others, whose mean cost over the "
            "whole run, learning included, is at most so many times the oracle's with the same seed; "
            f"vertical: {_BOUND}. (c) probability that such a ratio of {style.label(best)} is less than one "
            "of the other agent under the same condition, mean over conditions. Bands and bars: 95 % "
            "intervals, bootstrap over seeds, stratified by condition (Agarwal et al. 2021). "
            f"{_coverage(panels)}".rstrip()
        ),
        figure=figure,
        data=data,
    )


def _profiles(axis: Axes, drawn: pd.DataFrame) -> None:
    for preset, curve in drawn.groupby("preset", sort=False) if len(drawn) else ():
        name = str(preset)
        axis.plot(
            curve["tau"],
            curve["value"],
            style.dashes(name),
            color=style.colour(name),
            label=style.label(name),
        )
        axis.fill_between(
            curve["tau"], curve["low"], curve["high"], color=style.colour(name), alpha=0.12, linewidth=0
        )
    axis.axvline(_BOUND, **style.SLO_LINE)
    axis.set_xscale("log")
    axis.set_xlim(TAU[0], TAU[-1])
    axis.set_ylim(0, 1.02)
    log_ticks(axis.xaxis)
    axis.set_xlabel("mean cost over the oracle's")


def _improvements(axis: Axes, beaten: pd.DataFrame, best: str) -> None:
    places = np.arange(len(beaten))[::-1]
    for place, (_, row) in zip(places, beaten.iterrows(), strict=True):
        ends = [[row["value"] - row["low"]], [row["high"] - row["value"]]]
        axis.errorbar(
            row["value"], place, xerr=ends, fmt="o", markersize=3, color=style.colour(row["preset"])
        )
    axis.axvline(0.5, **style.SLO_LINE)
    axis.set_yticks(places, [style.label(one) for one in beaten.get("preset", [])], fontsize=6.5)
    axis.set_xlim(-0.03, 1.03)
    axis.set_xlabel(f"probability that\n{style.label(best)} costs less")
    axis.set_title("(c) against", loc="left", fontsize=8)


def _coverage(parts: list[pd.DataFrame]) -> str:
    """Which agents lack conditions."""
    told = []
    for part in parts:
        if len(part):
            have = part.groupby("preset", sort=False)["conditions"].first()
            told += [
                f"{style.label(str(one))} has {count:.0f} of {have.max():.0f} of {part['panel'].iloc[0]}"
                for one, count in have.items()
                if count < have.max()
            ]
    return f"{'; '.join(told)}." if told else ""
