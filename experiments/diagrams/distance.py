"""The distance between two configurations, and where the value 0 stands (the paper's Fig. 8)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.diagrams.canvas import BLUE, INK, LINE, ORANGE, SOFT
from serving.configuration import ConfigurationSpace, Knob, ZeroDistance, cpu_space

_ONE, _OTHER = (2, 3, 2), (6, 7, 5)


def draw() -> Figure:
    """Draw it: space on the left, the knobs' zero on the right."""
    figure = plt.figure(figsize=(6.6, 3.1), layout="none")
    _space(figure.add_axes((0.0, 0.03, 0.5, 0.9), projection="3d"))
    for bottom, zero_distance in ((0.62, "raw"), (0.22, "effective")):
        _line(figure.add_axes((0.56, bottom, 0.41, 0.2)), zero_distance)  # type: ignore[arg-type]
    return figure


def _space(axes: Any) -> None:
    space = cpu_space()
    distance = space.distances(space.index(_ONE))[space.index(_OTHER)]
    corner, edge = (_OTHER[0], _ONE[1], _ONE[2]), (_OTHER[0], _OTHER[1], _ONE[2])
    names = ("request", "inter-op", "intra-op")
    small: dict[str, Any] = {"fontsize": 7, "color": SOFT, "ha": "center"}
    for knob, (start, end) in enumerate(((_ONE, corner), (corner, edge), (edge, _OTHER))):
        axes.plot(*zip(start, end, strict=True), "--", color=LINE, linewidth=0.9)
        middle = np.mean([start, end], axis=0)
        axes.text(*np.add(middle, (0.2, 0, -0.9)), str(end[knob] - start[knob]), **small)
    axes.plot(*zip(_ONE, _OTHER, strict=True), color=BLUE, linewidth=1.6)
    axes.scatter(*zip(_ONE, _OTHER, strict=True), color=INK, s=14, depthshade=False)
    axes.text(*np.add(_ONE, (-0.4, 0, 0.7)), f"{_ONE}", fontsize=7.5, ha="right")
    axes.text(*np.add(_OTHER, (0, 0, 0.7)), f"{_OTHER}", fontsize=7.5, ha="center")
    squares = " + ".join(f"{b - a}²" for a, b in zip(_ONE, _OTHER, strict=True))
    axes.set_title(f"distance: root of {squares} = {distance:.2f} grid steps", fontsize=8, y=0.97)
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), names, strict=True):
        axis.set_label_text(name, fontsize=7.5)
        axis.set_ticks(range(0, 11, 2))
        axis.labelpad = -6
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"]["color"] = "#e6e6e6"
    axes.tick_params(labelsize=6.5, pad=-3)
    axes.view_init(elev=20, azim=-60)
    axes.set_box_aspect((1, 1, 0.85), zoom=0.9)


def _line(axes: Axes, zero_distance: ZeroDistance) -> None:
    knob = Knob("intra_op_parallelism", tuple(range(11)), zero_means=10)
    space = ConfigurationSpace((knob,))
    away = space.distances(space.index((0,)), zero_distance=zero_distance)
    places = knob.effective_positions if zero_distance == "effective" else np.arange(11.0)
    axes.plot([0, 10], [0, 0], color=LINE, linewidth=0.8)
    for value, place in zip(knob.values, places, strict=True):
        zero = value == 0
        height = 0.5 if zero and zero_distance == "effective" else 0.0
        axes.plot(place, height, "o", markersize=7 if zero else 4, color=ORANGE if zero else INK)
        axes.text(place, height + 0.3 if height else -0.42, str(value), ha="center", va="center", fontsize=7,
                  weight="bold" if zero else "normal")  # fmt: skip
    words = {
        "raw": "zero_distance=raw: the grid's first point",
        "effective": "zero_distance=effective: at the value then used",
    }
    axes.set_title(words[zero_distance], fontsize=7.2, loc="left", color=INK)
    axes.text(0, -1.15, f"from 0 to 1: {away[1]:g}, from 0 to 10: {away[10]:g}", fontsize=7, color=SOFT)
    axes.set_xlim(-0.5, 10.5)
    axes.set_ylim(-1.1, 1.2)
    axes.axis("off")
