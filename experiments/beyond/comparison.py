"""All conditions together: performance profiles and the probability of improvement.

After Agarwal et al., "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS 2021),
with the bootstrap over seeds, stratified by condition. Their library (rliable) is not among our
dependencies: these are a few lines of numpy beside ``experiments.statistics``. A run's score is its mean cost
over that of the oracle with the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.beyond.conditions import ORACLE
from experiments.beyond.scores import paired_costs
from experiments.beyond.table import Scores
from experiments.statistics import percentile_ends, resample

Floats = NDArray[np.float64]

RESAMPLES = 2000
TAU: Floats = np.concatenate([np.linspace(1.0, 1.3, 31), np.geomspace(1.31, 30.0, 50)])


def profile(strata: Sequence[Floats], tau: Floats = TAU) -> tuple[Floats, Floats, Floats]:
    """Share of runs with a score of at most tau, and the ends of its 95 % interval, each of shape (tau,).

    Args:
        strata: per condition the scores of its runs, shape (seeds,).
        tau: ascending scores.
    """
    drawn = np.concatenate(resample([one[:, None] for one in strata], RESAMPLES), axis=1)[..., 0]
    samples = np.stack([(drawn <= most).mean(axis=1) for most in tau], axis=1)
    scores = np.concatenate(list(strata))
    low, high = percentile_ends(samples)
    return (scores[:, None] <= tau).mean(axis=0), low, high


def improvement(strata: Sequence[Floats]) -> tuple[float, float, float]:
    """Probability that a run of one agent scores less than a run of another, with its 95 % interval.

    Within a condition every run of the one is compared with every run of the other, a tie being half of
    an improvement; conditions count alike.

    Args:
        strata: per condition the scores of both agents, shape (seeds, 2).
    """
    value = float(np.mean([_less(one) for one in strata]))
    low, high = percentile_ends(np.mean([_less(one) for one in resample(strata, RESAMPLES)], axis=0))
    return value, float(low), float(high)


def _less(runs: Floats) -> Floats:
    """From shape (..., seeds, 2) to (...)."""
    one, other = runs[..., 0, None], runs[..., None, :, 1]
    less: Floats = ((one < other) + 0.5 * (one == other)).mean(axis=(-2, -1))
    return less


def ratios(scores: Scores, preset: str) -> Floats:
    """Scores of an agent's runs under one condition, shape (seeds,)."""
    pairs = paired_costs(scores, preset, ORACLE)
    return pairs[:, 0] / pairs[:, 1]


def profiles(found: Mapping[str, Scores], presets: Iterable[str]) -> pd.DataFrame:
    """The profile of every agent over all conditions in which it has runs beside an oracle's.

    Returns:
        Columns: preset, tau, value, low, high, conditions (how many).
    """
    parts = []
    for preset in presets:
        strata = [one for scores in found.values() if len(one := ratios(scores, preset))]
        if strata:
            value, low, high = profile(strata)
            numbers: dict[str, Any] = {"tau": TAU, "value": value, "low": low, "high": high}
            parts.append(pd.DataFrame({"preset": preset} | numbers | {"conditions": len(strata)}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def improvements(found: Mapping[str, Scores], best: str, presets: Iterable[str]) -> pd.DataFrame:
    """Probability that the best agent scores less than each of the others, on the seeds that both have.

    Returns:
        Columns: best, preset, value, low, high, conditions (how many both have).
    """
    rows = []
    for preset in presets:
        strata = [
            one for scores in found.values() if preset != best and len(one := _both(scores, best, preset))
        ]
        if strata:
            value, low, high = improvement(strata)
            numbers = {"value": value, "low": low, "high": high, "conditions": len(strata)}
            rows.append({"best": best, "preset": preset} | numbers)
    return pd.DataFrame(rows)


def _both(scores: Scores, one: str, other: str) -> Floats:
    oracle = scores.get(ORACLE, {})
    seeds = sorted(set.intersection(*(set(scores.get(preset, {})) for preset in (one, other, ORACLE))))
    return np.array(
        [[scores[preset][seed].cost / oracle[seed].cost for preset in (one, other)] for seed in seeds]
    ).reshape(-1, 2)
