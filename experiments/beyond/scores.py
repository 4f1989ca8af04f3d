"""What the evidence asks of one run, learning included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.arms import Arm
from experiments.beyond.conditions import ORACLE
from experiments.beyond.gaps import Gaps
from experiments.claim_values import slo
from experiments.convergence import first_passage, settles, time_until, windowed_gap
from experiments.results import Run

Floats = NDArray[np.float64]

FREE_SLOTS = 10  # in which anything may be played
AFTER_MIN = 60.0
MOST_GAP = 1.5  # from then on
TOLERATED = 1.5  # times the system default's cost
_LATE_SLOTS = 100  # of which the time of a decision is told


@dataclass(frozen=True)
class RunScore:
    """One run in numbers. NaN is what the run cannot say, infinite is never.

    Attributes:
        costs: cost of every slot, in the objective's unit, shape (slots,); NaN for a slot without requests.
        met: whether every slot kept the latency objective, shape (slots,): 1, 0, or NaN.
        cost: mean over all slots.
        late_gap: geometric mean of the noise-free gap over the slots after ``AFTER_MIN``.
        worst_gap: the largest geometric mean over 25 slots of these, of those windows that are known.
        first_passage_min: until the geometric mean of the gap over 25 slots is first at most 1.25.
        settled_min: until it is so for good.
        first_within_min: until it is first at most ``MOST_GAP``.
        decision_ms: CPU time of deciding and learning, median over the last 100 slots.
        decision_wall_ms: likewise wall-clock, which older runs have alone.
    """

    costs: Floats
    met: Floats
    cost: float
    late_gap: float
    worst_gap: float
    first_passage_min: float
    settled_min: float
    first_within_min: float
    decision_ms: float
    decision_wall_ms: float

    @staticmethod
    def of(run: Run, gaps: Gaps) -> RunScore:
        """Read a finished run."""
        slots = run.table("slots")
        gap = gaps.of(slots)
        late = gap[slots["minute"].to_numpy() >= AFTER_MIN]
        costs = slots["cost"].to_numpy(dtype=np.float64)
        slot_min = float(run.config["slot_s"]) / 60
        return RunScore(
            costs=costs,
            met=slo.met(slots),
            cost=float(np.nanmean(costs)),
            late_gap=_geometric_mean(late),
            worst_gap=_worst(late),
            first_passage_min=slot_min * time_until(first_passage, gap),
            settled_min=slot_min * time_until(settles, gap),
            first_within_min=slot_min * time_until(lambda one: first_passage(one, MOST_GAP), gap),
            decision_ms=_decision_ms(run, "agent_cpu_s"),
            decision_wall_ms=_decision_ms(run, "agent_act_s", "agent_learn_s"),
        )

    def dearer_share(self, default: RunScore) -> float:
        """Share of the slots after the free ones that cost more than ``TOLERATED`` times the default's."""
        return _share(self.costs > TOLERATED * default.costs, ~np.isnan(self.costs + default.costs))

    def missed_share(self, oracle: RunScore) -> float:
        """Share of the slots after the free ones that missed the latency objective, which the oracle met."""
        return _share((self.met == 0) & (oracle.met == 1), ~np.isnan(self.met + oracle.met))

    @property
    def over_slo(self) -> float:
        """Share of the slots after the free ones that missed the latency objective."""
        return _share(self.met == 0, ~np.isnan(self.met))


def read_scores(arms: Mapping[str, Arm]) -> dict[str, dict[int, RunScore]]:
    """The scores of all runs of a condition, by preset and seed."""
    oracle = arms.get(ORACLE)
    found = {}
    for preset, arm in arms.items():
        gaps = Gaps(arm, alike=oracle is not None and arm.settings["system"] == oracle.settings["system"])
        found[preset] = {seed: RunScore.of(run, gaps) for seed, run in arm.runs.items()}
    return found


def paired_costs(
    scores: Mapping[str, Mapping[int, RunScore]], preset: str, reference: str
) -> NDArray[np.float64]:
    """Mean costs of an agent and of a reference with the same seeds, shape (seeds, 2)."""
    pairs = [(mine.cost, other.cost) for mine, other in _same_seeds(scores, preset, reference)]
    return np.array(pairs).reshape(-1, 2)


def paired_first_slots(
    scores: Mapping[str, Mapping[int, RunScore]], preset: str, reference: str
) -> NDArray[np.float64]:
    """What the first slot alone adds to a mean cost, and that of a reference, with the same seeds.

    Returns:
        Shape (seeds, 2). A learner's first configuration is drawn: whatever it does afterwards, the ratio of
        its mean cost to the reference's is larger by the ratio of these two than without that slot.
    """
    pairs = [
        ((mine.costs[0] - other.costs[0]) / len(mine.costs), other.cost)
        for mine, other in _same_seeds(scores, preset, reference)
    ]
    return np.array(pairs).reshape(-1, 2)


def _same_seeds(
    scores: Mapping[str, Mapping[int, RunScore]], preset: str, reference: str
) -> list[tuple[RunScore, RunScore]]:
    one, other = scores.get(preset, {}), scores.get(reference, {})
    return [(one[seed], other[seed]) for seed in sorted(one.keys() & other)]


def _share(bad: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    counted = known[FREE_SLOTS:]
    return float(bad[FREE_SLOTS:][counted].mean()) if counted.any() else np.nan


def _geometric_mean(gap: Floats) -> float:
    known = gap[~np.isnan(gap)]
    return float(np.exp(np.log(known).mean())) if len(known) else np.nan


def _worst(gap: Floats) -> float:
    """The largest mean over 25 slots; NaN where a gap is missing and what is known is within the bound."""
    windows = windowed_gap(gap)
    known = windows[~np.isnan(windows)]
    if not len(known) or (len(known) < len(windows) and known.max() <= MOST_GAP):
        return np.nan
    return float(known.max())


def _decision_ms(run: Run, *columns: str) -> float:
    if not run.has("timings"):
        return np.nan
    timings = run.table("timings").tail(_LATE_SLOTS)
    if not set(columns) <= set(timings):
        return np.nan
    return 1000 * float(timings[list(columns)].sum(axis=1).median())
