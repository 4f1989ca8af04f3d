"""Stable-Baselines3 as agents: where it is installed, the promises are everybody's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from agent_worlds import Surface
from test_presets import build

from agents.background import BackgroundAgent
from serving.errors import UsageError

PRESETS = ["sb3_dqn", "sb3_ppo"]


@pytest.fixture(params=PRESETS)
def preset(request):
    pytest.importorskip("stable_baselines3")
    return request.param


def test_begins_where_everybody_does_and_the_seed_decides_the_rest(preset):
    surface = Surface.smooth(size=4)
    one, same, other = (surface.run(build(preset, surface, seed), 150) for seed in (0, 0, 1))
    start = np.random.default_rng([0, 2]).integers(surface.space.size)
    assert one[0][1] == start
    assert one == same != other


def test_learns_which_of_eight_is_good(preset):
    surface = Surface.smooth(size=2, loads=1)
    costs = [cost for *_, cost in surface.run(build(preset, surface, 0), 1000)]
    assert np.mean(costs[-100:]) < 0.7 * np.mean(costs[:50])


@pytest.mark.parametrize("slots", [30, 100])  # before anything was trained, and after
def test_goes_on_from_a_saved_state(preset, slots):
    surface = Surface.smooth(size=3)
    agent = build(preset, surface, 0)
    surface.run(agent, slots)
    state = agent.state_dict()
    kept = pickle.dumps(state)
    other = build(preset, surface, 1)
    other.load_state_dict(pickle.loads(kept))
    assert surface.run(other, 80) == surface.run(agent, 80)
    assert pickle.dumps(state) == kept
    assert agent.diagnostics() == other.diagnostics()


def test_learns_beside_serving(preset):
    surface = Surface.smooth(size=3)
    agent = BackgroundAgent(build(preset, surface, 0))
    surface.run(agent, 100)
    assert agent.diagnostics()["steps"] == 98  # the first was not its choice, the last waits to be learned


def test_arguments_are_the_librarys_own(preset):
    surface = Surface.smooth()
    agent = build(preset, surface, 0, arguments={"learning_rate": 0.5, "batch_size": 7})
    assert agent.model.learning_rate == 0.5
    assert agent.model.batch_size == 7
    with pytest.raises(TypeError, match="learning_rates"):
        build(preset, surface, 0, arguments={"learning_rates": 0.5})


def test_wrong_settings_are_refused():
    with pytest.raises(UsageError, match="total_slots=0, expected an integer >= 1"):
        build("sb3_dqn", Surface.smooth(), 0, total_slots=0)


def test_dqn_trains_as_often_as_it_is_told():
    pytest.importorskip("stable_baselines3")
    surface = Surface.smooth()
    often = {"learning_starts": 10, "train_freq": 5, "gradient_steps": -1}
    agent = build("sb3_dqn", surface, 0, arguments=often)
    surface.run(agent, 41)  # of which it learns from 40, and after 15, 20, ..., 40 trains
    assert agent.model._n_updates == 6 * 5
