"""What a computation can say about a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.statistics import Centre, Estimate, Statistic, bootstrap, iqm, mean

if TYPE_CHECKING:
    from experiments.claim_values.evidence import Evidence


@dataclass(frozen=True)
class Missing:
    """Why a claim has no value yet: what has to be run."""

    reason: str


@dataclass(frozen=True)
class Refuted:
    """Why a claim fails without a number: what it says would happen did not happen in most runs."""

    reason: str
    seeds: int


@dataclass(frozen=True)
class AtLeast:
    """A value of which only a lower bound is known: what it waits for never happened within the runs.

    Attributes:
        bound: the value is above it.
        low: lower end of the bound's interval.
        seeds: number of seeds it rests on.
        note: what never happened, in how many seeds.
    """

    bound: float
    low: float
    seeds: int
    note: str


@dataclass(frozen=True)
class Measured:
    """A value.

    Attributes:
        estimate: of the mean over seeds, of times the median; with its interval.
        iqm: the same of the interquartile mean; None where there are no seeds.
        note: what a reader must know about it.
        exhaustive: whether it comes from a table, so that it rests on no seeds and needs none for a verdict.
    """

    estimate: Estimate
    iqm: Estimate | None = None
    note: str = ""
    exhaustive: bool = False


Outcome = Measured | AtLeast | Refuted | Missing
Compute = Callable[["Evidence"], Outcome]
Of = Callable[[Centre], Statistic]
"""From how to average over seeds (mean, median, interquartile mean) to the statistic."""


def over_seeds(
    strata: Sequence[NDArray[np.float64]], of: Of, note: str = "", centre: Centre = mean
) -> Measured:
    """Bootstrap a statistic over seeds, once with ``centre`` and once with the interquartile mean.

    Args:
        strata: per condition an array of shape (seeds, series).
        of: the statistic, given how to average.
        note: see ``Measured``.
        centre: the average of the value proper.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return Measured(bootstrap(strata, of(centre)), bootstrap(strata, of(iqm)), note)


def noted(outcome: Outcome, *notes: str) -> Outcome:
    """The same outcome with further remarks, separated by semicolons."""
    if isinstance(outcome, Missing | Refuted):
        return replace(outcome, reason="; ".join(filter(None, [outcome.reason, *notes])))
    return replace(outcome, note="; ".join(filter(None, [outcome.note, *notes])))


def short(outcome: Outcome, unit: str = "%") -> str:
    """An outcome in a few characters, for the notes of another."""
    if isinstance(outcome, Measured):
        one = outcome.estimate
        return f"{one.value:.3g} {unit} [{one.low:.3g}, {one.high:.3g}]"
    if isinstance(outcome, AtLeast):
        return f"above {outcome.bound:.3g} {unit}"
    return "no value"
