"""Fig. 4: latency of CPU configurations at 14 requests/s, intra-op parallelism 10; global view and zoom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from experiments.figures.layout import lettered, stacked
from experiments.figures.style import Drawing, NotYetComputedError
from experiments.surface import read_surface

LOAD_RPS = 14.0
INTRA_OP = 10
ZOOM = 2  # grid steps on each side of the best configuration


def draw(runs: Path, overrides: Sequence[str] = ()) -> Drawing:  # noqa: ARG001 - needs a table, no runs
    """Draw from the exhaustive table of ``experiment=fig04``, or of that with further overrides."""
    surface = read_surface("fig04", LOAD_RPS, overrides)
    if surface is None:
        raise NotYetComputedError("python -m experiments.truth experiment=fig04")
    table = surface.table()
    intra_op = min(INTRA_OP, int(table["intra_op_parallelism"].max()))
    data = table[table["intra_op_parallelism"] == intra_op].reset_index(drop=True)
    grid = data.pivot_table(index="inter_op_parallelism", columns="request_parallelism", values="cost_s")
    best = data.sort_values("cost_s").iloc[0]
    zoomed = grid.loc[
        _around(grid.index.to_numpy(), best["inter_op_parallelism"]),
        _around(grid.columns.to_numpy(), best["request_parallelism"]),
    ]
    figure, axes = stacked((2.4, 2.0))
    lettered(axes, ("all configurations", "around the best one"))
    for panel, shown in zip(axes, (grid, zoomed), strict=True):
        heatmap(panel, shown, "mean cost (s)", annotate=shown is zoomed)
        panel.set_xlabel("request parallelism")
        panel.set_ylabel("inter-op parallelism")
    spread = data["cost_s"].max() / data["cost_s"].min()
    return Drawing(
        name="fig04",
        title="Fig. 4: mean cost of Inception V3 under 14 requests/s on the CPU, intra-op parallelism 10",
        paper_shows=(
            "The paper shows latency that varies widely as a whole and smoothly in a small region, drawn in "
            "finer steps than this grid has: parallelism is a whole number, so ours zooms without refining."
        ),
        caption=(
            f"Noise-free mean cost in seconds (a lost request counts as 5 s), lighter is lower; 0 is the "
            f"system's own default. (a) Worst over best {spread:.0f} x. (b) Worst over best "
            f"{zoomed.to_numpy().max() / zoomed.to_numpy().min():.2f} x, median step within it "
            f"{median_step(zoomed.to_numpy()):.2f} x. Profile {surface.plain['hardware']['name']}, "
            f"exhaustive simulation, standard error at most 1 % but in {int(data['capped'].sum())} of "
            f"{len(data)} cells."
        ),
        figure=figure,
        data=data,
    )


def median_step(costs: np.ndarray) -> float:
    """Median cost ratio of neighbours in a rectangle of costs."""
    steps = [np.abs(np.diff(np.log(costs), axis=axis)).ravel() for axis in (0, 1)]
    return float(np.exp(np.median(np.concatenate(steps))))


def _around(values: np.ndarray, centre: float) -> np.ndarray:
    """Grid values within ZOOM steps of the centre, the system default 0 left out."""
    inner = values[values > 0]
    position = int(np.abs(inner - centre).argmin())
    first = int(np.clip(position - ZOOM, 0, max(0, len(inner) - 2 * ZOOM - 1)))
    return inner[first : first + 2 * ZOOM + 1]


def heatmap(axes: Axes, grid: pd.DataFrame, label: str, annotate: bool) -> None:
    """Costs over two knobs (rows and columns of the grid), lighter is lower."""
    costs = grid.to_numpy()
    norm = LogNorm(costs.min(), costs.max())
    image = axes.imshow(costs, origin="lower", cmap="viridis_r", norm=norm, aspect="auto")
    axes.set_xticks(range(len(grid.columns)), [str(value) for value in grid.columns])
    axes.set_yticks(range(len(grid.index)), [str(value) for value in grid.index])
    axes.grid(False)
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(image, ax=axes, label=label, format="%g")
        narrow = costs.max() < 10 * costs.min()  # then at most one tick is a power of ten
        bar.ax.yaxis.set_minor_formatter("{x:g}" if narrow else "")
    if annotate:
        for (row, column), cost in np.ndenumerate(costs):
            dark = norm(cost) > 0.5
            axes.text(
                column, row, f"{cost:.3g}", ha="center", va="center", fontsize=6, color="w" if dark else "k"
            )
