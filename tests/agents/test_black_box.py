"""Optuna as an agent: one study per load level, a budget, then the best mean, whatever becomes of it."""

from __future__ import annotations

import numpy as np
import pytest
from agent_worlds import Surface
from optuna.trial import TrialState

from agents.background import BackgroundAgent
from agents.black_box import OptunaAgent
from serving.configuration import cpu_space
from serving.errors import UsageError
from serving.observation import Observation

SPACE = cpu_space()


def make(load_levels: int = 1, seed: int = 0, **settings) -> OptunaAgent:
    return OptunaAgent(space=SPACE, rng=np.random.default_rng(seed), load_levels=load_levels, **settings)


def seen(slot: int, level: int = 0) -> Observation:
    return Observation(slot=slot, minute=2.0 * slot, load_rps=float(level), load_bin=level)


def play(agent: OptunaAgent, costs: list[float], first: int = 0):
    """What the agent plays while slots cost so much."""
    played = []
    for slot, cost in enumerate(costs, start=first):
        played.append(agent.act(seen(slot)))
        agent.learn(seen(slot), played[-1], cost, seen(slot + 1))
    return played


def test_after_its_budget_it_plays_the_best_mean_and_goes_on_learning_it():
    agent = make(trials=3, start=[3, 4, 5])
    searched = play(agent, [1.0, 0.5, 2.0])
    assert searched[0] == (3, 4, 5)
    assert len(set(searched)) == 3
    lucky, second = searched[1], searched[0]
    assert play(agent, [0.9, 1.9, 0.1], first=3) == [lucky, lucky, second]  # means 0.5, 0.7, then 1.1
    assert agent.diagnostics() == {"trials": 3, "searching": 0.0}


def test_every_load_level_has_a_study_and_a_budget_of_its_own():
    agent = make(load_levels=2, trials=5)
    play(agent, [1.0] * 20)
    assert [len(study.trials) for study in agent.studies] == [5, 0]
    configuration = agent.act(seen(20, level=1))
    agent.learn(seen(20, level=1), configuration, 0.3, seen(21))
    assert [len(study.trials) for study in agent.studies] == [5, 1]


def test_a_slot_that_nobody_learns_from_is_a_trial_that_failed_and_costs_no_budget():
    agent = make(trials=2)
    for slot in range(10):
        agent.act(seen(slot))
    agent.act(seen(0))  # another run begins
    states = [trial.state for trial in agent.studies[0].trials]
    assert states == [TrialState.FAIL] * 10 + [TrialState.RUNNING]
    assert agent.diagnostics()["trials"] == 0


def test_beside_serving_a_slot_is_told_to_the_trial_that_asked_for_it():
    surface = Surface.smooth(size=5, loads=2, noise=0.0)
    agent = OptunaAgent(space=surface.space, rng=np.random.default_rng(0), load_levels=2)
    surface.run(BackgroundAgent(agent), 40)
    for level, study in enumerate(agent.studies):
        for trial in study.trials[:-1]:
            places = tuple(trial.params.values())
            cost = surface.cost[level, np.ravel_multi_index(places, (5, 5, 5))]
            assert trial.value == pytest.approx(np.log(cost))


def test_its_questions_get_better_than_chance_and_its_answer_better_still():
    surface = Surface.smooth(size=11, loads=2, minimum=1)
    agent = OptunaAgent(space=surface.space, rng=np.random.default_rng(0), load_levels=2)
    ratios = [cost / surface.cost[load].min() for load, _, cost in surface.run(agent, 200)]
    chance = (surface.cost / surface.cost.min(axis=1, keepdims=True)).mean()
    assert np.mean(ratios[40:90]) < 0.6 * chance
    assert np.mean(ratios[-50:]) < 1.25


def test_a_budget_of_no_trials_is_refused():
    with pytest.raises(UsageError, match="trials=0, expected an integer >= 1"):
        make(trials=0)
