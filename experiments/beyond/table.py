"""One row per condition and agent: cost, gap, bad slots, speed, with 95 % bootstrap intervals over seeds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.arms import arms
from experiments.beyond.conditions import CASES, DEFAULT, ORACLE
from experiments.beyond.scores import (
    AFTER_MIN,
    MOST_GAP,
    RunScore,
    paired_costs,
    paired_first_slots,
    read_scores,
)
from experiments.failures import Failure
from experiments.figures.style import in_order
from experiments.one_condition import by_preset, refuse_differences
from experiments.results import Run
from experiments.statistics import Centre, alone, interval_columns, mean, median, ratio

Scores = Mapping[str, Mapping[int, RunScore]]
"""Of the runs of a condition, by preset and seed."""

_MEANS = ("late_gap", "worst_gap", "decision_ms", "decision_wall_ms")
_TIMES = ("first_passage_min", "settled_min")


def read(runs: Sequence[Run]) -> dict[str, Scores]:
    """The scores under every condition, by its title; conditions without runs have none.

    Raises:
        UsageError: if runs of several settings would be mixed.
    """
    found: dict[str, Scores] = {}
    for case in CASES:
        named = by_preset(
            arms(
                run
                for run in runs
                if case.condition.holds(run) and run.config["agent"].get("preset") in case.agents
            ),
            case.title,
        )
        ordered = {preset: named[preset] for preset in in_order(named)}
        refuse_differences(ordered, case.title)
        found[case.title] = read_scores(ordered)
    return found


def failed(failures: Iterable[Failure]) -> Counter[tuple[str, str]]:
    """How many runs have failed, by condition and preset."""
    found: Counter[tuple[str, str]] = Counter()
    for one in failures:
        run = Run(Path(), {"config": one.config})
        found.update(
            (case.title, str(one.config["agent"].get("preset")))
            for case in CASES
            if "agent" in one.config and case.condition.holds(run)
        )
    return found


def tabulate(found: Mapping[str, Scores]) -> pd.DataFrame:
    """A row per condition and agent that has runs.

    Args:
        found: from ``read``.

    Returns:
        Columns: condition, unseen, preset, seeds; then, each with ``_low`` and ``_high``:

        - cost (mean over the run), cost_ratio (over the oracle's), first_slot (what the first slot adds to
          that), default_ratio (over the system default's);
        - late_gap, worst_gap, decision_ms, decision_wall_ms: means over seeds of what ``RunScore`` says;
        - dearer, missed, over_slo: shares of the slots after the first ten that cost more than 1.5 times the
          default's, that missed the latency objective while the oracle met it, and that missed it at all;
        - first_passage_min, settled_min: medians, with ``_seeds``, how many got there.

        And how many seeds were first within a gap of 1.5 by minute 60 (within), and stayed so after it
        (stayed); how many there are beside the oracle (oracle_seeds) and beside the default (default_seeds),
        on which ratios and shares rest.
    """
    rows = [
        {"condition": case.title, "unseen": case.unseen, "preset": preset, "seeds": len(mine)}
        | _numbers(found[case.title], preset)
        for case in CASES
        for preset, mine in found[case.title].items()
    ]
    return pd.DataFrame(rows)


def _numbers(scores: Scores, preset: str) -> dict[str, float]:
    mine = scores[preset]
    with_oracle, with_default = (paired_costs(scores, preset, one) for one in (ORACLE, DEFAULT))
    return (
        interval_columns("cost", _series(mine, "cost")[:, None], alone(mean))
        | interval_columns("cost_ratio", with_oracle, ratio(mean))
        | interval_columns("first_slot", paired_first_slots(scores, preset, ORACLE), ratio(mean))
        | interval_columns("default_ratio", with_default, ratio(mean))
        | {"oracle_seeds": len(with_oracle), "default_seeds": len(with_default)}
        | _intervals(mine, _MEANS, mean)
        | _intervals(mine, _TIMES, median)
        | {f"{name}_seeds": _count(_series(mine, name), sys.float_info.max) for name in _TIMES}
        | _share("dearer", scores, preset, DEFAULT)
        | _share("missed", scores, preset, ORACLE)
        | _intervals(mine, ("over_slo",), mean)
        | {
            "within": _count(_series(mine, "first_within_min"), AFTER_MIN),
            "stayed": _count(_series(mine, "worst_gap"), MOST_GAP),
        }
    )


def _series(mine: Mapping[int, RunScore], name: str) -> NDArray[np.float64]:
    return np.array([getattr(one, name) for one in mine.values()], dtype=np.float64)


def _intervals(mine: Mapping[int, RunScore], names: Sequence[str], centre: Centre) -> dict[str, float]:
    columns: dict[str, float] = {}
    for name in names:
        columns |= interval_columns(name, _series(mine, name)[:, None], alone(centre))
    return columns


def _share(name: str, scores: Scores, preset: str, reference: str) -> dict[str, float]:
    """A share that needs the reference's run with the same seed."""
    mine, other = scores[preset], scores.get(reference, {})
    method = f"{name}_share"
    shares = np.array([getattr(mine[seed], method)(other[seed]) for seed in sorted(mine.keys() & other)])
    return interval_columns(name, shares.reshape(-1, 1), alone(mean))


def _count(values: NDArray[np.float64], most: float) -> float:
    """How many are within; NaN where a run cannot say."""
    return np.nan if np.isnan(values).any() else int((values <= most).sum())
