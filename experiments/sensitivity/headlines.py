"""The headline claims of the study: which runs each compares, and how it is valued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from experiments.claim_values.outcome import Missing, Refuted
from experiments.convergence import settles, settles_q
from experiments.results import Run
from experiments.sensitivity.conditions import FIXED, PUBLISHED, TUNED, Condition
from experiments.statistics import Estimate, Statistic, bootstrap, mean, median, ratio, reduction_percent

Metric = Callable[[Run], float]
"""One number of a run; infinite for a time that was never reached."""

Outcome = Estimate | Refuted | Missing
"""What can be said of a claim under a condition."""

Compare = Callable[[NDArray[np.float64]], Outcome]
"""Ours and the other's numbers by seed, shape (seeds, 2), to the claim's value."""


def cost(run: Run) -> float:
    """Mean over slots of the objective, learning included."""
    return float(run.table("slots")["cost"].mean())


def settled(run: Run) -> float:
    """Slots until the gap to the best configuration stays within 25 %; NaN without a table of the truth."""
    gap = run.table("slots")["gap"].to_numpy(dtype=np.float64)
    return np.nan if np.isnan(gap).all() else _time(settles(gap))


def settled_q(run: Run) -> float:
    """Slots until the Q table stays within 10 % of where it ends."""
    return _time(settles_q(run.table("diagnostics")["q_distance"].to_numpy(dtype=np.float64)))


def _time(slots: int | None) -> float:
    return np.inf if slots is None else float(slots)


def utilisation(run: Run) -> float:
    """Mean over slots of the busy share of the cores."""
    return float(run.table("slots")["cpu_utilisation"].mean())


def less(pairs: NDArray[np.float64]) -> Outcome:
    """By how many percent our mean is below the other's."""
    return bootstrap([pairs], reduction_percent(mean))


def _of_times(statistic: Statistic, settles: bool, pairs: NDArray[np.float64]) -> Outcome:
    """A statistic of median times; a median that is never reached has no number and gets none.

    ``settles``: the claim says that ours does, and fails where it does not, whatever the other does.
    """
    ours, others = np.isinf(median(pairs.T))
    reached = "ours {} and the other {} of {} seeds".format(*np.isfinite(pairs).sum(axis=0), len(pairs))
    if ours and others and not settles:
        return Missing(f"neither settles in most runs: {reached}")
    if ours:
        return Refuted(f"ours does not settle in most runs: {reached}", len(pairs))
    if others:
        return Missing(f"ours settles, the other does not in most runs, so there is no number: {reached}")
    return bootstrap([pairs], statistic)


def _times_sooner(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    return ratio(median)(pairs[..., ::-1])


sooner = partial(_of_times, reduction_percent(median), True)
"""By how many percent our median time is below the other's."""

times_sooner = partial(_of_times, _times_sooner, False)
"""How many times our median time fits into the other's."""


@dataclass(frozen=True)
class World:
    """Settings that the runs of a claim share, beside ``experiment=sensitivity``.

    Attributes:
        overrides: of hydra.
        model: as in conf/model.
        only: the choices that are varied here; empty for all but those in ``never``.
        never: choices that do not matter here.
    """

    overrides: tuple[str, ...]
    model: str = "inception_v3"
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ("busy-waiting",)  # it costs utilisation, not speed

    def varies(self, condition: Condition) -> bool:
        """Whether the condition's choice is varied here."""
        return condition.choice in self.only if self.only else condition.choice not in self.never


WIKI = World(("workload=wiki",))
DYNAMIC = World(("workload=dynamic",))
STEADY = World(  # Fig. 9 (conf/experiment/fig09.yaml)
    (
        "workload=constant",
        "workload.mean_rps=14.0",
        "load_bins=1",
        "slots=3000",
        "estimates=true",
        "truth=false",
    ),
    never=("busy-waiting", "load seen", "load bins"),
)
SAVING = World(  # Fig. 15 (d, e, f)
    ("workload=dynamic", "model=inception_resnet_v2", "objective=min_resource", "truth=false"),
    model="inception_resnet_v2",
    only=("busy-waiting",),
)


@dataclass(frozen=True)
class Player:
    """An agent: a preset, and what is changed in it for a claim."""

    preset: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """A column of the figure.

    Attributes:
        heading: what is compared with what.
        name: where, or how.
        world: settings of the runs.
        ours: whose claim it is.
        other: whom it is compared with.
        claim: of the catalogue, whose value and unit count; empty where the paper gives no number.
        metric: number of a run.
        compare: value of the claim.
        settings: ``published`` or ``tuned``.
    """

    heading: str
    name: str
    world: World
    ours: Player
    other: Player
    claim: str
    metric: Metric = cost
    compare: Compare = less
    settings: str = "published"

    def judged_under(self, condition: Condition) -> bool:
        """Whether this is the base, or a condition that can give another value than the base."""
        if not condition.choice:
            return True
        changed = condition.changes(self.ours.preset) or condition.changes(self.other.preset)
        return changed and self.world.varies(condition)


def _against(heading: str, place: int, claims: dict[str, tuple[World, str]]) -> list[Headline]:
    return [
        Headline(heading, name, world, Player(trio[0]), Player(trio[place]), claim, settings=settings)
        for name, (world, claim) in claims.items()
        for settings, trio in (("published", PUBLISHED), ("tuned", TUNED))
    ]


_PLUS, _RRL = Player(PUBLISHED[0]), Player(FIXED)
_ONE, _ZERO = (Player(FIXED, ("agent.gamma=0.0", f"agent.radius={radius}")) for radius in (1.0, 0.0))

HEADLINES: tuple[Headline, ...] = (
    *_against("cost below CAPES", 1, {"WiKi": (WIKI, "C022"), "Dynamic": (DYNAMIC, "C024")}),
    *_against("cost below DeepRM", 2, {"WiKi": (WIKI, "C023"), "Dynamic": (DYNAMIC, "C025")}),
    Headline("cost below default", "WiKi", WIKI, _PLUS, Player("tf_default"), ""),
    Headline("cost below default", "Dynamic", DYNAMIC, _PLUS, Player("tf_default"), ""),
    Headline("against RRL, radius 3", "cost, WiKi", WIKI, _PLUS, _RRL, "C018"),
    Headline("against RRL, radius 3", "cost, Dynamic", DYNAMIC, _PLUS, _RRL, "C018"),
    Headline("against RRL, radius 3", "settles, WiKi", WIKI, _PLUS, _RRL, "C017", settled, sooner),
    Headline("radius 1 on 0", "settles", STEADY, _ONE, _ZERO, "C015", settled_q, times_sooner),
    Headline("CPU saved", "CAPES", SAVING, _PLUS, Player(PUBLISHED[1]), "C048", utilisation),
    Headline("CPU saved", "DeepRM", SAVING, _PLUS, Player(PUBLISHED[2]), "C049", utilisation),
)
"""RRL Plus throughout, but for the speed of radius 1. Fig. 10 names no workload: cost is compared on both."""
