"""Earlier evidence, kept for agents without runs here: one is added without running all others again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from experiments.beyond.conditions import CASES
from serving.errors import UsageError


def with_kept(
    rows: pd.DataFrame,
    file: Path,
    keys: Sequence[str],
    most: str,
    order: Sequence[str],
    best: str | None = None,
) -> pd.DataFrame:
    """The rows, and of a file those about something else or resting on more, in the order of the evidence.

    Args:
        rows: of the runs that are here.
        file: what was written before, maybe of other runs; nothing is kept where there is none.
        keys: columns that say what a row is about; one is ``preset``.
        most: column that says on how much it rests: of two about the same, those with more stay.
        order: of agents; rows of others are dropped.
        best: of rows that compare with an agent, those with this one are kept.

    Raises:
        UsageError: if the file has other columns.
    """
    if not file.exists():
        return rows
    try:
        before = pd.read_csv(file)
    except (EmptyDataError, ParserError):  # of an evidence without a winner there is nothing to keep
        return rows
    missing = [key for key in (*keys, *rows.columns) if key not in before]
    if missing:
        raise UsageError(f"keep=1: {file} has no column {missing[0]}, expected a file of this program")
    before = before[before["preset"].isin(order)]  # who no longer takes part is not kept
    if "best" in before:
        before = before[before["best"].isna() | (before["best"] == best)]
    both = [part for part in (rows, before) if len(part)]
    if not both:
        return rows
    together = pd.concat(both, ignore_index=True)
    together["here"] = np.arange(len(together)) < len(rows)
    more = together.groupby(list(keys))[most].transform("max") == together[most]
    together = together[more]
    here = together.groupby(list(keys))["here"].transform("any")
    together = together[together["here"] | ~here].drop(columns="here")
    places = {one: place for place, one in enumerate([*(case.title for case in CASES), *order])}
    for value in together[list(keys)].to_numpy().ravel():  # of what has no place, as it came
        places.setdefault(value, len(places))
    return together.sort_values(list(keys), key=lambda column: column.map(places), kind="stable")
