"""Claims that one agent has less of something than another: latency, violations, use of the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.claim_values.evidence import Condition, Evidence
from experiments.claim_values.outcome import Compute, Missing, Of, Outcome, Refuted, noted, over_seeds, short
from experiments.statistics import Centre, Statistic, reduction_percent


def reduction(
    condition: Condition, ours: str, theirs: str, column: str, presets: Mapping[str, str]
) -> Compute:
    """By how many percent a number of ours is below theirs, means over seeds of whole runs.

    Args:
        condition: which runs.
        ours: the paper's name of the agent, likewise ``theirs``.
        theirs: the baseline.
        column: of ``RunNumbers``; ``cost_s`` adds the latency of completed requests alone to the note.
        presets: by the paper's names.
    """

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {name: presets[name] for name in (ours, theirs)})
        if isinstance(found, Missing):
            return found
        outcome = _reduced(found.series(column))
        if column == "cost_s":
            latency = short(_reduced(found.series("latency_s")))
            outcome = noted(outcome, f"a lost request counts as 5 s; completed requests alone: {latency}")
        return noted(outcome, found.remark)

    return compute


def largest_reduction(
    conditions: Mapping[str, Condition], ours: str, theirs: str, column: str, presets: Mapping[str, str]
) -> Compute:
    """The largest of the conditions' reductions ("up to"), its interval that of the largest.

    Every resample takes the largest anew, so that the interval allows for the choice.

    Args:
        conditions: by name for the reader.
        ours: as in ``reduction``, likewise all others.
        theirs: see there.
        column: see there.
        presets: see there.
    """

    def compute(evidence: Evidence) -> Outcome:
        strata: dict[str, NDArray[np.float64]] = {}
        for name, condition in conditions.items():
            found = evidence.compare(condition, {agent: presets[agent] for agent in (ours, theirs)})
            if isinstance(found, Missing):
                return found
            strata[name] = found.series(column)
        with_baseline = {name: runs for name, runs in strata.items() if runs[:, 1].mean() > 0}
        if not with_baseline:
            return _nothing(next(iter(strata.values())))
        each = {name: _reduced(runs) for name, runs in strata.items()}
        said = ", ".join(f"{name} {short(outcome)}" for name, outcome in each.items())
        runs = list(with_baseline.values())
        return over_seeds(
            runs,
            _largest([len(one) for one in runs]),
            f"the largest (of noisy values: it leans upwards) of {said}",
        )

    return compute


def _reduced(pairs: NDArray[np.float64]) -> Outcome:
    if np.isnan(pairs).any():
        return Missing("runs without a value in every seed")
    return over_seeds([pairs], reduction_percent) if pairs[:, 1].mean() > 0 else _nothing(pairs)


def _nothing(pairs: NDArray[np.float64]) -> Refuted:
    return Refuted("the baseline has none: nothing to reduce", len(pairs))


def _largest(sizes: Sequence[int]) -> Of:
    """The largest reduction of strata that lie one below the other, so many runs each."""
    edges = np.cumsum(sizes)[:-1]

    def of(centre: Centre) -> Statistic:
        reduced = reduction_percent(centre)
        return lambda runs: np.max([reduced(one) for one in np.split(runs, edges, axis=-2)], axis=0)

    return of
