"""The way of a request through a serving system, and the knobs on it (the paper's Fig. 1)."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.diagrams.canvas import (
    BLUE,
    DARK,
    FILL,
    GREEN,
    INK,
    LINE,
    ORANGE,
    Box,
    Point,
    arrow,
    box,
    sheet,
    words,
)


def draw() -> Figure:
    """Draw it."""
    figure, axes = sheet(7.2, 2.95)
    devices = box(axes, Box(0.1, 1.2, 0.95, 1.0), "devices", "photos, speech:\nrequests of\ndifferent size")
    dispatch = box(axes, Box(1.55, 1.2, 0.95, 1.0), "dispatcher", "to one of the\nservers")
    box(axes, Box(2.95, 0.75, 4.15, 2.1), "server", top=True)
    _cells(axes, (3.15, 1.6), count=4, step=0.14, colour=LINE)
    words(axes, (3.41, 1.44), "queue")
    _requests(axes, Box(4.02, 0.95, 1.42, 1.6))
    threads = Box(5.77, 0.95, 1.22, 0.67)
    _operations(axes, Box(5.77, 1.72, 1.22, 0.83))
    _cores(axes, threads)
    arrow(axes, devices.right, dispatch.left)
    words(axes, (1.3, 1.8), "request", colour=INK)
    arrow(axes, dispatch.right, (3.1, 1.7))
    arrow(axes, (3.72, 1.7), (4.0, 1.7))
    arrow(axes, (5.45, 1.7), (5.75, 1.7))
    arrow(axes, threads.bottom, (threads.bottom[0], 0.42), (devices.bottom[0], 0.42), devices.bottom)
    words(axes, (3.5, 0.53), "answer; latency = waiting + service", colour=INK)
    words(
        axes,
        (3.6, 0.15),
        "On a GPU the knobs are batch threads, batch size and batch timeout: "
        "what is served together, and when.",
    )
    return figure


def _cells(axes: Axes, corner: Point, count: int, step: float, colour: str) -> None:
    for number in range(count):
        place = (corner[0] + step * number, corner[1])
        axes.add_patch(
            Rectangle(place, 0.8 * step, 0.2, facecolor="#ffffff", edgecolor=colour, linewidth=0.8)
        )


def _knob(axes: Axes, place: Box, name: str, meaning: str, colour: str) -> None:
    box(axes, place, colour=colour)
    words(axes, (place.top[0], place.top[1] - 0.12), name, size=7.2, colour=DARK[colour], bold=True)
    words(axes, (place.top[0], place.top[1] - 0.26), meaning, size=6.2)


def _requests(axes: Axes, place: Box) -> None:
    """Requests in service beside each other, each a graph of operations, two of them under way."""
    _knob(axes, place, "request parallelism", "requests served at once", BLUE)
    for y in (1.82, 1.42, 1.02):
        inner = box(axes, Box(place.x + 0.08, y, 1.26, 0.33), colour=ORANGE)
        x, middle = inner.x, inner.left[1]
        nodes = [(x + 0.15, middle), (x + 0.5, middle + 0.085), (x + 0.5, middle - 0.085)]
        nodes += [(x + 0.85, middle), (x + 1.12, middle)]
        for one, other in ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4)):
            axes.plot(*zip(nodes[one], nodes[other], strict=True), color=LINE, linewidth=0.7)
        for number, node in enumerate(nodes):
            face = ORANGE if number in (1, 2) else FILL[INK]
            axes.plot(*node, "o", markersize=4, markerfacecolor=face, markeredgecolor=ORANGE)


def _operations(axes: Axes, place: Box) -> None:
    """Two operations at once, each with a few threads."""
    _knob(axes, place, "inter-op parallelism", "operations at once", ORANGE)
    for y in (2.09, 1.87):
        axes.plot(place.x + 0.18, y, "o", markersize=5, color=ORANGE)
        for thread in range(4):
            x = place.x + 0.39 + 0.18 * thread
            axes.plot([x, x + 0.13], [y, y], color=GREEN, linewidth=2.2, solid_capstyle="butt")


def _cores(axes: Axes, place: Box) -> None:
    _knob(axes, place, "intra-op parallelism", "threads of an operation", GREEN)
    _cells(axes, (place.x + 0.1, place.y + 0.06), count=8, step=0.13, colour=GREEN)
