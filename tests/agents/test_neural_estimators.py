"""The networks as f(c, r_t): they learn the surface, keep Eq. (1), fall into no trap, and can be saved."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from agent_worlds import Surface, make_agent

from agents.estimator import ESTIMATORS, make_estimator
from agents.network import Network
from agents.network_optimizers import Ftrl
from agents.neural_estimator import AnchoredNetworkEstimator, NetworkEstimator, scaled_knobs
from agents.neural_scratch import ScratchNetworkEstimator
from serving.configuration import ConfigurationSpace, Knob, cpu_space
from serving.errors import UsageError
from serving.observation import Observation

NETWORKS = {
    "nn": {},
    "nn_anchored": {},
    "nn_scratch": {"max_steps": 100},
}
DEFAULTS = [
    ("nn", {}),
    ("nn_anchored", {}),
    ("nn_scratch", {"max_steps": 1000}),
    ("nn", {"optimizer": "adam"}),
    ("nn", {"zero_distance": "raw"}),
]
LOADS_RPS = (5.0, 15.0)
SURFACE = Surface.smooth(size=8)


@cache
def errors_by_samples(case: int, seed: int = 0) -> tuple[dict[int, float], float]:
    """Median held-out error after some samples, and the spread of the last predictions over the truth's."""
    name, settings = DEFAULTS[case]
    rng = np.random.default_rng(seed)
    estimator = make_estimator(name, SURFACE.space, rng, settings, max_load_rps=20.0)
    order = rng.permutation(SURFACE.space.size)
    seen, held_out = order[:100], order[200:]
    errors, spread = {}, 0.0
    for slot, index in enumerate(seen, 1):
        load = slot % 2
        cost = SURFACE.cost[load, index] * np.exp(0.1 * rng.standard_normal())
        estimator.learn(LOADS_RPS[load], int(index), cost)
        if slot in (5, 100):
            truth = SURFACE.cost[:, held_out]
            guess = np.array(
                [
                    estimator.estimate(rps, int(index), SURFACE.cost[k, index], held_out)
                    for k, rps in enumerate(LOADS_RPS)
                ]
            )
            errors[slot] = float(np.median(np.abs(guess - truth) / truth))
            spread = float(np.log(guess).std(axis=1).min() / np.log(truth).std(axis=1).max())
    return errors, spread


@pytest.mark.parametrize("case", range(len(DEFAULTS)))
def test_is_no_constant_function_after_100_slots(case):
    assert errors_by_samples(case)[1] > 0.3


@pytest.mark.parametrize("case", range(len(DEFAULTS)))
def test_the_error_on_configurations_never_tried_falls_as_samples_grow(case):
    errors = errors_by_samples(case)[0]
    assert errors[100] < 0.7 * errors[5]


def test_the_trap_of_ftrl_a_constant_function_from_standardised_targets_unless_centred():
    rng = np.random.default_rng(0)
    rows, targets = rng.random((100, 4)), np.empty(100)
    targets = np.exp(2 * rows.sum(axis=1))
    targets = (targets - targets.mean()) / targets.std()
    batches = np.tile(rows, (300, 1, 1)), np.tile(targets, (300, 1))
    spread = {}
    for centred, rate in ((False, 0.7), (True, 0.1)):
        network = Network(4, Ftrl(rate, 0.1, centred), np.random.default_rng(1), huber_delta=1.0)
        network.fit(*batches)
        spread[centred] = network.predict(rows).std()
    assert spread[False] < 1e-6
    assert spread[True] > 0.5


def test_anchored_meets_equation_1_exactly_and_carries_the_observation_over():
    space = cpu_space(maximum=10)
    estimator = AnchoredNetworkEstimator(space, np.random.default_rng(0), 20.0)
    rng = np.random.default_rng(1)
    for _ in range(20):
        index, cost = int(rng.integers(space.size)), float(rng.random()) + 0.1
        estimator.learn(10.0, index, cost)
        region = space.region(index, 3.0)
        estimates = estimator.estimate(10.0, index, cost, region)
        assert estimates[region == index].tolist() == [cost]
        np.testing.assert_allclose(estimator.estimate(10.0, index, 2 * cost, region), 2 * estimates)
    assert np.log(estimates).std() > 0.01


def test_the_plain_network_does_not_look_at_the_observation_it_has_learned_already():
    estimator = NetworkEstimator(SURFACE.space, np.random.default_rng(0), 20.0)
    estimator.learn(10.0, 3, 0.2)
    region = np.arange(20)
    np.testing.assert_array_equal(
        estimator.estimate(10.0, 3, 0.2, region), estimator.estimate(10.0, 5, 9.0, region)
    )


def test_the_graph_is_traced_once_in_a_long_run():
    for name, settings in NETWORKS.items():
        estimator = make_estimator(name, SURFACE.space, np.random.default_rng(0), settings, max_load_rps=1.0)
        SURFACE.run(make_agent(SURFACE, estimator=estimator, radius=2.0, policy="unit_free"), 20)
        assert estimator.network.traces == 1


def test_the_scratch_network_sees_what_the_authors_network_saw():
    space = cpu_space(maximum=10)
    estimator = ScratchNetworkEstimator(space, np.random.default_rng(0))
    request, inter, intra = 1, 2, 3
    features = estimator.features(1 / 0.07, np.array([space.index((request, inter, intra))]))
    np.testing.assert_allclose(features, [[0.07, inter, intra, request]])
    assert estimator.features(0.0, np.array([0]))[0, 0] == 1.0


def test_the_scratch_network_predicts_seconds_and_never_less_than_a_millisecond():
    estimator = ScratchNetworkEstimator(SURFACE.space, np.random.default_rng(0), max_steps=500)
    for index in range(0, 500, 25):
        estimator.learn(10.0, index, 0.25)
    everything = np.arange(SURFACE.space.size)
    np.testing.assert_allclose(estimator.estimate(10.0, 0, 0.25, everything), 0.25, rtol=0.3)
    low = ScratchNetworkEstimator(SURFACE.space, np.random.default_rng(0), max_steps=500)
    low.learn(10.0, 0, -0.4)  # no cost is negative, but a prediction may be
    assert low.estimate(10.0, 0, -0.4, everything)[0] == 1e-3


def test_the_scratch_network_starts_anew_in_every_slot_and_stops_when_it_no_longer_improves():
    class Counting:
        def __init__(self, network):
            self.network, self.losses = network, []

        def reset(self, rng):
            self.network.reset(rng)
            self.losses.append([])

        def fit(self, x, y):
            losses = self.network.fit(x, y)
            self.losses[-1].append(losses[-1])
            return losses

        def predict(self, x):
            return self.network.predict(x)

    estimator = ScratchNetworkEstimator(
        SURFACE.space, np.random.default_rng(0), max_steps=5000, check_steps=20, patience=2
    )
    estimator.network = watched = Counting(estimator.network)
    for index in (0, 100):
        estimator.learn(10.0, index, 0.2 + index / 1000)
        estimator.estimate(10.0, index, 0.2, np.array([index]))
    assert len(watched.losses) == 2
    for losses in watched.losses:
        assert 2 < len(losses) < 250  # not the cap
        assert min(losses[:-2]) <= min(losses[-2:])


def test_knobs_are_scaled_to_one_and_zero_stands_where_it_acts():
    space = ConfigurationSpace((Knob("threads", (0, 1, 2, 4), 4), Knob("timeout_us", (0, 10, 100))))
    raw, effective = scaled_knobs(space, "raw"), scaled_knobs(space, "effective")
    assert (raw.min(axis=0).tolist(), raw.max(axis=0).tolist()) == ([0, 0], [1, 1])
    assert effective[space.index((0, 10))].tolist() == [1.0, 0.5]
    assert raw[space.index((0, 10))].tolist() == [0.0, 0.5]


CONTINUE = """
import pickle, sys
sys.path[:0] = [{tests!r}]
from agent_worlds import make_agent
surface, cases, settings = pickle.loads(sys.stdin.buffer.read())
ran = {{}}
for name, (extra, state) in cases.items():
    agent = make_agent(surface, 99, estimator=name, estimator_settings=extra, **settings)
    agent.load_state_dict(state)
    ran[name] = surface.run(agent, 15), agent.table.values
sys.stdout.buffer.write(pickle.dumps(ran))
"""


@pytest.mark.slow
def test_an_agent_saved_in_one_process_goes_on_in_another_as_if_never_stopped():
    surface = Surface.smooth(size=4)
    settings = {"radius": 1.5, "policy": "unit_free", "init": "first_cost", "max_load_rps": 2.0}
    cases, agents = {}, {}
    for name, extra in NETWORKS.items():
        agents[name] = make_agent(surface, 3, estimator=name, estimator_settings=extra, **settings)
        surface.run(agents[name], 25)
        cases[name] = (extra, agents[name].state_dict())
    done = subprocess.run(
        [sys.executable, "-c", CONTINUE.format(tests=str(Path(__file__).parent))],
        input=pickle.dumps((surface, cases, settings)),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    elsewhere = pickle.loads(done.stdout)
    for name, agent in agents.items():
        assert surface.run(agent, 15) == elsewhere[name][0]
        np.testing.assert_array_equal(agent.table.values, elsewhere[name][1])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_gives_the_same_run_bit_for_bit(name):
    tables = []
    for seed in (1, 1, 2):
        agent = make_agent(
            SURFACE, seed, estimator=name, estimator_settings=NETWORKS[name], max_load_rps=2.0, radius=2.0
        )
        SURFACE.run(agent, 10)
        tables.append(agent.table.values)
    np.testing.assert_array_equal(tables[0], tables[1])
    assert (tables[0] != tables[2]).any()


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("nn", {"steps": 0}, "steps=0"),
        ("nn", {"batch": -1}, "batch=-1"),
        ("nn", {"zero_distance": "far"}, "zero_distance='far'"),
        ("nn", {"optimizer": "sgd"}, "optimizer='sgd'"),
        ("nn_anchored", {"max_steps": 3}, "max_steps"),
        ("nn_scratch", {"max_steps": 0}, "max_steps=0"),
        ("nn_scratch", {"patience": 0}, "patience=0"),
        ("nn_scratch", {"huber_delta_ms": 0.0}, "huber_delta_ms=0.0"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(name, settings, says):
    with pytest.raises(UsageError, match=says) as caught:
        make_estimator(name, SURFACE.space, np.random.default_rng(0), settings, max_load_rps=20.0)
    assert "\n" not in str(caught.value)


def test_a_network_that_scales_loads_asks_for_the_scale():
    with pytest.raises(UsageError, match="max_load_rps=None"):
        make_estimator("nn", SURFACE.space, np.random.default_rng(0))
    assert set(NETWORKS) | {"constant"} == set(ESTIMATORS)


def at(slot: int) -> Observation:
    return Observation(slot=slot, minute=0.0, load_rps=5.0)


def test_warm_up_plays_its_list_trains_the_estimator_and_updates_no_entry():
    class Recorder:
        def __init__(self):
            self.learned = []

        def learn(self, load_rps, configuration, cost):
            self.learned.append((configuration, cost))

        def estimate(self, load_rps, configuration, cost, region):
            return np.full(region.shape, 7.0)

    recorder = Recorder()
    agent = make_agent(
        SURFACE, estimator=recorder, warm_up=[[4, 4, 4], [1, 1, 1], [1, 1, 1]], init="first_cost", gamma=0.0,
        alpha=0.5, pin_observed=False,
    )  # fmt: skip
    middle, corner = SURFACE.space.index((4, 4, 4)), SURFACE.space.index((1, 1, 1))
    for slot, cost in enumerate((3.0, 5.0, 6.0)):
        configuration = agent.act(at(slot))
        agent.act(at(slot))  # a slot without a request: it is played again
        agent.learn(at(slot), configuration, cost, at(slot + 1))
    assert recorder.learned == [(middle, 3.0), (corner, 5.0), (corner, 6.0)]
    assert (agent.table.values == 3.0).all()
    agent.learn(at(3), (8, 8, 8), 4.0, at(4))
    region = SURFACE.space.region(SURFACE.space.index((8, 8, 8)), 3.0)
    np.testing.assert_array_equal(agent.table.values[0, region], 5.0)
    assert (agent.table.values == 3.0).sum() == agent.table.values.size - len(region)


def test_a_pessimistic_table_holds_what_the_worst_would_cost_for_ever():
    agent = make_agent(SURFACE, init="pessimistic", init_value=5.0, gamma=0.9)
    np.testing.assert_allclose(agent.table.values, 50.0)
    with pytest.raises(UsageError, match="init_value=None with init=pessimistic"):
        make_agent(SURFACE, init="pessimistic")


def test_a_warm_up_stands_in_for_the_first_configuration():
    agent = make_agent(SURFACE, start=[1, 1, 1], warm_up=[[2, 3, 4]])
    assert agent.act(at(0)) == (2, 3, 4)


@pytest.mark.parametrize("name", ["constant", "nn", "nn_scratch"])
def test_the_loss_of_a_network_is_among_the_diagnostics(name: str) -> None:
    settings = NETWORKS.get(name)
    agent = make_agent(SURFACE, estimator=name, estimator_settings=settings, max_load_rps=2.0, radius=1.0)
    assert np.isnan(agent.diagnostics()["loss"])
    SURFACE.run(agent, 2)
    assert np.isfinite(agent.diagnostics()["loss"]) == (name != "constant")
