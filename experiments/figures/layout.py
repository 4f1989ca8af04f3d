"""How panels stand in one column of a page: below one another, lettered, the legend at the foot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_lowercase

import matplotlib.pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from experiments.figures.style import COLUMN_INCHES

_LEGEND_ROW_INCHES = 0.13


def stacked(heights: Sequence[float], legend_rows: int = 0) -> tuple[Figure, list[Axes]]:
    """A figure as wide as a column of the paper, its panels below one another.

    Args:
        heights: inches of the panels, from the top, with their titles and what stands at their axes; the
            boxes within the axes keep these proportions.
        legend_rows: rows that the legend below has.
    """
    size = COLUMN_INCHES, sum(heights) + _LEGEND_ROW_INCHES * legend_rows
    figure, axes = plt.subplots(len(heights), figsize=size, height_ratios=heights, squeeze=False)
    figure.align_ylabels(axes)
    return figure, list(axes[:, 0])


def share_x(axes: Sequence[Axes]) -> None:
    """One x axis for panels that follow one another, labelled below the last; before anything is drawn."""
    *upper, last = axes
    for one in upper:
        one.sharex(last)
        one.tick_params(labelbottom=False)


def lettered(axes: Iterable[Axes], titles: Iterable[str]) -> None:
    """Title panels (a), (b) and so on, as the caption calls them."""
    for axis, letter, title in zip(axes, ascii_lowercase, titles, strict=False):
        axis.set_title(f"({letter}) {title}", loc="left")


def called(first: int, panels: int, every: int = 2) -> str:
    """How a caption calls each second (or so) of a figure's panels: (a, c)."""
    return f"({', '.join(ascii_lowercase[first:panels:every])})"


def legend_below(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """One legend for all panels, below them."""
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def log_ticks(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis: powers of ten, with 2 and 5 between where there is room."""
    low, high = axis.get_view_interval()
    between = (1.0, 2.0, 5.0) if high < 40 * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=between))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
