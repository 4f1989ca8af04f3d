"""What a run lets its agent learn from, when, and with what preparation."""

import time

import numpy as np
import pandas as pd
import pytest

from experiments.build import build_agent, build_env, row_settings, simulator
from experiments.drain import DrainRule, build_drain_rule
from experiments.loop import run_loop
from experiments.records import content_hash
from experiments.run import execute
from experiments.settings import compose_settings
from serving.errors import UsageError

SMALL = ["system.grid_minimum=1", "system.grid_maximum=3", "truth=false", "progress=false", "slot_s=20"]


def settings(*overrides):
    return compose_settings([*SMALL, "slots=40", *overrides])


def run(plain, wrap=lambda agent: agent):
    env = build_env(plain)
    agent = wrap(build_agent(plain, env, lambda: None))
    return [record.row for record in run_loop(env, agent, plain["seed"], drained=build_drain_rule(plain))]


def run_id(plain):
    return content_hash(row_settings(plain, build_env(plain)))


class Listening:
    """Notes the slots that its agent learns from."""

    def __init__(self, agent):
        self.agent, self.learned = agent, []

    def act(self, observation):
        return self.agent.act(observation)

    def learn(self, observation, *rest):
        self.learned.append(observation.slot)
        self.agent.learn(observation, *rest)


class OneSlotLate(Listening):
    waiting = None

    def act(self, observation):
        configuration = self.agent.act(observation)
        if self.waiting is not None:
            self.agent.learn(*self.waiting)
        return configuration

    def learn(self, *slot):
        self.waiting = slot


class Busy(Listening):
    """Computes for 20 ms when it decides, waits for 60 ms when it learns."""

    def act(self, observation):
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        return super().act(observation)

    def learn(self, *slot):
        super().learn(*slot)
        time.sleep(0.06)


def test_the_time_of_a_decision_is_told_as_it_passes_and_as_it_computes():
    plain = settings("slots=3", "agent=rrl")
    env = build_env(plain)
    agent = Busy(build_agent(plain, env, lambda: None))
    for timing in [record.timing for record in run_loop(env, agent, 1)]:
        assert timing["agent_learn_s"] >= 0.06
        assert timing["agent_cpu_s"] >= 0.02
        assert timing["agent_cpu_s"] < timing["agent_act_s"] + timing["agent_learn_s"] - 0.04


DEEPRM = ["agent=deeprm", "agent.episodes=2", "agent.episode_slots=3", "agent.learning_rate=0.03"]


@pytest.mark.parametrize("agent", [["agent=rrl"], DEEPRM])
def test_background_is_learning_one_slot_late(agent):
    background = run(settings(*agent, "learning=background"))
    assert background == run(settings(*agent), OneSlotLate)
    assert background != run(settings(*agent))


@pytest.mark.parametrize("system", ["sim_cpu", "sim_gpu", "testbed", "testbed_batching"])
def test_on_real_servers_agents_learn_beside_serving_unless_told_otherwise(system):
    real = system.startswith("testbed")
    of_system = ["truth=false", f"system={system}"]
    assert compose_settings(of_system)["learning"] == ("background" if real else "inline")
    for learning in ("inline", "background"):
        assert compose_settings([*of_system, f"learning={learning}"])["learning"] == learning


def test_what_is_learned_and_when_is_part_of_the_run_id():
    changes = ([], ["learning=background"], ["drain_rule=true"], ["drain_backlog=9"])
    assert len({run_id(settings(*change)) for change in changes}) == 4


def overloaded(*overrides):
    """A load that only the better configurations can keep up with."""
    return settings(
        "agent=random", "workload=constant", "workload.mean_rps=16", "system.boundary=carry", *overrides
    )


def test_slots_that_drain_a_backlog_are_flagged_and_not_learned_from():
    heard = []
    plain = overloaded("drain_backlog=20")

    def listen(agent):
        heard.append(Listening(agent))
        return heard[0]

    rows = run(plain, listen)
    expected = [row["backlog_start"] > 20 and row["backlog_end"] < row["backlog_start"] for row in rows]
    assert 0 < sum(expected) < len(rows)
    assert [row["flags"] for row in rows] == ["drained" if one else "" for one in expected]
    assert heard[0].learned == [row["slot"] for row, one in zip(rows, expected, strict=True) if not one]


@pytest.mark.parametrize(
    ("overrides", "on"),
    [
        (["system.boundary=carry"], True),
        (["system.boundary=bounded"], False),
        (["system.boundary=carry", "drain_rule=false"], False),
        (["system.boundary=bounded", "drain_rule=true"], True),
    ],
)
def test_the_drain_rule_is_on_by_default_where_queues_are_carried_over(overrides, on):
    assert isinstance(build_drain_rule(settings(*overrides)), DrainRule) is on


def loads(env, slots=5):
    """Arrivals of the run that the next reset starts."""
    env.reset()
    return [env.step(0)[4]["measurement"].arrivals for _ in range(slots)]


def test_simulated_runs_share_requests_with_each_other_and_not_with_the_run():
    plain = settings()
    simulate = simulator(plain)
    one, same, other = simulate(0), simulate(0), simulate(1)
    first, second = loads(one), loads(one)
    assert [loads(same), loads(same)] == [first, second]
    assert first != second
    assert loads(other) != first
    env = build_env(plain)
    env.reset(seed=plain["seed"])
    own = [env.step(0)[4]["measurement"].arrivals for _ in range(5)]
    assert own not in (first, second)


def test_pretraining_needs_a_simulator():
    plain = settings("agent=deeprm_pretrained")
    env = build_env(plain)
    plain["system"]["_target_"] = "testbed.system.Server"
    with pytest.raises(UsageError, match="deeprm_pretrained: pretraining needs a simulator, not testbed"):
        build_agent(plain, env, lambda: None)


PRETRAINED = [
    *("agent=deeprm_pretrained", "agent.pretrain_episodes=4", "agent.pretrain_episode_slots=10"),
    *("workload=constant", "workload.mean_rps=6", "slot_s=10", "agent.learning_rate=0.01"),
]


def test_pretraining_saves_what_learning_online_costs():
    def costs(*overrides):
        batches = ["agent.episodes=2", "agent.episode_slots=5"]
        return [row["cost"] for row in run(settings(*PRETRAINED, *batches, *overrides))]

    online = costs("agent.pretrain_iterations=0")
    assert np.mean(costs("agent.pretrain_iterations=20")) < 0.5 * np.mean(online)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_agent_learns_nothing_in_the_run(frozen):
    updates = []

    def watch(agent):
        updates.append(agent.diagnostics)
        return agent

    batches = ["agent.episodes=2", "agent.episode_slots=5", "agent.pretrain_iterations=1"]
    run(settings(*PRETRAINED, *batches, f"agent.frozen={str(frozen).lower()}"), watch)
    assert (updates[0]()["updates"] == 0) == frozen


@pytest.mark.parametrize("head", ["factorised", "increment"])
def test_pretraining_is_deterministic_across_the_ends_of_runs(head):
    plain = settings(*PRETRAINED, "slots=7", "agent.pretrain_iterations=4", f"agent.head={head}")
    assert run(plain) == run(plain)


def test_a_run_of_one_slot_cannot_be_pretrained():
    with pytest.raises(UsageError, match="slots=1, expected an integer >= 2"):
        run(settings(*PRETRAINED, "slots=1"))


class Plain:
    """As README has it: anything with ``act`` and ``learn`` is an agent."""

    def __init__(self, space):
        self.space = space

    def act(self, observation):
        return self.space.configurations[0]

    def learn(self, observation, configuration, cost, next_observation):
        pass


def test_an_agent_with_act_and_learn_alone_learns_in_the_background_and_is_logged(tmp_path):
    plain = settings(
        "agent=custom", f"agent._target_={__name__}.Plain", "learning=background", "logger=table"
    )
    env = build_env(plain)
    execute(plain, env, "plain", tmp_path / "plain")
    scalars = pd.read_parquet(tmp_path / "plain" / "scalars.parquet")
    assert len(scalars) == plain["slots"]
    assert (scalars["background_learn_s"].iloc[1:] >= 0).all()
