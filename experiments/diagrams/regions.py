"""What a few observations tell point by point, and by regions (the paper's Fig. 7)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.diagrams.canvas import BLUE, INK, LINE
from serving.configuration import ConfigurationSpace, Knob

_OBSERVED = ((1, 8), (3, 3), (6, 6), (8, 1), (9, 9))
_RADIUS = 2.0


def draw() -> Figure:
    """Draw both panels, on two knobs, with the regions that the agents use."""
    figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True)
    knobs = tuple(Knob(name, tuple(range(11))) for name in ("request", "inter_op"))
    space = ConfigurationSpace(knobs)
    for axes, radius, title in ((panels[0], 0.0, "point-based"), (panels[1], _RADIUS, "region-based")):
        known = learned(space, radius)
        _panel(axes, space, known)
        size = f"radius {radius:g}: " if radius else ""
        axes.set_title(
            f"{title}\n{size}{len(_OBSERVED)} observations, {int((known > 0).sum())} of {space.size} known",
            fontsize=8,
        )
        axes.set_xlabel("request parallelism")
    panels[0].set_ylabel("inter-op parallelism")
    return figure


def learned(space: ConfigurationSpace, radius: float) -> NDArray[np.float64]:
    """How near the closest observation is, 1 for observed, 0 for unknown, shape (size,)."""
    known = np.zeros(space.size)
    for configuration in _OBSERVED:
        centre = space.index(configuration)
        region = space.region(centre, radius)
        nearness = 1 - space.distances(centre)[region] / (radius + 1)
        known[region] = np.maximum(known[region], nearness)
    return known


def _panel(axes: Axes, space: ConfigurationSpace, known: NDArray[np.float64]) -> None:
    request, inter_op = space.values.T
    axes.scatter(request, inter_op, s=70, marker="s", color="#eef0f1", linewidths=0)
    seen = known > 0
    shades = [to_rgba(BLUE, 0.2 + 0.55 * nearness) for nearness in known[seen]]
    axes.scatter(request[seen], inter_op[seen], s=70, marker="s", color=shades, linewidths=0)
    axes.plot(*np.transpose(_OBSERVED), "o", color=INK, markersize=3.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(0, 11, 2))
    axes.set_yticks(range(0, 11, 2))
    axes.tick_params(length=2, color=LINE)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
