"""A black-box optimiser per load level: Optuna, asked for a configuration and told what it cost."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.log_knobs import first_index
from agents.pending import Pending
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.extras import load_extra
from serving.observation import Observation

_LEAST = 1e-9  # of a cost: its logarithm is told


class OptunaAgent:
    """One study of Optuna's TPE per load level; after ``trials`` slots at a level, its best mean so far.

    A parameter is a knob's place on its grid. A study grows by one trial a slot and every question goes
    through all of them; the budget bounds both that and the search. Means over all slots of a level decide
    what is played then, and go on changing, so that a lucky slot is found out.

    Args:
        space: configurations to choose from.
        rng: seeds the samplers.
        load_levels: number of load levels.
        trials: slots of search at each of them.
        start: configuration of the first slot; the middle of the grid where None.

    Raises:
        UsageError: if Optuna is not installed, or ``trials`` < 1.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        load_levels: int,
        trials: int = 50,
        start: Sequence[int] | None = None,
    ) -> None:
        if trials < 1:
            raise UsageError(f"trials={trials}, expected an integer >= 1")
        optuna = load_extra("optuna", "optuna", "it")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space, self.trials = space, trials
        self.start = first_index(space, start)
        seeds = rng.integers(2**31, size=load_levels)
        samplers = [optuna.samplers.TPESampler(seed=int(seed)) for seed in seeds]
        self.studies = [optuna.create_study(sampler=sampler) for sampler in samplers]
        self._places = {
            knob.name: optuna.distributions.IntDistribution(0, len(knob.values) - 1) for knob in space.knobs
        }
        self._failed = optuna.trial.TrialState.FAIL
        self._shape = tuple(len(knob.values) for knob in space.knobs)
        self._told = np.zeros(load_levels, dtype=int)
        self._cost_sum = np.zeros((load_levels, space.size))
        self._count = np.zeros((load_levels, space.size))
        self._asked: Pending[tuple[int, int]] = Pending()  # level, and number of the trial
        self._begun = False

    def act(self, observation: Observation) -> Configuration:
        """What the level's study asks for, or the least mean cost once its budget is spent."""
        level = observation.load_bin
        if self._told[level] >= self.trials:
            return self.space.configurations[self._best(level)]
        study = self.studies[level]
        if not self._begun:
            study.enqueue_trial(dict(zip(self._places, self._place(self.start), strict=True)))
            self._begun = True
        trial = study.ask(self._places)
        for past, number in self._asked.add(observation.slot, (level, trial.number)):
            self.studies[past].tell(number, state=self._failed)  # nobody learned from that slot
        places = tuple(trial.params[name] for name in self._places)
        return self.space.configurations[int(np.ravel_multi_index(places, self._shape))]

    def _place(self, index: int) -> list[int]:
        return [int(one) for one in np.unravel_index(index, self._shape)]

    def _best(self, level: int) -> int:
        count = self._count[level]
        return int(np.where(count > 0, self._cost_sum[level] / np.maximum(count, 1), np.inf).argmin())

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Tell the study that asked, and take the slot into the means of its level."""
        del next_observation
        index, level = self.space.index(configuration), observation.load_bin
        self._cost_sum[level, index] += cost
        self._count[level, index] += 1
        asked = self._asked.take(observation.slot)
        if asked is not None:
            level, number = asked
            self.studies[level].tell(number, math.log(max(cost, _LEAST)))
            self._told[level] += 1

    def diagnostics(self) -> dict[str, Any]:
        """``trials`` told at all levels, and ``searching``: the share of levels that may still ask."""
        return {"trials": int(self._told.sum()), "searching": float((self._told < self.trials).mean())}

    def state_dict(self) -> dict[str, Any]:
        """The studies with their samplers as bytes, what was asked, and the means."""
        return {
            "studies": pickle.dumps(self.studies),
            "asked": dict(self._asked.decisions),
            "told": self._told.copy(),
            "cost_sum": self._cost_sum.copy(),
            "count": self._count.copy(),
            "begun": self._begun,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.studies = pickle.loads(state["studies"])
        self._asked.decisions = dict(state["asked"])
        self._told = np.array(state["told"])
        self._cost_sum, self._count = np.array(state["cost_sum"]), np.array(state["count"])
        self._begun = bool(state["begun"])
