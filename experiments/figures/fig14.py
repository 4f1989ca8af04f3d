"""Fig. 14: tails of the latency under a strict objective, on ten servers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.arms import Arm
from experiments.figures import tails
from experiments.figures.conditions import Compared, Condition, compared, seeds_said
from experiments.figures.layout import legend_below, lettered, stacked
from experiments.figures.style import Drawing, label
from experiments.results import Run

CONDITIONS = (
    Condition("Inception V3, CPU", "dynamic", "inception_v3", "sim_cpu"),
    Condition("Deep Speech 2, CPU", "dynamic", "deepspeech2", "sim_cpu"),
    Condition("Inception V3, GPU", "dynamic", "inception_v3", "sim_gpu"),
)


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig14``."""
    panels = compared(runs, "fig14", CONDITIONS)
    figure, axes = stacked([1.55] * len(panels), legend_rows=3)
    lettered(axes, (panel.condition.title for panel in panels))
    parts = []
    for axis, panel in zip(axes, panels, strict=True):
        slo_s = panel.settings["objective"]["slo_s"]
        drawn = tails.agents(axis, panel.by_preset, slo_s)
        axis.set_ylabel("P(latency > x)")
        parts.append(drawn.assign(model=panel.condition.model, system=panel.condition.system))
    axes[-1].set_xlabel("latency x (s)")
    legend_below(figure, axes[0].lines, columns=3)
    shared = panels[0].settings
    return Drawing(
        name="fig14",
        title="Fig. 14: latency under a strict objective, ten servers, Dynamic",
        paper_shows=(
            "The paper shows RRL Plus with the shortest tails on its CPU and its GPU cluster, and up to "
            "89.3 % fewer requests over the objective than CAPES, 91.6 % fewer than DeepRM, under a workload "
            "that it does not name."
        ),
        caption=(
            f"Share of all requests of {shared['slots']} slots, learning included, that took longer than x; "
            f"lost ones took longer than any x. {shared['servers']} servers, "
            f"{seeds_said(panels)}: mean over seeds, bands: 95 % bootstrap intervals over seeds. Solid: as "
            "published; dashed: as tuned by us; vertical: the objective for the 95th percentile. Over the "
            f"objective: {'; '.join(map(_said, panels))}. Profiles "
            f"{', '.join(dict.fromkeys(panel.settings['hardware']['name'] for panel in panels))}."
        ),
        figure=figure,
        data=pd.concat(parts, ignore_index=True),
    )


def _said(panel: Compared) -> str:
    shares = ", ".join(f"{label(preset)} {_over(arm):.3g} %" for preset, arm in panel.by_preset.items())
    return f"{panel.condition.title} ({1000 * panel.settings['objective']['slo_s']:.0f} ms): {shares}"


def _over(arm: Arm) -> float:
    return float(np.mean([100 * over_objective(run) for run in arm.runs.values()]))


def over_objective(run: Run) -> float:
    """Share of a run's requests that missed the objective; every lost one did."""
    totals = run.table("slots")[["completions", "slo_violations", "rejections", "timeouts", "errors"]].sum()
    lost = totals["rejections"] + totals["timeouts"] + totals["errors"]
    return float((totals["slo_violations"] + lost) / (totals["completions"] + lost))
