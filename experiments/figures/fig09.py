"""Fig. 9: convergence time and prediction error of RRL against the size of its region."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.convergence import first_passage, settles, settles_q
from experiments.figures.style import WIDE_INCHES, Drawing, NotYetComputedError
from experiments.results import Run, finished_runs


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
    gammas = sorted(data["gamma"].unique())
    figure, axes = plt.subplots(
        len(gammas), 2, figsize=(WIDE_INCHES, 2.4 * len(gammas)), sharex=True, squeeze=False
    )
    slots = int(data["slots"].max())
    for row, gamma in zip(axes, gammas, strict=True):
        mine = data[data["gamma"] == gamma]
        _times(row[0], mine, slots)
        _errors(row[1], mine)
        row[0].set_title(f"discount {gamma:g}", loc="left")
    for bottom in axes[-1]:
        bottom.set_xlabel("radius of the region (grid steps)")
    axes[0, 0].scatter([], [], color="#666666", s=14, marker="^", label="never within the run")
    times, errors = (one.get_legend_handles_labels() for one in axes[0])
    figure.legend(*times, loc="outside lower left", ncols=2)
    figure.legend(*errors, loc="outside lower right", ncols=2)
    return Drawing(
        name="fig09",
        title="Fig. 9: RRL at a constant load, convergence and error against the radius of the region",
        paper_shows=(
            "The paper shows convergence time falling quickly with the region's size (5 x faster at size 1 "
            "than Q-learning, which is size 0) and the prediction error growing much more slowly."
        ),
        caption=(
            f"Preset rrl_paper with the constant estimator, 14 requests/s, {slots} slots, "
            f"{data['seed'].nunique()} seed(s); dots are seeds, lines medians. Left: slots until Q stays "
            "within 10 % of its end and had half the run to show it (conv. of Q), and until the noise-free "
            "gap to the best configuration, averaged over 25 slots, is first at most 1.25 (first passage) or "
            "stays so (settled); triangles at the top are seeds that never got there. Right: errors at the "
            "end of the run."
        ),
        figure=figure,
        data=data,
    )


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


_SERIES = {
    "conv_q": ("conv. of Q", "#0072B2", -0.08),
    "first_passage": ("gap: first passage", "#E69F00", 0.0),
    "settled": ("gap: settled", "#009E73", 0.08),
}


def _times(axes: Axes, data: pd.DataFrame, slots: int) -> None:
    never_at = slots * 1.3
    for column, (name, colour, shift) in _SERIES.items():
        reached = data[data[column].notna()]
        never = data[data[column].isna()]
        axes.scatter(reached["radius"] + shift, reached[column], color=colour, s=8, alpha=0.6, linewidths=0)
        axes.scatter(never["radius"] + shift, np.full(len(never), never_at), color=colour, s=14, marker="^")
        # The median of a radius at which half the seeds or more never got there is not drawn.
        medians = data.groupby("radius")[column].apply(lambda times: times.fillna(np.inf).median())
        axes.plot(medians.index, medians.where(np.isfinite(medians)), ".-", color=colour, label=name)
    axes.axhline(slots * 1.12, color="#999999", linewidth=0.6, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylim(20, slots * 1.6)  # nothing can be reached before 25 slots: the window of the gap
    axes.set_yticks([30, 100, 300, 1000, 3000], ["30", "100", "300", "1000", "3000"])
    axes.minorticks_off()
    axes.set_ylabel("time (slots)")


def _errors(axes: Axes, data: pd.DataFrame) -> None:
    for column, name, colour in (
        ("prediction_error", "median error of predicted cost", "#D55E00"),
        ("q_star_distance", "distance of Q from the true Q*", "#666666"),
    ):
        axes.scatter(data["radius"], 100 * data[column], color=colour, s=8, alpha=0.6, linewidths=0)
        medians = data.groupby("radius")[column].median()
        axes.plot(medians.index, 100 * medians, color=colour, label=name)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error (%)")
