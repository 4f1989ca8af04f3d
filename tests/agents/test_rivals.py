"""LinUCB, AIMD, the queueing controller and the planner: each does what its source says."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from agent_worlds import Surface
from test_presets import build

from agents.aimd import AIMDAgent
from agents.linucb import LinUCBAgent
from agents.packrat import PackratAgent
from agents.queueing import erlang_c, latency_s, service_time_s
from agents.ridge import Ridge
from agents.serf import SerfAgent, spread
from serving.configuration import Configuration, batching_space, cpu_space
from serving.errors import UsageError
from serving.observation import Observation

SPACE = cpu_space()
NOW = Observation(slot=0, minute=0.0, load_rps=10.0)


def after(**measured: float) -> Observation:
    return Observation(slot=1, minute=2.0, load_rps=10.0, **measured)


def test_the_queueing_formulas_are_those_of_textbooks():
    assert erlang_c(1, 0.5) == pytest.approx(0.5)  # M/M/1: it waits as often as the server is busy
    assert latency_s(0.5, 1.0, 1) == pytest.approx(2.0)  # M/M/1: 1 / (mu - lambda)
    assert latency_s(0.5, 1.0, 1, variation=0.0) == pytest.approx(1.5)  # M/D/1 waits half as long
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)  # M/M/2
    assert latency_s(2.0, 1.0, 2) == np.inf


@pytest.mark.parametrize("servers", [1, 4])
def test_the_service_time_is_found_again(servers):
    assert service_time_s(3.0, latency_s(3.0, 0.2, servers), servers) == pytest.approx(0.2)
    assert service_time_s(0.0, 0.3, servers) == pytest.approx(0.3)


def test_ridge_is_the_posterior_of_a_linear_model():
    rng = np.random.default_rng(0)
    rows, weights = rng.standard_normal((50, 3)), np.array([1.0, -2.0, 0.5])
    model = Ridge(3, penalty=0.1)
    for row in rows:
        model.add(row, float(row @ weights))
    expected = np.linalg.solve(rows.T @ rows + 0.1 * np.eye(3), rows.T @ rows @ weights)
    mean, deviation = model.predict(np.eye(3))
    np.testing.assert_allclose(mean, expected)
    covariance = np.linalg.inv(rows.T @ rows + 0.1 * np.eye(3))
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(covariance)))


def test_linucb_finds_a_good_one_of_1331_in_a_bowl():
    surface = Surface.smooth(size=11, loads=2, minimum=1, steepness=1.5)
    agent = LinUCBAgent(space=surface.space, max_load_rps=2.0)
    last = surface.run(agent, 200)[-50:]
    assert np.mean([cost / surface.cost[load].min() for load, _, cost in last]) < 1.2


def test_aimd_adds_one_while_the_tail_is_short_and_takes_a_tenth_when_not():
    agent = AIMDAgent(space=SPACE, slo_s=0.2, start=[4, 2, 3])
    played = []
    for p95_s in (0.1, 0.1, 0.3, 0.3, 0.3):
        configuration = agent.act(NOW)
        played.append(configuration)
        agent.learn(NOW, configuration, 0.1, after(p95_latency_s=p95_s))
    assert played == [(4, 2, 3), (5, 2, 3), (6, 2, 3), (5, 2, 3), (5, 2, 3)]  # 6, then 5.4, then 4.86
    for _ in range(30):
        agent.learn(NOW, (1, 2, 3), 0.1, after(p95_latency_s=0.1, lost_rps=1.0))
    assert agent.act(NOW) == (1, 2, 3)


def mm_c(configuration: Configuration, load_rps: float) -> tuple[float, float, float]:
    """Latency, throughput and losses of a queue whose servers share ten cores, threads helping a little."""
    request, _, intra = (value or 10 for value in configuration)
    service_s = 0.4 / intra**0.5 * max(1.0, request * intra / 10)
    if load_rps * service_s >= request:
        return 50 / load_rps, request / service_s, load_rps - request / service_s
    return latency_s(load_rps, service_s, request), load_rps, 0.0


def play(agent, slots: int, load_rps: float = 10.0) -> list[float]:
    now, costs = Observation(slot=0, minute=0.0, load_rps=load_rps), []
    for slot in range(slots):
        configuration = agent.act(now)
        seen_s, throughput, lost = mm_c(configuration, load_rps)
        following = Observation(
            slot=slot + 1, minute=2.0 * slot + 2, load_rps=load_rps, mean_latency_s=seen_s,
            p95_latency_s=seen_s, throughput_rps=throughput, lost_rps=lost,
        )  # fmt: skip
        cost = (seen_s * throughput + 5 * lost) / (throughput + lost)
        agent.learn(now, configuration, cost, following)
        costs.append(cost)
        now = following
    return costs


@pytest.mark.parametrize(
    "agent", [SerfAgent(space=SPACE, rng=np.random.default_rng(0)), PackratAgent(space=SPACE)], ids=type
)
def test_where_its_theory_holds_the_model_finds_a_good_configuration(agent):
    best = min(mm_c(configuration, 10.0)[0] for configuration in SPACE.configurations)
    assert np.mean(play(agent, 40)[-10:]) < 1.5 * best


def test_packrat_profiles_one_instance_then_fills_the_cores():
    agent = PackratAgent(space=SPACE, cores=8, start=[3, 3, 3])
    played = []
    for _ in range(5):
        configuration = agent.act(NOW)
        played.append(configuration)
        agent.learn(NOW, configuration, 0.5, after(throughput_rps=2.0, lost_rps=8.0))
    assert played == [(3, 3, 3), (1, 1, 1), (1, 1, 2), (1, 1, 4), (1, 1, 8)]
    assert agent.act(NOW) == (8, 1, 1)  # threads help nothing, so as many instances as there are cores


def test_packrat_plans_threads_only():
    with pytest.raises(UsageError, match="it plans threads"):
        PackratAgent(space=batching_space())


def test_a_profile_is_spread_over_the_grid():
    points = np.linspace(0, 1, 101)[:, None]
    chosen = spread(points, 50, 3, np.random.default_rng(0))
    assert chosen[0] == 50
    assert sorted(chosen)[0] < 10
    assert sorted(chosen)[-1] > 90


@pytest.mark.parametrize("preset", ["linucb", "aimd", "serf", "packrat", "optuna", "gp_safe"])
def test_goes_on_from_a_saved_state(preset):
    surface = Surface.smooth(size=5, loads=2)
    agent = build(preset, surface, 0)
    surface.run(agent, 30)
    state = agent.state_dict()
    kept = pickle.dumps(state)
    other = build(preset, surface, 1)
    other.load_state_dict(pickle.loads(kept))
    assert surface.run(other, 20) == surface.run(agent, 20)
    assert pickle.dumps(state) == kept
    assert agent.diagnostics()


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: LinUCBAgent(space=SPACE, max_load_rps=9, kappa=-1), "kappa=-1"),
        (lambda: AIMDAgent(space=SPACE, slo_s=1, decrease=1.0), "decrease=1.0"),
        (lambda: AIMDAgent(space=SPACE, slo_s=1, knob=3), "knob=3"),
        (lambda: PackratAgent(space=SPACE, cores=0), "cores=0"),
        (lambda: SerfAgent(space=SPACE, rng=np.random.default_rng(0), profile_slots=0), "profile_slots=0"),
    ],
)
def test_refuses_in_one_line(make, named):
    with pytest.raises(UsageError, match=named):
        make()
