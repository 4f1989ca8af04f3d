"""RRL against an independent Q-learner, against Eq. (2) by hand, and as something that learns."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from agent_worlds import Surface, make_agent
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.estimator import ConstantEstimator
from agents.rrl import RRLAgent
from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.errors import UsageError
from serving.observation import Observation

LINE = ConfigurationSpace((Knob("threads", (1, 2, 3, 4, 5)),))


def at(load_bin: int, slot: int = 0) -> Observation:
    return Observation(slot=slot, minute=0.0, load_rps=float(load_bin), load_bin=load_bin)


def tabular_q_learning(surface: Surface, slots: int, gamma: float, seed: int) -> list[int]:
    """Q-learning with nothing of ours in it; the draw is by inverse CDF, as the agent's must be."""
    draws, world = np.random.default_rng(seed), np.random.default_rng([surface.seed, 1])
    loads = world.integers(len(surface.cost), size=slots + 1)
    q = [[1.0 / surface.space.size] * surface.space.size for _ in surface.cost]
    visits: dict[tuple[int, int], int] = {}
    played = []
    for t in range(slots):
        s, following = loads[t], loads[t + 1]
        beta = 20.0 / max((1 - gamma) * min(q[s]), 0.001)
        weights = [np.exp(-beta * (value - min(q[s]))) for value in q[s]]
        reached = np.cumsum(weights) / sum(weights) > draws.random()
        c = int(np.argmax(reached))
        cost = surface.cost[s, c] * np.exp(surface.noise * world.standard_normal())
        a = (1 + visits.get((s, c), 0)) ** -0.7
        q[s][c] = (1 - a) * q[s][c] + a * (cost + gamma * min(q[following]))
        visits[s, c] = visits.get((s, c), 0) + 1
        played.append(c)
    return played


@pytest.mark.parametrize("gamma", [0.0, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_radius_zero_is_q_learning_step_for_step(gamma, seed):
    surface = Surface.smooth(loads=3, seed=seed)
    agent = make_agent(surface, seed, radius=0, gamma=gamma, policy="paper", init="inverse_size")
    played = [index for _, index, _ in surface.run(agent, 400)]
    assert played == tabular_q_learning(surface, 400, gamma, seed)
    assert len(set(played)) == surface.space.size  # it went everywhere, so the comparison says something


def test_equation_2_by_hand():
    agent = RRLAgent(space=LINE, rng=np.random.default_rng(0), load_levels=2, radius=1, gamma=0.5, alpha=0.25)
    agent.table.values[:] = [[4.0, 8.0, 12.0, 16.0, 20.0], [7.0, 3.0, 5.0, 6.0, 9.0]]
    agent.learn(at(0), (3,), 10.0, at(1))
    # target = 10 + 0.5 * min(Q[1]) = 11.5 for grid values 2, 3, 4
    expected = [4.0, 0.75 * 8 + 0.25 * 11.5, 0.75 * 12 + 0.25 * 11.5, 0.75 * 16 + 0.25 * 11.5, 20.0]
    np.testing.assert_allclose(agent.table.values[0], expected, rtol=1e-15)
    np.testing.assert_array_equal(agent.table.values[1], [7.0, 3.0, 5.0, 6.0, 9.0])


def test_the_minimum_is_taken_of_the_table_before_the_update_and_over_all_configurations():
    agent = RRLAgent(space=LINE, rng=np.random.default_rng(0), load_levels=1, radius=1, gamma=0.5, alpha=1.0)
    agent.table.values[:] = [[6.0, 4.0, 6.0, 6.0, 2.0]]
    agent.learn(at(0), (1,), 0.1, at(0))  # the minimum, 2, stands outside the region of 1
    np.testing.assert_allclose(agent.table.values[0], [1.1, 1.1, 6.0, 6.0, 2.0])
    agent.learn(at(0), (1,), 5.0, at(0))  # the minimum, 1.1, stands inside and is overwritten
    np.testing.assert_allclose(agent.table.values[0], [5.55, 5.55, 6.0, 6.0, 2.0])


def test_steps_fall_with_the_updates_of_each_entry():
    agent = RRLAgent(
        space=LINE, rng=np.random.default_rng(0), load_levels=1, radius=1, gamma=0.0, init="first_cost"
    )
    agent.learn(at(0), (2,), 8.0, at(0))
    np.testing.assert_array_equal(agent.table.values[0], 8.0)
    agent.learn(at(0), (3,), 4.0, at(0))
    second = 2.0**-0.7  # entries 2 and 3 had one update, 4 had none
    shared = (1 - second) * 8 + second * 4
    np.testing.assert_allclose(agent.table.values[0], [8.0, shared, shared, 4.0, 8.0])
    np.testing.assert_array_equal(agent.table.updates[0], [1, 2, 2, 1, 0])
    assert agent.diagnostics()["alpha"] == pytest.approx(second)


@settings(max_examples=40, deadline=None)
@given(
    index=st.integers(0, 124),
    radius=st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0]),
    metric=st.sampled_from(["euclidean", "manhattan", "chebyshev"]),
    zero_distance=st.sampled_from(["raw", "effective"]),
    cost=st.floats(0.01, 50.0),
)
def test_an_update_touches_exactly_the_region_of_one_load(index, radius, metric, zero_distance, cost):
    space = cpu_space(maximum=4)
    agent = RRLAgent(
        space=space, rng=np.random.default_rng(0), load_levels=3, radius=radius, metric=metric,
        zero_distance=zero_distance, gamma=0.9,
    )  # fmt: skip
    before = agent.table.values.copy()
    agent.learn(at(1), space.configurations[index], cost, at(2))
    changed = np.argwhere(agent.table.values != before)
    assert set(changed[:, 0]) == {1}
    inside = space.distances(index, metric, zero_distance) <= radius if radius else np.arange(125) == index
    np.testing.assert_array_equal(changed[:, 1], np.flatnonzero(inside))


class _Linear(ConstantEstimator):
    """Estimates the flat index as the cost, whatever was observed."""

    def estimate(self, load_rps, configuration, cost, region):
        return region.astype(float)


@pytest.mark.parametrize(("pinned", "at_centre"), [(True, 9.0), (False, 2.0)])
def test_the_estimator_fills_the_region_and_the_observation_stays_where_pinned(pinned, at_centre):
    agent = RRLAgent(
        space=LINE, rng=np.random.default_rng(0), load_levels=1, radius=1, gamma=0.0, alpha=1.0,
        estimator=_Linear(), pin_observed=pinned,
    )  # fmt: skip
    agent.learn(at(0), (3,), 9.0, at(0))
    np.testing.assert_array_equal(agent.table.values[0], [0.2, 1.0, at_centre, 3.0, 0.2])


def test_one_shared_table_learns_across_loads():
    agent = RRLAgent(space=LINE, rng=np.random.default_rng(0), load_levels=4, radius=0, q_has_state=False)
    agent.learn(at(3), (2,), 9.0, at(1))
    assert agent.table.values.shape == (1, 5)
    assert agent.probabilities(agent.state(at(0)))[1] == pytest.approx(0.0)


def test_start_is_played_until_the_first_cost_and_first_cost_fills_the_table():
    space = cpu_space(maximum=3)
    agent = RRLAgent(
        space=space, rng=np.random.default_rng(0), load_levels=2, radius=1, gamma=0.0, init="first_cost",
        start=[2, 2, 2],
    )  # fmt: skip
    assert [agent.act(at(0)) for _ in range(3)] == [(2, 2, 2)] * 3
    assert np.isnan(agent.diagnostics()["q"]).all()
    agent.learn(at(0), (2, 2, 2), 0.5, at(1))
    np.testing.assert_array_equal(agent.table.values, 0.5)
    assert len({agent.act(at(1)) for _ in range(40)}) > 20  # nothing told apart yet: uniform


def test_without_a_start_the_first_configuration_is_uniform():
    firsts = {
        RRLAgent(space=LINE, rng=np.random.default_rng(seed), load_levels=1, init="first_cost").act(at(0))
        for seed in range(60)
    }
    assert firsts == set(LINE.configurations)


def test_diagnostics_imply_the_latency_of_a_slot():
    agent = RRLAgent(space=LINE, rng=np.random.default_rng(0), load_levels=1, radius=0, gamma=0.9)
    agent.table.values[:] = [[30.0, 31.0, 32.0, 33.0, 34.0]]  # = cost + 0.9 * 30 with costs 3, 4, 5, 6, 7
    said = agent.diagnostics()
    np.testing.assert_allclose(said["implied_latency"], [3, 4, 5, 6, 7])
    said["q"][:] = 0
    assert agent.table.values.min() == 30.0
    assert said["visited"] == 0.0


@pytest.mark.parametrize("policy", ["paper", "unit_free", "code", "literal"])
def test_the_same_seed_plays_the_same_and_another_does_not(policy):
    surface = Surface.smooth()
    runs = [surface.run(make_agent(surface, seed, policy=policy, radius=1), 60) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("init", ["first_cost", "inverse_size"])
@pytest.mark.parametrize("before", [0, 40])
def test_a_saved_agent_goes_on_as_if_never_stopped(init, before):
    surface = Surface.smooth()
    agent = make_agent(surface, 3, radius=1, init=init)
    surface.run(agent, before)
    saved = pickle.loads(pickle.dumps(agent.state_dict()))
    other = make_agent(surface, 99, radius=1, init=init)
    other.load_state_dict(saved)
    surface.seed = 77
    assert surface.run(agent, 60) == surface.run(other, 60)
    np.testing.assert_array_equal(agent.table.values, other.table.values)
    assert str(agent.diagnostics()) == str(other.diagnostics())


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"radius": -1}, "radius=-1"),
        ({"radius": float("nan")}, "radius=nan"),
        ({"gamma": 1.0}, "gamma=1.0"),
        ({"gamma": -0.1}, "gamma=-0.1"),
        ({"load_levels": 0}, "load_levels=0"),
        ({"alpha": 0.0}, "alpha=0.0"),
        ({"alpha_exponent": 0.5}, "alpha_exponent=0.5"),
        ({"beta": -1.0}, "beta=-1.0"),
        ({"policy": "greedy"}, r"policy='greedy', choose from \['code', 'literal', 'paper', 'unit_free'\]"),
        (
            {"init": "zero"},
            r"init='zero', choose from \['first_cost', 'inverse_size', 'pessimistic', 'value'\]",
        ),
        ({"init": "value"}, "init_value=None"),
        ({"init_value": 1.0}, "init_value=1.0"),
        ({"init": "pessimistic", "init_value": -3.0}, "init_value=-3.0"),
        ({"estimator": "oracle"}, r"estimator='oracle', choose from \['constant'"),
        ({"estimator_settings": {"steps": 3}}, "estimator_settings=.*steps"),
        ({"estimator_settings": 5}, "estimator_settings=5, expected settings of estimator='constant'"),
        ({"metric": "cosine"}, "metric='cosine'"),
        ({"zero_distance": "far"}, "zero_distance='far'"),
        ({"start": [9]}, r"\[9\] is not on the grid"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(bad, says):
    arguments = {"space": LINE, "rng": np.random.default_rng(0), "load_levels": 2, **bad}
    with pytest.raises(UsageError, match=says) as caught:
        RRLAgent(**arguments)
    assert "\n" not in str(caught.value)


def test_the_state_of_an_agent_with_another_table_is_refused():
    many, one = (make_agent(Surface.smooth(loads=loads), 1) for loads in (3, 1))
    before = one.table.values.copy()
    with pytest.raises(
        UsageError, match=r"saved Q table of \(states, configurations\) \(3, 27\), expected \(1, 27\)"
    ):
        one.load_state_dict(many.state_dict())
    np.testing.assert_array_equal(one.table.values, before)
