"""Claims about one number of an agent's runs, or of several agents' together: shares, points, variances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from experiments.claim_values.evidence import Compared, Condition, Evidence
from experiments.claim_values.outcome import Compute, Missing, Outcome, noted, over_seeds
from experiments.statistics import Centre, Statistic, median, ratio

Floats = NDArray[np.float64]


def level(centre: Centre) -> Statistic:
    """The average of series 0 itself."""
    return lambda runs: centre(runs[..., 0])


def share_of_slots(condition: Condition, agent: str, presets: Mapping[str, str]) -> Compute:
    """Percent of the slots of a whole run that meet the SLO (``slo.met``), mean over seeds."""

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {agent: presets[agent]})
        if isinstance(found, Missing):
            return found
        over = float(found.series("violation_percent").mean())
        note = f"whole run, learning included; of all requests {over:.3g} % were over the SLO or lost"
        return noted(over_seeds([found.series("met_percent")], level, note), found.remark)

    return compute


def after_rises(condition: Condition, agent: str, presets: Mapping[str, str]) -> Compute:
    """Percentage points of ``slo.more_violations_after_rises``, mean over the seeds whose load rises."""

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, {agent: presets[agent]})
        if isinstance(found, Missing):
            return found
        points = found.series("rise_points")
        known = points[~np.isnan(points[:, 0])]
        if not len(known):
            return Missing(f"{condition}: runs whose load rises")
        note = "the 25 slots from each rise of the load on against all others from its first change on"
        if len(known) < len(points):
            note += f"; {len(points) - len(known)} seeds without a rise left out"
        return noted(over_seeds([known], level, note), found.remark)

    return compute


def come_to_meet_for_good(condition: Condition, presets: Mapping[str, str]) -> Compute:
    """Percent of the agents that meet the SLO over every window of 25 slots from some time on to the end.

    Of every seed the share of the agents, mean over seeds; how soon is in the note, since the paper's
    "short" has no number.
    """

    def compute(evidence: Evidence) -> Outcome:
        found = evidence.compare(condition, presets)
        if isinstance(found, Missing):
            return found
        times = found.series("slo_for_good")
        percent = 100 * np.isfinite(times).mean(axis=1, keepdims=True)
        said = ", ".join(_soon(found, times[:, at], name) for at, name in enumerate(found.numbers))
        return noted(over_seeds([percent], level, said), found.remark)

    return compute


def _soon(found: Compared, times: Floats, name: str) -> str:
    middle = float(median(times))
    when = "never" if np.isinf(middle) else f"{found.slot_minutes * middle:.4g} min"
    return f"{name} {np.isfinite(times).sum()} of {len(times)} seeds (median {when})"


def variation_ratio(one: Condition, other: Condition, agent: str, presets: Mapping[str, str]) -> Compute:
    """Squared coefficient of variation of the slots' mean latencies under one condition over another.

    Variance over squared mean, because the means differ; over whole runs, learning included.
    """

    def compute(evidence: Evidence) -> Outcome:
        series: list[dict[int, float]] = []
        for condition in (one, other):
            found = evidence.compare(condition, {agent: presets[agent]})
            if isinstance(found, Missing):
                return found
            values = found.series("squared_variation")[:, 0].tolist()
            series.append(dict(zip(found.arms[agent].runs, values, strict=True)))
        seeds = sorted(series[0].keys() & series[1].keys())
        if not seeds:
            return Missing(f"{one} and {other} have no seed in common")
        pairs = np.array([[values[seed] for values in series] for seed in seeds])
        return over_seeds([pairs], ratio, "over the slots of a run, learning included")

    return compute
