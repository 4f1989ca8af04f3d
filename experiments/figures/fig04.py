"""Fig. 4: latency of CPU configurations at 14 requests/s, intra-op parallelism 10; global view and zoom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from experiments.figures.style import WIDE_INCHES, Drawing, NotYetComputedError
from experiments.settings import compose_settings
from serving.configuration import cpu_space

LOAD_RPS = 14.0
INTRA_OP = 10
ZOOM = 2  # grid steps on each side of the best configuration


def draw(runs: Path, overrides: Sequence[str] = ()) -> Drawing:  # noqa: ARG001 - needs a table, no runs
    """Draw from the exhaustive table of ``experiment=fig04``, or of that with further overrides."""
    data = _latency_grid(overrides)
    grid = data.pivot_table(index="inter_op_parallelism", columns="request_parallelism", values="cost_s")
    best = data.sort_values("cost_s").iloc[0]
    figure, axes = plt.subplots(1, 2, figsize=(WIDE_INCHES, 2.9))
    _heatmap(axes[0], grid, annotate=False)
    axes[0].set_title("all configurations")
    zoomed = grid.loc[
        _around(grid.index.to_numpy(), best["inter_op_parallelism"]),
        _around(grid.columns.to_numpy(), best["request_parallelism"]),
    ]
    _heatmap(axes[1], zoomed, annotate=True)
    axes[1].set_title("around the best one")
    spread = data["cost_s"].max() / data["cost_s"].min()
    return Drawing(
        name="fig04",
        title="Fig. 4: mean cost of Inception V3 under 14 requests/s on the CPU, intra-op parallelism 10",
        paper_shows=(
            "The paper shows latency that varies widely as a whole and smoothly in a small region, drawn in "
            "finer steps than this grid has; the caption says how much ours varies around the best one."
        ),
        caption=(
            f"Noise-free mean cost in seconds (a lost request counts as 5 s), lighter is lower; 0 is the "
            f"system's own default. Worst over best {spread:.0f} x; zoomed region worst over best "
            f"{zoomed.to_numpy().max() / zoomed.to_numpy().min():.2f} x. Profile paper_cpu, exhaustive "
            f"simulation, standard error at most 1 % but in {int(data['capped'].sum())} of {len(data)} cells."
        ),
        figure=figure,
        data=data,
    )


def _latency_grid(overrides: Sequence[str]) -> pd.DataFrame:
    from experiments.truth import read_arrays

    plain = compose_settings(["experiment=fig04", *overrides])
    arrays = read_arrays(plain)
    if arrays is None:
        raise NotYetComputedError("python -m experiments.truth experiment=fig04")
    system = plain["system"]
    space = cpu_space(system["grid_maximum"], system["grid_minimum"])
    row = int(np.flatnonzero(arrays["load_rps"] == LOAD_RPS)[0])
    data = pd.DataFrame(space.values, columns=list(space.names)).assign(
        load_rps=LOAD_RPS,
        cost_s=arrays["cost"][row],
        standard_error_s=arrays["standard_error"][row],
        capped=arrays["capped"][row],
    )
    intra_op = min(INTRA_OP, system["grid_maximum"])
    here: pd.DataFrame = data[data["intra_op_parallelism"] == intra_op].reset_index(drop=True)
    return here


def _around(values: np.ndarray, centre: float) -> np.ndarray:
    """Grid values within ZOOM steps of the centre, the system default 0 left out."""
    inner = values[values > 0]
    position = int(np.abs(inner - centre).argmin())
    first = int(np.clip(position - ZOOM, 0, max(0, len(inner) - 2 * ZOOM - 1)))
    return inner[first : first + 2 * ZOOM + 1]


def _heatmap(axes: Axes, grid: pd.DataFrame, annotate: bool) -> None:
    costs = grid.to_numpy()
    norm = LogNorm(costs.min(), costs.max())
    image = axes.imshow(costs, origin="lower", cmap="viridis_r", norm=norm, aspect="auto")
    axes.set_xticks(range(len(grid.columns)), [str(value) for value in grid.columns])
    axes.set_yticks(range(len(grid.index)), [str(value) for value in grid.index])
    axes.set_xlabel("request parallelism")
    axes.set_ylabel("inter-op parallelism")
    axes.grid(False)
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label="mean cost (s)")
    if annotate:
        for (row, column), cost in np.ndenumerate(costs):
            dark = norm(cost) > 0.5
            axes.text(
                column, row, f"{cost:.3g}", ha="center", va="center", fontsize=6, color="w" if dark else "k"
            )
