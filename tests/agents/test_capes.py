"""CAPES: the agent as a whole."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from agent_worlds import Surface

from agents.capes import CapesAgent, hidden_units
from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.errors import UsageError
from serving.observation import Observation

SPACE = cpu_space(maximum=10)
LINE = ConfigurationSpace((Knob("threads", (1, 2, 3, 4, 5)),))


def make_capes(space=SPACE, seed=0, **settings) -> CapesAgent:
    settings = {"hidden": 8, "training_steps": 2, "minibatch": 4} | settings
    return CapesAgent(space=space, rng=np.random.default_rng(seed), max_load_rps=20.0, slo_s=0.4, **settings)


def seen(slot: int, load_bin: int = 0, nothing_completed: int = 0) -> Observation:
    ticks = (float("nan"),) * nothing_completed + (0.2,) * (10 - nothing_completed)
    return Observation(
        slot=slot, minute=2.0 * slot, load_rps=9.0, load_bin=load_bin, mean_latency_s=0.2,
        throughput_rps=9.0, ticks=ticks, tick_throughput_rps=(9.0,) * 10,
    )  # fmt: skip


def play(agent: CapesAgent, slots: range, cost=lambda slot: 0.3) -> list[tuple[int, ...]]:
    played = []
    for slot in slots:
        played.append(agent.act(seen(slot)))
        agent.learn(seen(slot), played[-1], cost(slot), seen(slot + 1))
    return played


def test_it_starts_in_the_middle_or_where_told_and_goes_one_step_at_a_time():
    assert play(make_capes(), range(1)) == [(5, 5, 5)]
    played = np.array(play(make_capes(start=[0, 10, 3]), range(40)))
    assert played[0].tolist() == [0, 10, 3]
    steps = np.abs(np.diff(played, axis=0))
    assert steps.sum(axis=1).max() == 1
    assert steps.sum() > 20


def test_the_published_sizes():
    assert (hidden_units(110), hidden_units(400)) == (200, 480)
    agent = make_capes(hidden=None)
    assert agent.window.size == 110
    assert [w.shape for w in agent.network.state_dict()["weights"]] == [
        (110, 200), (200,), (200, 200), (200,), (200, 7), (7,),
    ]  # fmt: skip


def test_training_starts_when_a_minibatch_can_be_filled():
    agent = make_capes(minibatch=32, training_steps=10)
    first = [float(w.sum()) for w in agent.network.state_dict()["weights"]]
    # 33 slots make 33 transitions; the first begins before anything was measured
    agent.act(Observation(slot=0, minute=0.0))
    agent.learn(Observation(slot=0, minute=0.0), (5, 5, 5), 0.3, seen(1))
    play(agent, range(1, 32))
    assert len(agent.replay) == 31
    assert [float(w.sum()) for w in agent.network.state_dict()["weights"]] == first
    play(agent, range(32, 33))
    assert agent.network.state_dict()["step"][0] == 10
    assert np.isfinite(agent.diagnostics()["loss"])


def test_windows_with_more_than_a_fifth_missing_are_not_learned_from():
    for missing, kept in ((2, 1), (3, 0)):
        agent = make_capes()
        configuration = agent.act(seen(0))
        agent.learn(seen(0), configuration, 0.3, seen(1, nothing_completed=missing))
        assert len(agent.replay) == kept


def test_a_move_out_of_range_is_kept_as_that_move():
    agent = make_capes(LINE, start=[5])
    for slot in range(60):
        before = agent._playing
        agent.act(seen(slot))
        if agent._made[slot] == 1 and before == 4:  # up, from the upper end
            break
    assert agent._playing == 4
    agent.learn(seen(slot), (5,), 0.3, seen(slot + 1))
    assert agent.replay.state_dict()["move"].tolist() == [1]


@pytest.mark.parametrize(
    ("reward", "gains"), [("level", [-0.5, -0.2, -0.3]), ("difference", [0.0, 0.3, -0.1])]
)
def test_the_reward_is_the_cost_or_its_fall(reward, gains):
    agent = make_capes(reward=reward)
    play(agent, range(3), cost=lambda slot: (0.5, 0.2, 0.3)[slot])
    np.testing.assert_allclose(agent.replay.state_dict()["gain"], gains)


def test_the_unit_of_rewards_is_the_median_of_the_first_twenty_costs():
    agent = make_capes(minibatch=64)
    play(agent, range(40), cost=lambda slot: 0.1 * (slot + 1))
    assert agent.cost_reference == pytest.approx(1.05)


def test_the_unit_of_the_cost_changes_nothing():
    costs = np.random.default_rng(3).lognormal(size=60)
    plays = [
        play(make_capes(), range(60), cost=lambda slot, unit=unit: unit * costs[slot]) for unit in (1, 1024)
    ]
    assert plays[0] == plays[1]


def test_a_new_workload_raises_epsilon_unless_switched_off():
    for raised, expected in ((0.2, 0.2), (0.0, 0.05)):
        agent = make_capes(anneal_actions=10, new_workload_epsilon=raised, minibatch=64)
        play(agent, range(20))
        for slot in range(20, 23):
            agent.act(seen(slot, load_bin=4))
        assert agent.diagnostics()["epsilon"] == pytest.approx(expected, abs=0.002)


def test_an_observation_is_taken_in_once_and_learning_may_come_a_slot_late():
    agent, late = make_capes(minibatch=64), make_capes(minibatch=64)
    played = play(agent, range(12))
    for slot in range(12):
        assert late.act(seen(slot)) == played[slot]
        if slot:
            late.learn(seen(slot - 1), played[slot - 1], 0.3, seen(slot))
    late.learn(seen(11), played[11], 0.3, seen(12))
    for name, array in agent.replay.state_dict().items():
        np.testing.assert_array_equal(array, late.replay.state_dict()[name])


def test_the_same_seed_plays_the_same_and_another_does_not():
    surface = Surface.smooth()
    runs = [surface.run(make_capes(surface.space, seed, anneal_actions=30), 80) for seed in (5, 5, 6)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


_GO_ON = """
import pickle, sys
from test_capes import Surface, make_capes
agent = make_capes(Surface.smooth().space, 99, anneal_actions=30)
agent.load_state_dict(pickle.load(sys.stdin.buffer))
surface = Surface.smooth()
surface.seed = 77
print(surface.run(agent, 40))
print(agent.diagnostics())
"""


def test_a_saved_agent_goes_on_in_a_new_process_as_if_never_stopped():
    surface = Surface.smooth()
    agent = make_capes(surface.space, 3, anneal_actions=30)
    surface.run(agent, 50)
    surface.seed = 77
    saved = pickle.dumps(agent.state_dict())
    history = surface.run(agent, 40)
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", _GO_ON], input=saved, capture_output=True, check=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])},
    )  # fmt: skip
    assert done.stdout.decode() == f"{history}\n{agent.diagnostics()}\n"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"reward": "sum"}, r"reward='sum', choose from \['difference', 'level'\]"),
        ({"optimizer": "sgd"}, r"optimizer='sgd', choose from \['adam', 'rmsprop'\]"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"gamma": 1.0}, "gamma=1.0"),
        ({"hidden": 0}, "hidden=0"),
        ({"training_steps": 0}, "training_steps=0"),
        ({"minibatch": 0}, "minibatch=0"),
        ({"replay_capacity": 0}, "replay_capacity=0"),
        ({"soft_update": 0.0}, "soft_update=0.0"),
        ({"anneal_actions": 0}, "anneal_actions=0"),
        ({"epsilon_end": 1.5}, "epsilon_end=1.5"),
        ({"new_workload_epsilon": -1.0}, "new_workload_epsilon=-1.0"),
        ({"new_workload_actions": 0}, "new_workload_actions=0"),
        ({"ticks": 0}, "ticks=0"),
        ({"missing_tolerance": 2.0}, "missing_tolerance=2.0"),
        ({"start": [11, 0, 0]}, r"\[11, 0, 0\] is not on the grid"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(bad, says):
    with pytest.raises(UsageError, match=says) as caught:
        make_capes(**bad)
    assert "\n" not in str(caught.value)
