"""The table of agents for readers: few columns, intervals in brackets, *never* spelled out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from experiments.pages import markdown_table

LEGEND = (
    "Per run, learning included; values are means over seeds (of times: medians), in brackets 95 % "
    "bootstrap intervals over seeds. Cost: mean over slots of the objective, here mean latency with every "
    "lost request counted as 5 s; late: over the last quarter of the slots. Median latency: of all completed "
    "requests. First passage, settled: slots until the noise-free gap to the best configuration, geometric "
    "mean over 25 slots, is first at most 1.25, and stays so to the end, with how many seeds got there; "
    "`never` where half of the seeds or more did not. Drained: slots not learned from."
)
_NAMES = {
    "cost_s": "cost (s)",
    "late_cost_s": "late cost (s)",
    "mean_latency_s": "mean latency (s)",
    "median_latency_s": "median latency (s)",
    "first_passage": "first passage (slots)",
    "settled": "settled (slots)",
    "drained_slots": "drained (slots)",
}
_GROUP = ("workload", "model", "system", "hardware", "boundary")


def conditions(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each condition, with its name."""
    for names, rows in table.groupby([*_GROUP, "objective"], sort=False):
        workload, model, system, hardware, boundary, objective = names
        yield (
            f"{workload}: {model} on {system} ({hardware}), queue {boundary}, objective {objective}, "
            f"{rows['slots'].iloc[0]} slots",
            rows,
        )


def readable(rows: pd.DataFrame, by: str = "", reference: str = "oracle") -> pd.DataFrame:
    """The rows of one condition as text; columns that say nothing are left out."""
    text = pd.DataFrame({"agent": rows["preset"], "settings": rows["settings"].fillna("")})
    if by:
        text[by] = rows[by]
    text["seeds"] = rows["seeds"].astype(str)
    for name, title in _NAMES.items():
        if rows[name].notna().any() and not (name == "drained_slots" and (rows[name] == 0).all()):
            text[title] = [shown(row, name) for _, row in rows.iterrows()]
    if rows["cost_ratio"].notna().any():
        text[f"cost over {f'{by}=' if by else ''}{reference}"] = [
            shown(row, "cost_ratio") for _, row in rows.iterrows()
        ]
    return text


def shown(row: pd.Series, name: str) -> str:
    """A number with its interval; of a time (``<name>_seeds`` says how many got there) *never* in words."""
    value, low, high = (row[column] for column in (name, f"{name}_low", f"{name}_high"))
    if np.isnan(value):
        return ""
    reached = f"; {int(row[f'{name}_seeds'])} of {row['seeds']}" if f"{name}_seeds" in row else ""
    if np.isinf(value):
        return f"never ({reached.removeprefix('; ')})"
    if row["seeds"] == 1:
        return f"{_number(value)} (one seed)"
    return f"{_number(value)} ({_number(low)} to {_number(high)}{reached})"


def _number(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def markdown(table: pd.DataFrame, command: str, by: str = "", reference: str = "oracle") -> str:
    """The whole table as Markdown.

    Args:
        table: from ``experiments.compare.compare``.
        command: what made it, for the reader.
        by: see there; likewise ``reference``.
        reference: see there.
    """
    parts = [f"Made by `{command}`. {LEGEND}"]
    for name, rows in conditions(table):
        text = readable(rows, by, reference)
        parts += [f"## {name}", markdown_table(text)]
    return "\n\n".join(parts) + "\n"
