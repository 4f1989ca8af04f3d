"""Fig. 5: latency of GPU configurations at 61 requests/s, batch size 50, over batch threads and timeouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from experiments.figures.fig04 import heatmap, median_step
from experiments.figures.layout import lettered, stacked
from experiments.figures.style import Drawing, NotYetComputedError
from experiments.surface import Surface, read_surface

LOAD_RPS = 61.0
BATCH_SIZE = 50
GRIDS = {"fig05": ("timeouts up to 0.1 s", "ms", 1000), "fig05_code": ("the authors' script's grid", "us", 1)}


def draw(runs: Path, overrides: Sequence[str] = ()) -> Drawing:  # noqa: ARG001 - needs tables, no runs
    """Draw from the tables of ``experiment=fig05`` and ``fig05_code``, or of those with further overrides."""
    figure, axes = stacked((2.1, 2.1))
    lettered(axes, (title for title, _, _ in GRIDS.values()))
    parts, says = [], []
    for panel, (experiment, (title, unit, unit_us)) in zip(axes, GRIDS.items(), strict=True):
        surface = read_surface(experiment, LOAD_RPS, overrides)
        if surface is None:
            plt.close(figure)
            raise NotYetComputedError(f"python -m experiments.truth experiment={experiment}")
        data = surface.table()
        data = data[data["batch_size"] == BATCH_SIZE]
        grid = data.pivot_table(index="batch_threads", columns="batch_timeout_us", values="cost_s")
        shown = 1000 * grid.set_axis(
            [f"{timeout_us / unit_us:g}" for timeout_us in sorted(set(data["batch_timeout_us"]))], axis=1
        )
        heatmap(panel, shown, "mean cost (ms)", annotate=experiment == "fig05")
        panel.set_xlabel(f"batch timeout ({unit})")
        panel.set_ylabel("batch threads")
        parts.append(data.assign(grid=experiment))
        says.append(_says(title, surface, grid))
        hardware = surface.plain["hardware"]["name"]
    return Drawing(
        name="fig05",
        title="Fig. 5: mean cost of Inception V3 under 61 requests/s on the GPU, batch size 50",
        paper_shows=(
            "The paper shows for the GPU what Fig. 4 shows for the CPU: latency that varies widely as a "
            "whole and smoothly in a small region."
        ),
        caption=(
            f"Noise-free mean cost (a lost request counts as 5 s), lighter is lower; each panel "
            f"has its own scale; 0 batch threads disable batching. {' '.join(says)} Profile "
            f"{hardware}, exhaustive simulation; it was made to vary at least 2 x over (a)."
        ),
        figure=figure,
        data=pd.concat(parts, ignore_index=True),
    )


def _says(title: str, surface: Surface, grid: pd.DataFrame) -> str:
    costs = grid.to_numpy()
    along = grid.max(axis=1) / grid.min(axis=1)  # of each number of threads, over the timeouts
    best = surface.space.configurations[int(surface.cost.argmin())]
    return (
        f"{title.capitalize()}: worst over best {costs.max() / costs.min():.2f} x, median step "
        f"{median_step(costs):.2f} x, over the timeouts alone at most {along.max():.2f} x; best of the whole "
        f"space {best} at {1000 * surface.cost.min():.3g} ms."
    )
