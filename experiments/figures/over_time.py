"""Panels over time: arrivals, and one smoothed line with its interval per agent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.arms import Arm
from experiments.figures.style import colour, dashes, label, rolling
from experiments.statistics import bootstrap, mean

WINDOW = 25  # slots in the moving average
EVERY = 10  # slots between the points drawn
BAND = f"moving average over {WINDOW} slots, mean over seeds; bands: 95 % bootstrap intervals over seeds"


def smoothed(arm: Arm, column: str) -> pd.DataFrame:
    """A column of slots.parquet over time: ``minute``, ``value``, ``low``, ``high`` and ``seeds``."""
    slots = [run.table("slots") for run in arm.runs.values()]
    values = np.array([rolling(one[column].to_numpy(dtype=np.float64), WINDOW) for one in slots])
    at = range(0, values.shape[1], EVERY)
    points = [bootstrap([values[:, [slot]]], lambda runs: mean(runs[..., 0]), resamples=1000) for slot in at]
    drawn = pd.DataFrame({
        "minute": slots[0]["minute"].to_numpy()[::EVERY],
        "value": [one.value for one in points],
        "low": [one.low for one in points],
        "high": [one.high for one in points],
        "seeds": len(slots),
    })  # fmt: skip
    return drawn.replace([-np.inf, np.inf], np.nan)  # unknown where a seed has no value at all


def line(
    axes: Axes, drawn: pd.DataFrame, name: str, colour: str, dashes: str = "-", width: float = 1.1
) -> None:
    """Draw what ``smoothed`` returned."""
    axes.plot(drawn["minute"], drawn["value"], dashes, color=colour, label=name, linewidth=width)
    axes.fill_between(drawn["minute"], drawn["low"], drawn["high"], color=colour, alpha=0.15, linewidth=0)


def agents(axes: Axes, by_preset: Mapping[str, Arm], column: str) -> pd.DataFrame:
    """One line per agent; returns the numbers drawn."""
    parts = []
    for preset, arm in by_preset.items():
        drawn = smoothed(arm, column)
        line(axes, drawn, label(preset), colour(preset), dashes(preset))
        parts.append(drawn.assign(what=column, preset=preset))
    axes.set_xlim(0, max(_end_minute(arm) for arm in by_preset.values()))
    return pd.concat(parts, ignore_index=True)


def _end_minute(arm: Arm) -> float:
    """Of the longest run's last slot."""
    return max(float(run.config["slots"] * run.config["slot_s"]) / 60 for run in arm.runs.values())


def arrivals(axes: Axes, arm: Arm) -> int:
    """Requests per second of the arm's first seed, whose number is returned; all agents met the same ones."""
    seed, run = next(iter(arm.runs.items()))
    slots = run.table("slots")
    axes.plot(slots["minute"], slots["load_rps"], color="#bbbbbb", linewidth=0.7, label="arrivals, measured")
    axes.plot(slots["minute"], slots["true_load_rps"], color="#333333", label="arrivals, true mean")
    return seed


def average(arm: Arm, column: str) -> float:
    """Mean over slots and seeds, learning included."""
    return float(np.mean([run.table("slots")[column].mean() for run in arm.runs.values()]))
