"""DeepRM as an agent: it learns, it is deterministic, it goes on from a saved state."""

import json
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from agent_worlds import Surface
from test_presets import last_ratios

from agents.deeprm import DeepRMAgent
from agents.deeprm_heads import make_head
from serving.configuration import cpu_space
from serving.errors import UsageError
from serving.observation import Observation

SPACE = cpu_space(maximum=3, minimum=1)
ROOT = Path(__file__).parents[2]


def make(seed=0, **settings):
    rng = np.random.default_rng(seed)
    return DeepRMAgent(space=SPACE, rng=rng, load_levels=3, slo_s=0.5, **settings)


def play(agent, first, last, learned=lambda slot: True):
    """Flat indices chosen in slots first..last-1 of a world in which configuration i costs i + 1."""
    chosen, before = [], 0
    for slot in range(first, last):
        now, then = (
            Observation(t, 2.0 * t, load_bin=t % 3, configuration=before, mean_latency_s=0.1 * (t % 7))
            for t in (slot, slot + 1)
        )
        configuration = agent.act(now)
        before = SPACE.index(configuration)
        chosen.append(before)
        if learned(slot):
            agent.learn(now, configuration, before + 1.0, then)
    return chosen


@pytest.mark.parametrize(
    ("head", "learning_rate"), [("factorised", 0.01), ("factorised", 0.03), ("joint", 0.03)]
)
def test_learns_to_within_a_fifth_of_the_best(head, learning_rate):
    # Random play ends at 1.3 to 1.6. With the published rate of 0.001 no head gets there in 300 slots, that
    # is, six updates (0 seeds of 10); the increments at no rate up to 0.03 (4 of 10 at most).
    ratios = last_ratios("deeprm", 0.5, head=head, learning_rate=learning_rate)
    assert sum(ratio <= 1.2 for ratio in ratios) >= 9


def test_increments_learn_too_given_time():
    def mean_ratio(slots):
        ratios = []
        for seed in range(4):
            surface = Surface.smooth(loads=1, seed=seed, steepness=0.5)
            rng = np.random.default_rng(seed)
            agent = DeepRMAgent(
                space=surface.space, rng=rng, load_levels=1, slo_s=0.4, head="increment", learning_rate=0.01
            )
            last = surface.run(agent, slots)[-50:]
            ratios.append(np.mean([cost / surface.cost.min() for _, _, cost in last]))
        return np.mean(ratios)

    assert mean_ratio(1500) < 1.2 < mean_ratio(100)


@pytest.mark.parametrize("head", ["factorised", "increment", "joint"])
def test_the_seed_decides_everything(head):
    settings = {"head": head, "episodes": 2, "episode_slots": 5, "learning_rate": 0.03}
    first = play(make(1, **settings), 0, 60)
    assert first == play(make(1, **settings), 0, 60)
    assert first != play(make(2, **settings), 0, 60)


def test_increments_walk_from_the_start():
    agent = make(head="increment", start=(1, 3, 2))
    walk = [SPACE.configurations[index] for index in play(agent, 0, 30)]
    assert walk[0] == (1, 3, 2)
    assert all(np.abs(np.subtract(a, b)).sum() <= 1 for a, b in pairwise(walk))
    assert len(set(walk)) > 3


def test_a_start_is_played_and_not_learned_from():
    agent = make(start=(2, 2, 2))
    assert play(agent, 0, 5)[0] == SPACE.index((2, 2, 2))
    assert len(agent.state_dict()["batch"]) == 4


def test_costs_stay_with_their_slot_when_slots_are_left_out():
    agent = make()
    head = make_head("factorised", SPACE)
    play(agent, 0, 40, learned=lambda slot: slot % 3 != 1)
    batch = agent.state_dict()["batch"]
    assert len(batch) == 27
    assert all(head.configuration(step.choices, 0) + 1 == step.cost for step in batch)


def test_the_policy_changes_once_a_batch():
    agent = make(episodes=2, episode_slots=5)
    weights = [agent.state_dict()["network"]["weights"][2]]
    for slot in range(25):
        play(agent, slot, slot + 1)
        weights.append(agent.state_dict()["network"]["weights"][2])
    changed = [slot for slot in range(25) if (weights[slot] != weights[slot + 1]).any()]
    assert changed == [9, 19]
    assert agent.diagnostics()["updates"] == 2


@pytest.mark.slow
def test_goes_on_in_another_process_as_if_nothing_had_happened(tmp_path):
    settings = [
        {"head": head, "episodes": 2, "episode_slots": 10, "learning_rate": 0.03}
        for head in ("factorised", "increment")
    ]
    agents = [make(5, **one) for one in settings]
    for agent in agents:
        play(agent, 0, 33)
    saved = [(one, agent.state_dict()) for one, agent in zip(settings, agents, strict=True)]
    (tmp_path / "state").write_bytes(pickle.dumps(saved))
    code = (
        "import json, pathlib, pickle, sys\n"
        "from test_deeprm import make, play\n"
        "for settings, state in pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()):\n"
        "    agent = make(99, **settings)\n"
        "    agent.load_state_dict(state)\n"
        "    print(json.dumps(play(agent, 33, 90)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "state")],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'agents'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [play(one, 33, 90) for one in agents]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"episodes": 1}, "episodes=1, expected an integer >= 2"),
        ({"episode_slots": 0}, "episode_slots=0, expected an integer >= 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0, epsilon=1e-09, expected numbers > 0"),
        ({"decay": 1.0}, r"decay=1.0, expected a number in \[0, 1\)"),
        ({"frozen": True}, "frozen=true, expected with pretrain_iterations > 0"),
        ({"pretrain_iterations": 3}, "pretrain_iterations=3 needs a simulator"),
        ({"start": (9, 9, 9)}, "is not on the grid"),
    ],
)
def test_nonsense_is_named(settings, message):
    with pytest.raises(UsageError, match=message):
        make(**settings)
