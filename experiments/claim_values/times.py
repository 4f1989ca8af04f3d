"""Claims about the time until an agent converges; never is never, and not the run's length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from experiments.claim_values.evidence import Condition, Evidence
from experiments.claim_values.levels import level
from experiments.claim_values.outcome import (
    AtLeast,
    Compute,
    Missing,
    Of,
    Outcome,
    Refuted,
    noted,
    over_seeds,
)
from experiments.statistics import Centre, Statistic, bootstrap, median, reduction_percent

Floats = NDArray[np.float64]


def minutes(
    condition: Condition, agent: str, presets: Mapping[str, str], time: str = "settled", other: str = ""
) -> Compute:
    """Minutes until something has happened, median over seeds; a bound where most never got there.

    Args:
        condition: which runs.
        agent: the paper's name of it.
        presets: by the paper's names.
        time: of ``RunNumbers``, in slots; by default until the gap to the best configuration is small
            (``experiments.convergence``), and stays so.
        other: another time, for the note.
    """

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {agent: presets[agent]})
        if isinstance(found, Missing):
            return found
        times = found.slot_minutes * found.series(time)
        if np.isnan(times).any():
            return Missing(f"{condition} agent={presets[agent]}: runs without a gap, truth=true adds it")
        length = found.slot_minutes * found.slots
        note = f"{_reached(times[:, 0])} got there in runs of {length:g} min"
        if other:
            note += f"; {_LABELS[other]}: {_middle(found.slot_minutes * found.series(other)[:, 0], 'min')}"
        notes = (note, found.remark)
        if np.isinf(median(times[:, 0])):
            return noted(AtLeast(length, length, len(times), "the median is never"), *notes)
        return noted(over_seeds([times], level, centre=median), *notes)

    return compute


_LABELS = {"first_passage": "first passage", "slo_for_good": "for good"}


def _middle(times: Floats, unit: str) -> str:
    """The median for a note, in words where it is never."""
    middle = float(median(times))
    return f"{'never' if np.isinf(middle) else f'{middle:.4g} {unit}'} ({_reached(times)})"


def _reached(times: Floats) -> str:
    return f"{np.isfinite(times).sum()} of {len(times)} seeds"


def times_faster(
    condition: Condition, ours: str, theirs: tuple[str, ...], presets: Mapping[str, str]
) -> Compute:
    """How many times sooner ours settles than the best of the others (medians over seeds)."""

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {name: presets[name] for name in (ours, *theirs)})
        if isinstance(found, Missing):
            return found
        times = found.series("settled")
        if np.isnan(times).any():
            return Missing(f"{condition}: runs without a gap, truth=true adds it")
        first = found.series("first_passage")
        counts = ", ".join(f"{name} {_reached(times[:, at])}" for at, name in enumerate(found.numbers))
        passages = ", ".join(
            f"{name} {_middle(first[:, at], 'slots')}" for at, name in enumerate(found.numbers)
        )
        outcome = compare_times(times, _best_over_ours, found.slots, f"settled: {counts}")
        return noted(outcome, f"first passage: {passages}", found.remark)

    return compute


def sooner(condition: Condition, ours: str, theirs: str, presets: Mapping[str, str]) -> Compute:
    """By how many percent ours settles sooner than the other (medians over seeds)."""

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {name: presets[name] for name in (ours, theirs)})
        if isinstance(found, Missing):
            return found
        times = found.series("settled")
        if np.isnan(times).any():
            return Missing(f"{condition}: runs without a gap, truth=true adds it")
        counts = ", ".join(f"{name} {_reached(times[:, at])}" for at, name in enumerate(found.numbers))
        outcome = compare_times(times, reduction_percent, found.slots, f"settled: {counts}")
        return noted(outcome, found.remark)

    return compute


def _best_over_ours(centre: Centre) -> Statistic:
    def statistic(runs: Floats) -> Floats:
        others = np.min([centre(runs[..., index]) for index in range(1, runs.shape[-1])], axis=0)
        quotient: Floats = others / centre(runs[..., 0])
        return quotient

    return statistic


def compare_times(times: Floats, of: Of, limit: float, counts: str, beside: Floats | None = None) -> Outcome:
    """A statistic of times that grows with those of the others, ours in series 0, with never spelled out.

    Where the others' median is never, only a bound is known: it comes from counting their never as
    ``limit``. Our never stays never: the bound's interval then has no lower end.

    Args:
        times: infinite for never, shape (seeds, 1 + others).
        of: the statistic, given the average.
        limit: until when runs can say.
        counts: how many seeds got there, for the note.
        beside: further series for the statistic, which are no times, of the same seeds.
    """
    further = np.empty((len(times), 0)) if beside is None else beside
    middle = median(times.T)
    if np.isinf(middle[0]):
        return Refuted(f"half or more of the seeds of the subject never settled ({counts})", len(times))
    if np.isinf(middle[1:]).all():
        censored = np.column_stack([times[:, :1], np.minimum(times[:, 1:], limit), further])
        bound = bootstrap([censored], of(median))
        note = f"half or more of the seeds of the baseline never settled ({counts})"
        return AtLeast(bound.value, bound.low, len(times), note)
    if np.isinf(times).any():
        counts += "; those that never settled count as later than all others, by how much is not known"
    return over_seeds([np.column_stack([times, further])], of, counts, centre=median)
