"""Fig. 9: convergence time and prediction error of RRL against the size of its region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.convergence import first_passage, settles, settles_q
from experiments.figures.layout import called, legend_below, lettered, share_x, stacked
from experiments.figures.style import Drawing, NotYetComputedError
from experiments.pages import counted
from experiments.results import Run, finished_runs
from experiments.statistics import Estimate, bootstrap, median


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig09``."""
    found = [
        run
        for run in finished_runs(runs)
        if run.config["agent"]["preset"] == "rrl_paper" and run.has("diagnostics")
    ]
    if not found:
        raise NotYetComputedError("python -m experiments.run --multirun experiment=fig09 (see make paper)")
    data = pd.DataFrame([_outcome(run) for run in found]).sort_values(
        ["gamma", "radius", "seed"], ignore_index=True
    )
    return drawing(data)


def drawing(runs: pd.DataFrame) -> Drawing:
    """The figure of what the runs came to: one row per run, see ``_outcome``."""
    summary = medians(runs)
    gammas = sorted(runs["gamma"].unique())
    figure, axes = stacked([1.5, 1.2] * len(gammas), legend_rows=3)
    share_x(axes)
    lettered(axes, (f"{what}, discount {gamma:g}" for gamma in gammas for what in ("time", "error")))
    slots = int(runs["slots"].max())
    for times, errors, gamma in zip(axes[::2], axes[1::2], gammas, strict=True):
        mine, middle = runs[runs["gamma"] == gamma], summary[summary["gamma"] == gamma]
        _times(times, mine, middle, slots)
        _errors(errors, mine, middle)
    axes[-1].set_xlabel("radius of the region (grid steps)")
    axes[0].scatter([], [], color="#666666", s=14, marker="^", label="never within the run")
    legend_below(figure, [one for axis in axes[:2] for one in axis.get_legend_handles_labels()[0]], columns=2)
    return Drawing(
        name="fig09",
        title="Fig. 9: RRL at a constant load, convergence and error against the radius of the region",
        paper_shows=(
            "The paper shows convergence time falling quickly with the region's size (5 x faster at size 1 "
            "than Q-learning, which is size 0) and the prediction error growing much more slowly."
        ),
        caption=(
            f"Preset rrl_paper with the constant estimator, 14 requests/s, {slots} slots, "
            f"{counted(runs['seed'].nunique(), 'seed')}; dots are seeds, lines medians over seeds, bars "
            "and bands their 95 % bootstrap intervals (a bar that ends at the triangles has no upper end). "
            f"{called(0, len(axes))} Slots until Q stays within 10 % of its end and had half the run to "
            "show it (conv. of Q), and until the noise-free gap to the best configuration, averaged over 25 "
            "slots, is first at most 1.25 (first passage) or stays so (settled); triangles at the "
            f"top are seeds that never got there. {called(1, len(axes))} Errors at the end of the run."
        ),
        figure=figure,
        data=pd.concat([runs.assign(what="run"), summary], ignore_index=True),
    )


def medians(runs: pd.DataFrame) -> pd.DataFrame:
    """Medians over seeds with 95 % bootstrap intervals; a time that is never reached is infinite.

    Returns:
        Three rows per discount and radius, told apart by ``what``: ``median``, ``low``, ``high``.
    """
    rows: list[dict[str, object]] = []
    for (gamma, radius), mine in runs.groupby(["gamma", "radius"]):
        found = {column: _median(mine[column]) for column in _MEASURED}
        rows += [
            {"what": what, "gamma": gamma, "radius": radius, "slots": mine["slots"].max()}
            | {column: getattr(one, "value" if what == "median" else what) for column, one in found.items()}
            for what in _WHAT
        ]
    return pd.DataFrame(rows)


def _median(numbers: pd.Series[float]) -> Estimate:
    values = np.array(numbers.fillna(np.inf), dtype=np.float64)
    return bootstrap([values[:, None]], lambda resampled: median(resampled[..., 0]))


def _outcome(run: Run) -> dict[str, float | None]:
    slots, diagnostics = run.table("slots"), run.table("diagnostics")
    gap = slots["gap"].to_numpy(dtype=np.float64)
    last = diagnostics.iloc[-1]
    return {
        "radius": float(run.config["agent"]["radius"]),
        "gamma": float(run.config["agent"]["gamma"]),
        "seed": run.config["seed"],
        "slots": len(slots),
        "conv_q": settles_q(diagnostics["q_distance"].to_numpy(dtype=np.float64)),
        "first_passage": first_passage(gap),
        "settled": settles(gap),
        "prediction_error": float(last["prediction_error"]),
        "q_star_distance": float(last["q_star_distance"]),
        "mean_cost_s": float(slots["cost"].mean()),
    }


_WHAT = ("median", "low", "high")
_MEASURED = ("conv_q", "first_passage", "settled", "prediction_error", "q_star_distance", "mean_cost_s")
_SERIES = {
    "conv_q": ("conv. of Q", "#0072B2", -0.08),
    "first_passage": ("gap: first passage", "#E69F00", 0.0),
    "settled": ("gap: settled", "#009E73", 0.08),
}


def _times(axes: Axes, runs: pd.DataFrame, summary: pd.DataFrame, slots: int) -> None:
    never_at = slots * 1.3
    for column, (name, colour, shift) in _SERIES.items():
        reached = runs[runs[column].notna()]
        never = runs[runs[column].isna()]
        axes.scatter(reached["radius"] + shift, reached[column], color=colour, s=8, alpha=0.6, linewidths=0)
        axes.scatter(never["radius"] + shift, np.full(len(never), never_at), color=colour, s=14, marker="^")
        # The median of a radius at which half the seeds or more never got there is not drawn, nor bridged.
        middle, low, high = _bars(summary, column)
        middle, high = middle.where(np.isfinite(middle)), high.clip(upper=never_at)
        there = middle.dropna()
        bars = [there - low[there.index], high[there.index] - there]
        axes.plot(middle.index + shift, middle, "o-", markersize=3.5, color=colour, label=name)
        axes.errorbar(there.index + shift, there, bars, fmt="none", color=colour, elinewidth=0.8, capsize=2)
    axes.axhline(slots * 1.12, color="#999999", linewidth=0.6, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylim(20, slots * 1.6)  # nothing can be reached before 25 slots: the window of the gap
    axes.set_yticks([30, 100, 300, 1000, 3000], ["30", "100", "300", "1000", "3000"])
    axes.minorticks_off()
    axes.set_ylabel("time (slots)")


def _errors(axes: Axes, runs: pd.DataFrame, summary: pd.DataFrame) -> None:
    for column, name, colour in (
        ("prediction_error", "median error of prediction", "#D55E00"),
        ("q_star_distance", "distance of Q from Q*", "#666666"),
    ):
        axes.scatter(runs["radius"], 100 * runs[column], color=colour, s=8, alpha=0.6, linewidths=0)
        middle, low, high = (100 * one for one in _bars(summary, column))
        axes.plot(middle.index, middle, color=colour, label=name)
        axes.fill_between(middle.index, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error (%)")


def _bars(summary: pd.DataFrame, column: str) -> list[pd.Series[float]]:
    """Median, low and high of one number, by radius."""
    return [summary[summary["what"] == what].set_index("radius")[column] for what in _WHAT]
