"""The lines by which the evidence is judged, for every learner under every condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.beyond.conditions import CASES, FROM_SCRATCH, LEARNERS, PREPARED
from experiments.claims import MINIMUM_SEEDS
from experiments.pages import counted
from experiments.report.claims import WAITING

HOLDS, UNDECIDED, FAILS = "holds", "undecided", "fails"
VERDICTS = (HOLDS, UNDECIDED, FAILS, WAITING)

Failed = Mapping[tuple[str, str], int]
"""How many runs have failed, by condition and preset."""


@dataclass(frozen=True)
class Finding:
    """A verdict with what it rests on; NaN where there is no number."""

    verdict: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """One of the lines.

    Attributes:
        name: in few words.
        question: what has to hold.
        judge: from a row of ``experiments.beyond.table``.
        seeds: column of such a row: how many seeds that rests on.
    """

    name: str
    question: str
    judge: Callable[[pd.Series], Finding]
    seeds: str = "seeds"


def _at_most(column: str, bound: float) -> Callable[[pd.Series], Finding]:
    """Holds where the whole interval is within the bound, fails where all of it is beyond."""

    def judge(row: pd.Series) -> Finding:
        value, low, high = (float(row[name]) for name in (column, f"{column}_low", f"{column}_high"))
        verdict = HOLDS if high <= bound else FAILS if low > bound else UNDECIDED
        return Finding(verdict, value, low, high)

    return judge


def _below(column: str, bound: float) -> Callable[[pd.Series], Finding]:
    """The same, the bound itself being beyond."""
    return _at_most(column, float(np.nextafter(bound, 0.0)))


def _not_above(column: str, bound: float) -> Callable[[pd.Series], Finding]:
    """Fails only where all of the interval is beyond the bound."""

    def judge(row: pd.Series) -> Finding:
        found = _at_most(column, bound)(row)
        return Finding(FAILS if found.verdict == FAILS else HOLDS, found.value, found.low, found.high)

    return judge


def _all_seeds(column: str) -> Callable[[pd.Series], Finding]:
    """Holds where it does for every seed; the value is the share of them."""

    def judge(row: pd.Series) -> Finding:
        count, seeds = float(row[column]), int(row["seeds"])
        if np.isnan(count):
            return Finding(WAITING)
        verdict = HOLDS if count == seeds else FAILS
        return Finding(verdict, count / seeds, reason=f"{count:.0f} of {seeds} seeds")

    return judge


def _decision_time(row: pd.Series) -> Finding:
    """CPU time where it is known; wall-clock is an upper bound of it: beyond that nothing is known."""
    if not np.isnan(row["decision_ms"]):
        return _at_most("decision_ms", 5.0)(row)
    found = _at_most("decision_wall_ms", 5.0)(row)
    if found.verdict == HOLDS:
        return found
    told = "wall-clock of a busy machine, of runs made before CPU time was recorded"
    return Finding(UNDECIDED, found.value, found.low, found.high, told)


LINES = (
    Line(
        "cost",
        "mean cost over the whole run, learning included, at most 1.25 times the oracle's",
        _at_most("cost_ratio", 1.25),
        "oracle_seeds",
    ),
    Line(
        "gap, first",
        "the noise-free gap (geometric mean over 25 slots) is first at most 1.5 by minute 60, every seed",
        _all_seeds("within"),
    ),
    Line(
        "gap, stays",
        "it is at most 1.5 over any 25 slots in a row after minute 60, every seed",
        _all_seeds("stayed"),
    ),
    Line(
        "default",
        "mean cost over the whole run not significantly above the system default's (paired by seed)",
        _not_above("default_ratio", 1.0),
        "default_seeds",
    ),
    Line(
        "CPU",
        "at most 5 ms of CPU time to decide and learn in the last 100 slots (or of wall-clock, no less)",
        _decision_time,
    ),
    Line(
        "bad slots",
        "less than 1 % of the slots after the first ten cost more than 1.5 times the system default's",
        _below("dearer", 0.01),
        "default_seeds",
    ),
    Line(
        "SLO",
        "less than 1 % of the slots after the first ten miss the latency objective",
        _below("over_slo", 0.01),
    ),
    Line(
        "SLO, as the oracle",
        "less than 1 % of the slots after the first ten miss the latency objective while the oracle meets it",
        _below("missed", 0.01),
        "oracle_seeds",
    ),
)
"""Those of the task, and of safe exploration the last three."""


def judge(table: pd.DataFrame, failed: Failed) -> pd.DataFrame:
    """Every line for every learner under every condition that it can play under.

    Returns:
        Columns: line, condition, unseen, preset, value, low, high, seeds, verdict (of ``VERDICTS``), reason.
    """
    by_place = {(row["condition"], row["preset"]): row for _, row in table.iterrows()}
    rows = []
    for case in CASES:
        for preset in (one for one in case.agents if one in LEARNERS):
            place = case.title, preset
            row = by_place.get(place)
            lost = f"{counted(failed[place], 'run')} failed" if failed.get(place) else ""
            for line in LINES:
                seeds = 0 if row is None else int(row[line.seeds])
                found = _judged(line, row, seeds)
                rows.append(
                    {"line": line.name, "condition": case.title, "unseen": case.unseen, "preset": preset}
                    | {"value": found.value, "low": found.low, "high": found.high}
                    | {"seeds": seeds, "verdict": found.verdict}
                    | {"reason": "; ".join(filter(None, (found.reason, lost)))}
                )
    return pd.DataFrame(rows)


def _judged(line: Line, row: pd.Series | None, seeds: int) -> Finding:
    if row is None:
        return Finding(WAITING, reason="no finished runs: make beyond")
    found = line.judge(row)
    if np.isnan(found.value):
        return Finding(WAITING, reason="its runs, or those it is compared with, cannot say")
    if seeds < MINIMUM_SEEDS:
        few = f"{MINIMUM_SEEDS} seeds for a verdict, there are {seeds}"
        return Finding(WAITING, found.value, found.low, found.high, few)
    return found


def winners(table: pd.DataFrame) -> list[str]:
    """Who is judged: the best of all that begin from scratch, then the best that is prepared, if any."""
    found = [_best(table, among) for among in (FROM_SCRATCH, tuple(PREPARED))]
    return [one for one in found if one is not None]


def _best(table: pd.DataFrame, among: tuple[str, ...]) -> str | None:
    """Least geometric mean of cost ratios, of those with enough runs for a verdict under most conditions."""
    known = table[table["preset"].isin(among) & table["cost_ratio"].notna()]
    if known.empty:
        return None
    scores = known.assign(log=np.log(known["cost_ratio"]), enough=known["oracle_seeds"] >= MINIMUM_SEEDS)
    found = scores.groupby("preset").agg(enough=("enough", "sum"), runs=("log", "size"), mean=("log", "mean"))
    return str(found.sort_values(["enough", "runs", "mean"], ascending=[False, False, True]).index[0])
