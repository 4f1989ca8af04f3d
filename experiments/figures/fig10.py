"""Fig. 10: RRL Plus against RRL with fixed radii, over time and on average, in both families of presets."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.arms import Arm, RunSummary
from experiments.figures.over_time import WINDOW, line, smoothed
from experiments.figures.style import WIDE_INCHES, Drawing, NotYetComputedError
from experiments.radius_arms import FAMILIES, Family, families
from experiments.results import finished_runs
from experiments.statistics import Estimate, bootstrap, mean

_CREDITS = {"same_slot": ("Plus, same slot", "#D55E00"), "next_slot": ("Plus, next slot", "#CC79A7")}


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig10``."""
    found = families(finished_runs(runs))
    if not found:
        raise NotYetComputedError("python -m experiments.run --multirun experiment=fig10 (see make paper)")
    figure, axes = plt.subplots(
        2, len(found), figsize=(WIDE_INCHES, 4.8), squeeze=False, height_ratios=[1.3, 1]
    )
    drawn = []
    for column, (name, family) in zip(axes.T, found.items(), strict=True):
        drawn += [_over_time(column[0], name, family), _averages(column[1], name, family)]
        column[0].set_title(f"{name}: {' against '.join(reversed(FAMILIES[name]))}", loc="left")
    axes[0, 0].set_ylabel("cost per slot (s)")
    axes[1, 0].set_ylabel("mean over the run (s)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    data = pd.concat(drawn, ignore_index=True)
    return Drawing(
        name="fig10",
        title="Fig. 10: RRL Plus against RRL with a fixed region, Inception V3 on the CPU under wiki",
        paper_shows=(
            "The paper shows RRL Plus converging 17.54 % sooner than RRL with a fixed region, at 15.31 % "
            "less latency; it names neither the fixed radius (3 in the authors' code) nor the workload."
        ),
        caption=(
            f"{min(family.slots for family in found.values())} slots, {data['seeds'].min()} seed(s) or more "
            "of each. Left: as the paper writes the agents; right: our robust presets. Top: cost per slot "
            f"(mean latency, lost requests counted as 5 s), moving average over {WINDOW} slots, mean over "
            "seeds. Bottom: mean over the whole run, learning included, of cost (dots, lines) and of the "
            "latency of completed requests (crosses, dotted lines). Bands and bars: 95 % bootstrap "
            "intervals over seeds. Mean cost: " + _said(data) + "."
        ),
        figure=figure,
        data=data,
    )


def _over_time(axes: Axes, family_name: str, family: Family) -> pd.DataFrame:
    radii = list(family.fixed)
    shades = plt.get_cmap("Blues")(np.linspace(0.35, 1.0, len(radii)))
    drawn = []
    for radius, shade in zip(radii, shades, strict=True):
        drawn.append(_line(axes, family.fixed[radius], f"radius {radius:g}", shade))
    for credit, arm in family.adaptive.items():
        drawn.append(_line(axes, arm, *_CREDITS[credit]))
    axes.set_yscale("log")
    axes.set_xlabel("time (min)")
    return pd.concat(drawn).assign(family=family_name)


def _line(axes: Axes, arm: Arm, label: str, colour: object) -> pd.DataFrame:
    drawn = smoothed(arm, "cost")
    line(axes, drawn, label, colour)
    return drawn.rename(columns={"value": "seconds"}).assign(arm=label, what="moving average of cost")


def _averages(axes: Axes, family_name: str, family: Family) -> pd.DataFrame:
    rows = []
    for radius, summaries in family.fixed_summaries.items():
        for what, marker, shift in (("cost_s", "o", -0.06), ("mean_latency_s", "x", 0.06)):
            one = _mean(summaries, what)
            bar = [[one.value - one.low], [one.high - one.value]]
            axes.errorbar([radius + shift], [one.value], bar, fmt=marker, color="#0072B2", markersize=4)
            rows.append(_row(f"radius {radius:g}", what, one))
    for credit, summaries in family.adaptive_summaries.items():
        label, colour = _CREDITS[credit]
        for what, dashes in (("cost_s", "-"), ("mean_latency_s", ":")):
            one = _mean(summaries, what)
            axes.axhline(one.value, linestyle=dashes, color=colour, label=label if dashes == "-" else None)
            if what == "cost_s":
                axes.axhspan(one.low, one.high, color=colour, alpha=0.15, linewidth=0)
            rows.append(_row(label, what, one))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("fixed radius (grid steps)")
    return pd.DataFrame(rows).assign(family=family_name)


def _row(arm: str, what: str, one: Estimate) -> dict[str, object]:
    named = {"cost_s": "mean cost", "mean_latency_s": "mean latency"}[what]
    return {
        "arm": arm, "what": named, "seconds": one.value, "low": one.low, "high": one.high, "seeds": one.seeds
    }  # fmt: skip


def _mean(summaries: dict[int, RunSummary], what: str) -> Estimate:
    return _estimate(np.array([getattr(one, what) for one in summaries.values()]))


def _estimate(values: NDArray[np.float64]) -> Estimate:
    return bootstrap([values[:, None]], lambda runs: mean(runs[..., 0]))


def _said(data: pd.DataFrame) -> str:
    means = data[data["what"] == "mean cost"]
    return "; ".join(
        f"{name}: " + ", ".join(f"{row['arm']} {row['seconds']:.3g} s" for _, row in rows.iterrows())
        for name, rows in means.groupby("family", sort=False)
    )
