"""One figure that shows which claims hold where: a row for each condition, a column for each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from textwrap import wrap
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from experiments.figures.style import WIDE_INCHES, Drawing
from experiments.sensitivity.judge import COLUMN, NOT_COMPUTABLE, VERDICTS, Count, summary

ROW = ["choice", "condition"]
_COLOURS = dict(zip(VERDICTS, ("#0072B2", "#9CCBE6", "#F5B041", "#EEEEEE"), strict=True))
_INK = {"reproduced": "white"}  # the others are light
_INCHES = 0.128  # of a row
_GAP = 0.35  # of a row or column, between one choice or comparison and the next
_LEFT, _TOP, _BOTTOM = 4.8, 9.6, 2.0  # columns and rows beside the cells, for names and counts
_SMALL, _SMALLER = 5.5, 5.0  # points

Cell = Mapping[Hashable, Any]


def draw(table: pd.DataFrame, made_by: str) -> Drawing:
    """Draw the table of ``judge``.

    Args:
        table: see there.
        made_by: a sentence on slots and seeds, for the caption.
    """
    columns, rows = _places(table, COLUMN), _places(table, ROW)
    bottom = max(rows.values()) + 1 + _GAP
    size = WIDE_INCHES, _INCHES * (bottom + _TOP + _BOTTOM + 2)
    figure, axes = plt.subplots(figsize=size)
    for cell in table.to_dict("records"):
        _cell(axes, columns[_key(cell, COLUMN)], rows[_key(cell, ROW)], cell)
    _row_names(axes, rows)
    _column_names(axes, columns, table)
    _counts(axes, columns, bottom, table)
    axes.set_xlim(-_LEFT, max(columns.values()) + 1.8)
    axes.set_ylim(bottom + _BOTTOM, -_TOP)
    axes.axis("off")
    shown = [Patch(facecolor=_COLOURS[name], edgecolor="#bbbbbb", label=name) for name in VERDICTS]
    figure.legend(handles=shown, loc="outside lower center", ncols=len(shown), fontsize=6)
    return Drawing(
        name="sensitivity",
        title="The headline claims under the choices that the paper leaves open",
        paper_shows="The paper shows each claim once, under settings most of which it does not name.",
        caption=(
            "One choice at a time is changed from the base: Inception V3 on paper_cpu, the queue bounded and "
            f"carried over, slots of 120 s. {made_by} Cells: our value, in per cent less or times sooner "
            "(never: ours does not settle in most runs; a dash: no number), coloured by the verdict on the "
            "paper's value, which stands in brackets. Where there is no cell, the condition does not touch "
            "the claim. p: published settings, t: tuned. " + "; ".join(summary(table)) + "."
        ),
        figure=figure,
        data=table,
    )


def _key(cell: Cell, names: list[str]) -> tuple[str, ...]:
    return tuple(str(cell[name]) for name in names)


def _places(table: pd.DataFrame, names: list[str]) -> dict[tuple[str, ...], float]:
    """Where each row (or column) begins; a gap parts those that differ in the first name."""
    places: dict[tuple[str, ...], float] = {}
    at = 0.0
    for cell in table.drop_duplicates(names).to_dict("records"):
        key = _key(cell, names)
        if places and key[0] != next(reversed(places))[0]:
            at += _GAP
        places[key] = at
        at += 1
    return places


def _cell(axes: Axes, x: float, y: float, cell: Cell) -> None:
    verdict = cell["verdict"]
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=_COLOURS[verdict], edgecolor="white", linewidth=0.5))
    _text(axes, x + 0.5, y, _said(cell), size=_SMALLER, color=_INK.get(verdict, "black"))


def _text(
    axes: Axes, x: float, y: float, text: str, *, size: float = _SMALL, ha: str = "center", **more: Any
) -> None:
    """Text in the middle of the row that begins at y."""
    axes.text(x, y + 0.52, text, fontsize=size, ha=ha, va="center", **more)


def _said(cell: Cell) -> str:
    if cell["verdict"] == NOT_COMPUTABLE:
        return "\N{EN DASH}"
    value = float(cell["value"])
    if value != value:  # noqa: PLR0124 - not a number: refuted without one
        return "never"
    if cell["unit"] == "x":
        return f"{value:.2g}"
    return f"{round(value)}" if value > -1000 else "<-999"


def _row_names(axes: Axes, rows: Mapping[tuple[str, ...], float]) -> None:
    named: set[str] = set()
    for (choice, condition), y in rows.items():
        _text(axes, -0.15, y, condition, ha="right")
        if choice not in named:
            _text(axes, -_LEFT, y, choice, ha="left", weight="bold")
        named.add(choice)


def _column_names(axes: Axes, columns: Mapping[tuple[str, ...], float], table: pd.DataFrame) -> None:
    asked = {_key(cell, COLUMN): cell for cell in table.drop_duplicates(COLUMN).to_dict("records")}
    tuned = {key[:2] for key in columns if key[2] == "tuned"}
    named: set[str] = set()
    widths = Counter(comparison for comparison, *_ in columns)
    for key, x in columns.items():
        comparison, where, settings = key
        name = f"{where}, {settings[0]}" if key[:2] in tuned else where
        paper = f"({asked[key]['paper_value']} {asked[key]['unit']})"
        axes.text(x + 0.4, -0.3, f"{name} {paper}", fontsize=_SMALL, rotation=55, ha="left", va="bottom")
        if comparison not in named:
            lines = "\n".join(wrap(comparison, max(6, 5 * widths[comparison])))
            axes.text(x, -_TOP, lines, fontsize=_SMALL, weight="bold", ha="left", va="top")
        named.add(comparison)


def _counts(axes: Axes, columns: Mapping[tuple[str, ...], float], y: float, table: pd.DataFrame) -> None:
    for line, text in enumerate(("reproduced in", "in part in")):
        _text(axes, -0.15, y + line, text, ha="right", weight="bold")
    for key, x in columns.items():
        of_claim = (table[COLUMN] == list(key)).all(axis=1)
        count = Count.of(table[of_claim])
        for line, number in enumerate((count.reproduced, count.partly)):
            _text(axes, x + 0.5, y + line, f"{number}/{count.judged}", size=_SMALLER)
