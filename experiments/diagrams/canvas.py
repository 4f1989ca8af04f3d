"""What diagrams are drawn with: boxes, arrows and words in inches, and SVG files that never differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from experiments.figures import style

INK, SOFT, LINE = "#1b1b1b", "#55585c", "#8a8f94"
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"  # Okabe-Ito, no agents' colours
FILL = {INK: "#f5f6f7", BLUE: "#e3eff8", ORANGE: "#fdf3dd", GREEN: "#e0f2ec"}
DARK = {INK: INK, BLUE: "#00568a", ORANGE: "#8a5a00", GREEN: "#00684d"}  # of the same hue, to be read

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle: lower left corner and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        """Middle of the right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        """Middle of the top."""
        return self.x + self.width / 2, self.y + self.height

    @property
    def bottom(self) -> Point:
        """Middle of the bottom."""
        return self.x + self.width / 2, self.y


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty sheet whose coordinates are inches from its lower left corner."""
    figure = plt.figure(figsize=(width, height), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def words(
    axes: Axes,
    at: Point,
    text: str,
    *,
    size: float = 6.8,
    colour: str = SOFT,
    align: str = "center",
    bold: bool = False,
) -> None:
    """Words around a point; lines after the first go down from it."""
    axes.text(
        *at,
        text,
        ha=align,
        va="top" if "\n" in text else "center",
        fontsize=size,
        color=colour,
        weight="bold" if bold else "normal",
        linespacing=1.35,
    )


def box(
    axes: Axes, place: Box, title: str = "", below: str = "", colour: str = INK, top: bool = False
) -> Box:
    """Draw a box with a title and smaller words below it; ``top`` puts the title at its top."""
    axes.add_patch(
        FancyBboxPatch(
            (place.x, place.y),
            place.width,
            place.height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=FILL[colour],
            edgecolor=colour,
            linewidth=0.9,
        )
    )
    x = place.top[0]
    y = place.top[1] - 0.17 if top else place.left[1] + (0.1 if below else 0)
    words(axes, (x, y), title, size=8.5, colour=INK, bold=True)
    if below:
        words(axes, (x, y - 0.12), below + ("" if "\n" in below else "\n"))
    return place


def arrow(axes: Axes, *path: Point, dashed: bool = False) -> None:
    """Draw an arrow along straight lines through points, the last of which it points at."""
    dashes = "--" if dashed else "-"
    axes.plot(*zip(*path[:-1], strict=True), color=INK, linewidth=0.9, linestyle=dashes)
    look = {"arrowstyle": "-|>", "color": INK, "linewidth": 0.9, "linestyle": dashes, "mutation_scale": 8}
    axes.annotate("", path[-1], path[-2], arrowprops=look | {"shrinkA": 0, "shrinkB": 1})


@contextmanager
def same_bytes() -> Iterator[None]:
    """The project's look, with SVG files that depend on nothing but the drawing."""
    style.apply()
    with plt.rc_context({"svg.hashsalt": "diagrams", "svg.fonttype": "path", "axes.grid": False}):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write one SVG without date and version, whole or not at all."""
    partial = path.with_name(f".{path.name}")
    figure.savefig(partial, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    partial.replace(path)
