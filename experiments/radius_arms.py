"""The arms of Fig. 10: RRL with each fixed radius, and RRL Plus, in two families of presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.arms import Arm, RunSummary, arms, differing
from experiments.results import Run
from serving.errors import UsageError

FAMILIES = {"paper": ("rrl_paper", "rrl_plus_paper"), "robust": ("rrl", "rrl_plus")}
"""Presets with a fixed and with an adaptive radius; within a family all else is the same."""


@dataclass(frozen=True)
class Family:
    """The arms of one family, all under the same conditions.

    Attributes:
        fixed: RRL by radius.
        adaptive: RRL Plus by credit.
    """

    fixed: Mapping[float, Arm]
    adaptive: Mapping[str, Arm]

    @property
    def slots(self) -> int:
        """Length of each run."""
        some = next(iter([*self.fixed.values(), *self.adaptive.values()]))
        return int(some.settings["slots"])

    @cached_property
    def fixed_summaries(self) -> Mapping[float, dict[int, RunSummary]]:
        """What the runs came to, by radius and seed."""
        return {radius: arm.summaries() for radius, arm in self.fixed.items()}

    @cached_property
    def adaptive_summaries(self) -> Mapping[str, dict[int, RunSummary]]:
        """What the runs came to, by credit and seed."""
        return {credit: arm.summaries() for credit, arm in self.adaptive.items()}

    def best_radius(self) -> float:
        """The fixed radius with the least mean cost over its seeds: chosen in hindsight."""
        costs = {
            radius: float(np.mean([one.cost_s for one in runs.values()]))
            for radius, runs in self.fixed_summaries.items()
        }
        return min(costs, key=lambda radius: costs[radius])


def families(runs: Sequence[Run]) -> dict[str, Family]:
    """The families that have runs; runs of other presets are passed over.

    Raises:
        UsageError: if runs differ in anything but preset, radius, credit and seed.
    """
    found: dict[str, Family] = {}
    for name, (fixed, adaptive) in FAMILIES.items():
        fixed_arms = arms(run for run in runs if run.config["agent"].get("preset") == fixed)
        adaptive_arms = arms(run for run in runs if run.config["agent"].get("preset") == adaptive)
        mine = fixed_arms + adaptive_arms
        _refuse_mixtures(fixed_arms, lambda key: key == "agent.radius")
        _refuse_mixtures(adaptive_arms, lambda key: key == "agent.credit")
        _refuse_mixtures(mine, lambda key: key.startswith("agent."))
        if mine:
            found[name] = Family(
                fixed={float(arm.agent["radius"]): arm for arm in sorted(fixed_arms, key=_radius)},
                adaptive={str(arm.agent["credit"]): arm for arm in adaptive_arms},
            )
    return found


def _radius(arm: Arm) -> float:
    return float(arm.agent["radius"])


def _refuse_mixtures(mine: Sequence[Arm], may_differ: Callable[[str], bool]) -> None:
    for arm in mine:
        keys = [key for key in differing(mine[0], arm) if not may_differ(key)]
        if keys:
            raise UsageError(
                f"runs of {mine[0].agent['preset']} and {arm.agent['preset']} differ in {keys}, "
                "expected a folder of runs that share them"
            )
