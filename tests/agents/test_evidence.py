"""Entries that listen to the nearest observation only: what changes, what does not, and what it buys."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from agent_worlds import Surface, make_agent
from test_presets import last_ratios

from agents.rrl import RRLAgent
from serving.configuration import ConfigurationSpace, Knob
from serving.errors import UsageError
from serving.observation import Observation

LINE = ConfigurationSpace((Knob("threads", (0, 1, 2, 3, 4), zero_means=4),))


def on_a_line(slots, **settings):
    """The table after slots of (grid value, cost) at one load, from a table of zeros."""
    agent = RRLAgent(
        space=LINE, rng=np.random.default_rng(0), load_levels=1, radius=2, gamma=0.0, alpha_exponent=1.0,
        init="value", init_value=0.0, evidence="nearest", **settings,
    )  # fmt: skip
    for value, cost in slots:
        agent.learn(at(), (value,), cost, at())
    return agent.table.values[0].tolist()


def at() -> Observation:
    return Observation(slot=0, minute=0.0, load_rps=0.0, load_bin=0)


def test_nearer_observations_replace_and_equally_near_ones_average():
    assert on_a_line([(2, 8.0)]) == [8, 8, 8, 8, 8]
    assert on_a_line([(2, 8.0), (3, 4.0)]) == [8, 8, 8, 4, 4]  # 2 was played, 4 is now one step away, 1 two
    assert on_a_line([(2, 8.0), (3, 4.0), (2, 6.0)]) == [7, 7, 7, 4, 4]  # 0 and 1: twice from as near
    assert on_a_line([(2, 8.0), (1, 4.0), (3, 6.0)]) == [4, 4, 8, 6, 6]


def test_what_the_system_default_means_is_another_configuration_all_the_same():
    # 0 stands on 4, at distance 0 from it: they tell each other something until they are played themselves.
    assert on_a_line([(4, 8.0)], zero_distance="effective") == [8, 0, 8, 8, 8]
    after = on_a_line([(4, 8.0), (0, 2.0), (4, 6.0)], zero_distance="effective")
    np.testing.assert_allclose(after, [2, 0, 16 / 3, 16 / 3, 7])


@pytest.mark.parametrize("policy", ["paper", "unit_free"])
def test_with_radius_zero_it_is_q_learning(policy):
    surface = Surface.smooth(loads=2)
    agents = [make_agent(surface, 1, radius=0, policy=policy, evidence=e) for e in ("all", "nearest")]
    runs = [surface.run(agent, 200) for agent in agents]
    assert runs[0] == runs[1]
    np.testing.assert_array_equal(agents[0].table.values, agents[1].table.values)


def test_a_saved_agent_goes_on_as_if_never_stopped():
    surface = Surface.smooth(loads=2)
    agent = make_agent(surface, 3, radius=3, gamma=0.0, evidence="nearest")
    surface.run(agent, 40)
    other = make_agent(surface, 99, radius=3, gamma=0.0, evidence="nearest")
    other.load_state_dict(pickle.loads(pickle.dumps(agent.state_dict())))
    surface.seed = 77
    assert surface.run(agent, 60) == surface.run(other, 60)
    np.testing.assert_array_equal(agent.table.values, other.table.values)


def test_with_it_rrl_solves_the_identity_environment_where_neighbours_cost_nine_times_as_much():
    # Random play ends at 25 there. Less steep surfaces: test_presets.py.
    assert sum(ratio <= 1.2 for ratio in last_ratios("rrl", 3.0)) >= 9


def test_a_wrong_name_is_refused_in_one_line():
    with pytest.raises(UsageError, match=r"evidence='far', choose from \['all', 'nearest'\]"):
        RRLAgent(space=LINE, rng=np.random.default_rng(0), load_levels=1, evidence="far")
