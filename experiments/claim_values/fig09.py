"""Claims about the radius sweep of Fig. 9: how soon Q settles, and how wrong it then is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.arms import Arm, arms
from experiments.claim_values.evidence import Evidence
from experiments.claim_values.outcome import Compute, Missing, Of, Outcome, noted, over_seeds, short
from experiments.claim_values.times import compare_times
from experiments.convergence import HELD, first_passage, settles_q, time_until
from experiments.results import Run
from experiments.statistics import Centre, Statistic, median, ratio
from serving.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RadiusSweep:
    """The radius sweep of Fig. 9.

    Attributes:
        by_radius: arms that differ in radius and seed alone.
        q_learning: the point-based agent under the same conditions, where it has runs.
        left_out: number of other runs of RRL in the figure, made under other settings.
    """

    by_radius: Mapping[float, Arm]
    q_learning: Arm | None
    left_out: int

    @property
    def slots(self) -> int:
        """Length of each run."""
        return int(next(iter(self.by_radius.values())).settings["slots"])

    @property
    def remark(self) -> str:
        """What to say about runs that do not count."""
        return f"{self.left_out} fig09 runs under other settings left out" if self.left_out else ""

    def of_seeds(self, value: Callable[[Run], float], *radii: float) -> Floats:
        """One number of every run, of the seeds that all these radii have; shape (seeds, radii)."""
        found = [self.by_radius[radius].runs if radius in self.by_radius else {} for radius in radii]
        return _paired(value, found)


def radius_sweep(evidence: Evidence) -> RadiusSweep | Missing:
    """The largest set of fig09 runs on Inception V3 without discount that differ in radius and seed alone.

    Without discount (the authors' code has none, the paper gives no value) Q has an end to settle at within
    a run; with 0.9 it still creeps up after thousands of slots, and conv_q measures the run's length.
    """
    mine = [run for run in evidence.of("fig09", "inception_v3") if run.has("diagnostics")]
    try:
        found = sorted(arms(mine), key=lambda arm: json.dumps([arm.conditions, _but_radius(arm)]))
    except UsageError as error:
        return Missing(str(error))
    sets: dict[tuple[str, str], list[Arm]] = defaultdict(list)
    for arm in found:
        fixed = arm.agent.get("radius") is not None and arm.agent.get("preset") != "q_learning"
        if fixed and not arm.agent.get("gamma"):
            sets[arm.conditions, _but_radius(arm)].append(arm)
    if not sets:
        return Missing(
            "no finished run of experiment=fig09 with agent.gamma=0 and diagnostics on inception_v3"
        )
    chosen = max(sets.values(), key=_runs)
    point = [arm for arm in found if arm.agent.get("preset") == "q_learning"]
    same = [arm for arm in point if arm.conditions == chosen[0].conditions]
    return RadiusSweep(
        {float(arm.agent["radius"]): arm for arm in chosen},
        max(same, key=lambda arm: len(arm.runs), default=None),
        sum(map(_runs, sets.values())) - _runs(chosen),
    )


def _but_radius(arm: Arm) -> str:
    return json.dumps({key: value for key, value in arm.agent.items() if key != "radius"}, sort_keys=True)


def _runs(group: Sequence[Arm]) -> int:
    return sum(len(arm.runs) for arm in group)


def _paired(value: Callable[[Run], float], found: Sequence[Mapping[int, Run]]) -> Floats:
    seeds = sorted(set.intersection(*(set(one) for one in found)))
    return np.array([[value(one[seed]) for one in found] for seed in seeds]).reshape(-1, len(found))


def conv_q(run: Run) -> float:
    """Slots until Q stays near its end; infinite for never."""
    return time_until(settles_q, run.table("diagnostics")["q_distance"].to_numpy(dtype=np.float64))


def gap_passes(run: Run) -> float:
    """Slots until the noise-free gap is first small; infinite for never, NaN where the run has no truth."""
    return time_until(first_passage, run.table("slots")["gap"].to_numpy(dtype=np.float64))


def last_error(run: Run) -> float:
    """Prediction error at the end of the run, as Fig. 9 draws it; NaN where the run has no truth."""
    diagnostics = run.table("diagnostics")
    return float(diagnostics["prediction_error"].iloc[-1]) if "prediction_error" in diagnostics else np.nan


def speed_up(radius: float) -> Compute:
    """How many times sooner Q settles with that radius than with radius 0 (ratio of medians over seeds)."""

    def compute(evidence: Evidence) -> Outcome:
        sweep = radius_sweep(evidence)
        if isinstance(sweep, Missing):
            return sweep
        outcome = _faster(sweep, 0.0, radius, _slow_over_fast)
        return noted(outcome, _first_passages(sweep, 0.0, radius), sweep.remark)

    return compute


def _first_passages(sweep: RadiusSweep, slow: float, fast: float) -> str:
    """What the other measure of Fig. 9 says: until the gap to the best configuration is first small."""
    times = sweep.of_seeds(gap_passes, slow, fast)
    if not len(times) or np.isnan(times).any():
        return ""
    before, after = median(times.T)
    return (
        f"by another measure, first passage of the gap, {before:g} slots with radius {slow:g} and {after:g} "
        f"with radius {fast:g} (medians over seeds)"
    )


def _slow_over_fast(centre: Centre) -> Statistic:
    return lambda runs: centre(runs[..., 1]) / centre(runs[..., 0])


def _faster(sweep: RadiusSweep, slow: float, fast: float, of: Of, beside: Floats | None = None) -> Outcome:
    """A statistic of the times of two radii, the faster in series 0."""
    times = sweep.of_seeds(conv_q, fast, slow)
    if not len(times):
        return Missing(f"fig09 has no seed with both radius {slow:g} and radius {fast:g}")
    reached = np.isfinite(times).sum(axis=0)
    counts = ", ".join(
        f"radius {radius:g}: Q settled in {count} of {len(times)} runs of {sweep.slots} slots"
        for radius, count in zip((slow, fast), reached[::-1], strict=True)
    )
    return compare_times(times, of, (1 - HELD) * sweep.slots, counts, beside)


def radius_zero_is_q_learning(evidence: Evidence) -> Outcome:
    """Mean distance of Q to its end over the run: RRL with radius 0 over preset ``q_learning``, same seeds.

    The area under the curve of convergence, which is defined also where no seed settles.
    """
    sweep = radius_sweep(evidence)
    if isinstance(sweep, Missing):
        return sweep
    zero = sweep.by_radius[0.0].runs if 0.0 in sweep.by_radius else {}
    point = sweep.q_learning.runs if sweep.q_learning is not None else {}
    pairs = _paired(_mean_q_distance, [zero, point])
    if not len(pairs):
        return Missing("fig09 has no seed with both RRL at radius 0 and agent=q_learning")
    return over_seeds([pairs], ratio, "area under the curve of Q's distance to its end")


def _mean_q_distance(run: Run) -> float:
    return float(run.table("diagnostics")["q_distance"].mean())


def time_falls_faster_than_error_grows(small: float, large: float) -> Compute:
    """How much sooner Q settles with the larger radius, over how much larger its error then is.

    Medians over seeds; the error is that of the predictions at the end of the run, as Fig. 9 draws it.
    """

    def compute(evidence: Evidence) -> Outcome:
        sweep = radius_sweep(evidence)
        if isinstance(sweep, Missing):
            return sweep
        errors = sweep.of_seeds(last_error, large, small)
        if not len(errors) or np.isnan(errors).any():
            return Missing(f"fig09 has no seed with radius {small:g} and {large:g} and the truth")
        growth = short(over_seeds([errors], ratio, centre=median), "x")
        outcome = _faster(sweep, small, large, _time_over_error, errors)
        return noted(outcome, f"error at radius {large:g} over that at {small:g}: {growth}", sweep.remark)

    return compute


def _time_over_error(centre: Centre) -> Statistic:
    """Series: time with the large radius and with the small one, then the errors in the same order."""
    return lambda runs: (
        centre(runs[..., 1]) / centre(runs[..., 0]) * centre(runs[..., 3]) / centre(runs[..., 2])
    )
