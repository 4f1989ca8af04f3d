"""Fig. 10: RRL Plus against RRL with fixed radii, over time and on average, in both families of presets."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from experiments.arms import Arm, RunSummary
from experiments.figures.layout import called, legend_below, lettered, log_ticks, stacked
from experiments.figures.over_time import WINDOW, line, smoothed
from experiments.figures.style import COLOURS, Drawing, NotYetComputedError
from experiments.pages import counted
from experiments.radius_arms import FAMILIES, Family, families
from experiments.results import finished_runs
from experiments.statistics import Estimate, bootstrap, mean

_CREDITS = {
    "same_slot": ("Plus, same slot", COLOURS["rrl_plus_paper"]),
    "next_slot": ("Plus, next slot", COLOURS["rrl_plus"]),
}


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig10``."""
    found = families(finished_runs(runs))
    if not found:
        raise NotYetComputedError("python -m experiments.run --multirun experiment=fig10 (see make paper)")
    figure, axes = stacked([1.75, 1.35] * len(found), legend_rows=3)
    lettered(axes, (title for name in found for title in _titles(name)))
    drawn = []
    for over_time, averages, (name, family) in zip(axes[::2], axes[1::2], found.items(), strict=True):
        drawn += [_over_time(over_time, name, family), _averages(averages, name, family)]
    legend_below(figure, axes[0].lines, columns=3)
    data = pd.concat(drawn, ignore_index=True)
    return Drawing(
        name="fig10",
        title="Fig. 10: RRL Plus against RRL with a fixed region, Inception V3 on the CPU, WiKi",
        paper_shows=(
            "The paper shows RRL Plus converging 17.54 % sooner than RRL with a fixed region, at 15.31 % "
            "less latency; it names neither the fixed radius (3 in the authors' code) nor the workload."
        ),
        caption=(
            f"{min(family.slots for family in found.values())} slots, {counted(data['seeds'].min(), 'seed')} "
            "or more of each; paper: as the paper writes the agents, robust: our robust presets. "
            f"{called(0, len(axes))} Cost per slot "
            f"(mean latency, lost requests counted as 5 s), moving average over {WINDOW} slots, mean over "
            f"seeds. {called(1, len(axes))} Mean over the whole run, learning included, of cost (dots, "
            "lines) and of the latency of completed requests (crosses, dotted lines). Bands and bars: "
            "95 % bootstrap intervals over seeds. Mean cost: " + _said(data) + "."
        ),
        figure=figure,
        data=data,
    )


def _titles(name: str) -> tuple[str, str]:
    return f"{name}: {' against '.join(reversed(FAMILIES[name]))}", f"{name}: mean over the run"


def _over_time(axes: Axes, family_name: str, family: Family) -> pd.DataFrame:
    drawn = []
    for radius, shade in _shades(family).items():
        drawn.append(_line(axes, family.fixed[radius], f"radius {radius:g}", shade))
    for credit, arm in family.adaptive.items():
        drawn.append(_line(axes, arm, *_CREDITS[credit], width=1.5))
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_ylabel("cost per slot (s)")
    axes.set_xlabel("time (min)")
    return pd.concat(drawn).assign(family=family_name)


def _shades(family: Family) -> dict[float, str]:
    """A colour per fixed radius, dark to light, for all readers apart from one another and from RRL Plus."""
    map_ = plt.get_cmap("plasma")
    return dict(zip(family.fixed, map(to_hex, map_(np.linspace(0.35, 0.95, len(family.fixed)))), strict=True))


def _line(axes: Axes, arm: Arm, label: str, colour: str, width: float = 0.9) -> pd.DataFrame:
    drawn = smoothed(arm, "cost")
    line(axes, drawn, label, colour, width=width)
    return drawn.rename(columns={"value": "seconds"}).assign(arm=label, what="moving average of cost")


def _averages(axes: Axes, family_name: str, family: Family) -> pd.DataFrame:
    rows, shades = [], _shades(family)
    for radius, summaries in family.fixed_summaries.items():
        for what, marker, shift in (("cost_s", "o", -0.06), ("mean_latency_s", "x", 0.06)):
            one = _mean(summaries, what)
            bar = [[one.value - one.low], [one.high - one.value]]
            axes.errorbar([radius + shift], [one.value], bar, fmt=marker, color=shades[radius], zorder=3)
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
    axes.set_ylabel("mean (s)")
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
