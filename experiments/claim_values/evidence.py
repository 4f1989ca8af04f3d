"""The finished runs that the claims rest on: which run belongs to which claim, each read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.arms import Arm, arms
from experiments.claim_values.outcome import Missing
from experiments.claim_values.run_numbers import RunNumbers
from experiments.results import Run
from serving.errors import UsageError

PRESETS: Mapping[str, Mapping[str, str]] = {
    "published": {"RRL Plus": "rrl_plus_paper", "CAPES": "capes_published", "DeepRM": "deeprm"},
    "tuned": {"RRL Plus": "rrl_plus_tuned", "CAPES": "capes_tuned", "DeepRM": "deeprm_tuned"},
}
"""The agents that the paper compares, as it writes them (or they were published), and after equal tuning."""


@dataclass(frozen=True)
class Condition:
    """What the paper measured under: which experiment's runs, and which of them.

    Attributes:
        experiment: name of the experiment.
        workload: name of the arrival process.
        model: of which network.
        system: ``sim_cpu`` or ``sim_gpu``.
    """

    experiment: str
    workload: str
    model: str = "inception_v3"
    system: str = "sim_cpu"

    def holds(self, run: Run) -> bool:
        """Whether the run is one of them."""
        config = run.config
        if config["experiment_name"] != self.experiment:
            return False
        names = (config["workload"]["name"], config["model"]["name"], config["system"].get("name"))
        return names == (self.workload, self.model, self.system)

    def __str__(self) -> str:
        where = f"workload={self.workload} model={self.model} system={self.system}"
        return f"experiment={self.experiment} {where}"


@dataclass(frozen=True)
class Compared:
    """Agents under the same conditions with the same seeds.

    Attributes:
        arms: by the paper's name of the agent.
        numbers: of the seeds that all have, in order, by the same names.
        left_out: number of runs of these agents made under other settings.
    """

    arms: Mapping[str, Arm]
    numbers: Mapping[str, Sequence[RunNumbers]]
    left_out: int

    def series(self, name: str) -> NDArray[np.float64]:
        """One number of every run, shape (seeds, agents)."""
        return np.array([[getattr(run, name) for run in runs] for runs in self.numbers.values()]).T

    @property
    def slots(self) -> int:
        """Length of each run."""
        return _slots(self.arms)

    @property
    def slot_minutes(self) -> float:
        """Length of a slot."""
        return float(self._settings["slot_s"]) / 60

    @property
    def remark(self) -> str:
        """What to say about runs that do not count."""
        return f"{self.left_out} runs under other settings left out" if self.left_out else ""

    @property
    def _settings(self) -> Mapping[str, float]:
        return next(iter(self.arms.values())).settings


@dataclass(frozen=True)
class Evidence:
    """Finished runs; what is read of them is kept.

    Attributes:
        runs: in any order.
        studies: folder of the tables of studies that have no runs.
        asked: experiments whose runs somebody wanted so far, whether there were any or not.
        lengths: slots of the runs that ``compare`` chose since somebody emptied it, by experiment.
    """

    runs: Sequence[Run]
    studies: Path = Path("results/figures")
    asked: set[str] = field(default_factory=set, repr=False)
    lengths: dict[str, int] = field(default_factory=dict, repr=False)
    _read: dict[str, RunNumbers] = field(default_factory=dict, repr=False)

    def numbers(self, run: Run) -> RunNumbers:
        """What one run came to."""
        key = str(run.folder)
        if key not in self._read:
            self._read[key] = RunNumbers.of(run)
        return self._read[key]

    def of(self, experiment: str, model: str) -> list[Run]:
        """Runs of an experiment on a model."""
        self.asked.add(experiment)
        return [
            run
            for run in self.runs
            if run.config["experiment_name"] == experiment and run.config["model"]["name"] == model
        ]

    def compare(self, condition: Condition, presets: Mapping[str, str]) -> Compared | Missing:
        """The runs of these agents under one condition, in the largest set that differs in nothing else.

        Of several sets (someone ran the recipe under other settings, too) the one with the most seeds
        counts; of sets as large the longest runs; of those the one whose settings come first as text.

        Args:
            condition: which runs.
            presets: of the agents, by the paper's name of each.
        """
        self.asked.add(condition.experiment)
        mine = [run for run in self.runs if condition.holds(run)]
        try:
            found = {name: _of_preset(mine, preset) for name, preset in presets.items()}
        except UsageError as error:
            return Missing(str(error))
        absent = [presets[name] for name, candidates in found.items() if not candidates]
        if absent:
            return Missing(f"no finished run of {condition} with agent={','.join(absent)}")
        sets = [
            chosen
            for conditions in sorted({arm.conditions for one in found.values() for arm in one})
            if (chosen := _under(conditions, found)) is not None
        ]
        seeds = [_common(chosen) for chosen in sets]
        if not any(seeds):
            return Missing(f"{condition} has no seed with all of {', '.join(presets.values())}")
        largest = max(range(len(sets)), key=lambda index: (len(seeds[index]), _slots(sets[index])))
        chosen = sets[largest]
        self.lengths[condition.experiment] = _slots(chosen)
        total = sum(len(arm.runs) for candidates in found.values() for arm in candidates)
        return Compared(
            arms=chosen,
            numbers={
                name: [self.numbers(arm.runs[seed]) for seed in seeds[largest]]
                for name, arm in chosen.items()
            },
            left_out=total - sum(len(arm.runs) for arm in chosen.values()),
        )


def _of_preset(runs: Sequence[Run], preset: str) -> list[Arm]:
    """Arms of a preset, those with the most seeds first, then by their settings."""
    found = arms(run for run in runs if run.config["agent"].get("preset") == preset)
    return sorted(found, key=lambda arm: (-len(arm.runs), str(sorted(arm.agent.items())), arm.conditions))


def _under(conditions: str, found: Mapping[str, Sequence[Arm]]) -> dict[str, Arm] | None:
    """The first arm of every agent under the conditions; None if one has none."""
    chosen: dict[str, Arm] = {}
    for name, candidates in found.items():
        mine = [arm for arm in candidates if arm.conditions == conditions]
        if not mine:
            return None
        chosen[name] = mine[0]
    return chosen


def _slots(chosen: Mapping[str, Arm]) -> int:
    return int(next(iter(chosen.values())).settings["slots"])


def _common(chosen: Mapping[str, Arm]) -> list[int]:
    """Seeds that all arms have, in order."""
    return sorted(set.intersection(*(set(arm.runs) for arm in chosen.values())))
