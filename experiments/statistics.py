"""Estimates over seeds: means, interquartile means, and the paired stratified bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Centre = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes the last axis (runs) away."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From runs, shape (..., runs, series), to one number each, shape (...)."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: the statistic over all runs.
        low: lower end of the interval.
        high: upper end; infinite where the interval has no upper end.
        seeds: number of seeds it rests on.
        note: what a reader must know about it.
    """

    value: float
    low: float
    high: float
    seeds: int
    note: str = ""


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis."""
    means: NDArray[np.float64] = np.mean(values, axis=-1)
    return means


def median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last axis; infinite entries (never) are allowed and count as the largest."""
    medians: NDArray[np.float64] = np.median(values, axis=-1)
    return medians


def iqm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interquartile mean over the last axis: a quarter (rounded down) is cut off at each end."""
    cut = values.shape[-1] // 4
    return mean(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut])


def reduction_percent(centre: Centre = mean) -> Statistic:
    """By how many percent series 0 (ours) is below series 1 (the baseline); positive where ours is less."""
    return lambda runs: 100 * (1 - centre(runs[..., 0]) / centre(runs[..., 1]))


def ratio(centre: Centre = mean) -> Statistic:
    """Series 0 over series 1; infinity over infinity is NaN."""

    def statistic(runs: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return centre(runs[..., 0]) / centre(runs[..., 1])

    return statistic


def bootstrap(
    strata: Sequence[NDArray[np.float64]],
    statistic: Statistic,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Paired stratified percentile bootstrap.

    Seeds are drawn with replacement within each stratum (condition), never across; all series of a seed
    stay together, because they saw the same requests. Resamples whose statistic is undefined (NaN) widen
    the interval at both ends.

    Args:
        strata: per stratum an array of shape (seeds, series).
        statistic: what to estimate, over the runs of all strata together.
        resamples: number of bootstrap samples.
        level: coverage of the interval.
        seed: of the bootstrap's own generator.

    Returns:
        The statistic with its interval; ``seeds`` is the smallest number in a stratum.
    """
    samples = statistic(np.concatenate(resample(strata, resamples, seed), axis=1))
    low, high = percentile_ends(samples, level)
    return Estimate(
        value=float(statistic(np.concatenate(list(strata)))),
        low=float(low),
        high=float(high),
        seeds=min(len(stratum) for stratum in strata),
    )


def resample(
    strata: Sequence[NDArray[np.float64]], resamples: int, seed: int = 0
) -> list[NDArray[np.float64]]:
    """Draw seeds with replacement within each stratum.

    Args:
        strata: per stratum an array of shape (seeds, series).
        resamples: how often.
        seed: of the generator.

    Returns:
        Per stratum an array of shape (resamples, seeds, series).
    """
    rng = np.random.default_rng(seed)
    return [stratum[rng.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata]


def percentile_ends(
    samples: NDArray[np.float64], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the interval of what was resampled along the first axis; NaN widens it at both ends."""
    tail = (1 - level) / 2
    unknown = np.isnan(samples)
    low = np.quantile(np.where(unknown, -np.inf, samples), tail, axis=0, method="inverted_cdf")
    high = np.quantile(np.where(unknown, np.inf, samples), 1 - tail, axis=0, method="inverted_cdf")
    return low, high


def alone(centre: Centre = mean) -> Statistic:
    """The centre of the one series that there is."""
    return lambda runs: centre(runs[..., 0])


def interval_columns(name: str, runs: NDArray[np.float64], statistic: Statistic) -> dict[str, float]:
    """A statistic of runs, shape (seeds, series), as columns ``<name>``, ``_low`` and ``_high`` of a table.

    All three are NaN without a run, and where a run does not know.
    """
    if not len(runs) or np.isnan(runs).any():
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), np.nan)
    estimate = bootstrap([runs], statistic)
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
