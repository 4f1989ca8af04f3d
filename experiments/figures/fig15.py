"""Fig. 15: as little of the processor as a loose objective allows; three services by three measures."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from experiments.figures import over_time
from experiments.figures.conditions import Compared, Condition, compared, seeds_said
from experiments.figures.layout import log_ticks
from experiments.figures.style import SLO_LINE, WIDE_INCHES, Drawing, label

CONDITIONS = (
    Condition("Deep Speech 2, CPU", "dynamic", "deepspeech2", "sim_cpu"),
    Condition("Inception-ResNet V2, CPU", "dynamic", "inception_resnet_v2", "sim_cpu"),
    Condition("Inception V3, GPU", "dynamic", "inception_v3", "sim_gpu"),
)


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig15``."""
    panels = compared(runs, "fig15", CONDITIONS)
    # Nine panels, a service a row and a measure a column to be read across: no single column holds them.
    figure, axes = plt.subplots(3, 3, figsize=(WIDE_INCHES, 6.0), sharex=True)
    parts = []
    for row, panel, letters in zip(axes, panels, ("abc", "def", "ghi"), strict=True):
        seed = over_time.arrivals(row[0], next(iter(panel.by_preset.values())))
        for axis, column in zip(row[1:], ("p95_latency_s", utilisation(panel)), strict=True):
            drawn = over_time.agents(axis, panel.by_preset, column)
            parts.append(drawn.assign(model=panel.condition.model, system=panel.condition.system))
        row[1].axhline(panel.settings["objective"]["slo_s"], label="objective", **SLO_LINE)
        row[0].set_ylim(bottom=0)
        row[0].locator_params(axis="y", nbins=5)
        row[1].set_yscale("log")
        log_ticks(row[1].yaxis)
        row[2].set_ylim(0, 1)
        processor = utilisation(panel)[:3].upper()
        names = f"arrivals (1/s), seed {seed}", "p95 latency (s)", f"{processor} use (share)"
        for axis, letter, name in zip(row, letters, names, strict=True):
            axis.set_title(f"({letter}) {name}", loc="left")
        row[0].set_ylabel(panel.condition.title)
    for axis in axes[-1]:
        axis.set_xlabel("time (min)")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    shared = panels[0].settings
    return Drawing(
        name="fig15",
        title="Fig. 15: least use of the processor within a loose objective, Dynamic",
        paper_shows=(
            "The paper shows RRL Plus always within the objective for DeepSpeech, DeepRM only after about "
            "500 minutes and CAPES not when the load rises, at 32.0 % and 35.0 % less CPU than CAPES and "
            "DeepRM; for ResNet all three within it soon, RRL Plus with 61.8 % and 68.9 % less CPU; for "
            "Inception on the GPU RRL Plus with 43.7 % less GPU than DeepRM and as much as CAPES, at 38.8 % "
            "less latency than CAPES."
        ),
        caption=(
            f"{shared['slots']} slots of {shared['slot_s']:g} s, {seeds_said(panels)}. Requests per "
            "second: grey as measured, black their true mean. 95th percentile of the requests completed in a "
            "slot (log scale; gaps where none are) and busy share of the processor, busy-waiting included: "
            f"{over_time.BAND}. Solid: as published; dashed: as tuned by us; horizontal: the "
            f"objective for the 95th percentile. Mean use: {'; '.join(map(_said, panels))}. "
            "Use on the CPU depends on how much idle threads wait busily, which the profile assumes."
        ),
        figure=figure,
        data=pd.concat(parts, ignore_index=True),
    )


def utilisation(panel: Compared) -> str:
    """Column of slots.parquet that says how busy the condition's processor was."""
    return "gpu_utilisation" if panel.condition.system == "sim_gpu" else "cpu_utilisation"


def _said(panel: Compared) -> str:
    shares = ", ".join(
        f"{label(preset)} {100 * over_time.average(arm, utilisation(panel)):.0f} %"
        for preset, arm in panel.by_preset.items()
    )
    return f"{panel.condition.title} ({panel.settings['objective']['slo_s']:g} s): {shares}"
