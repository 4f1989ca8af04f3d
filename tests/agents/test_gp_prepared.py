"""The Gaussian-process agent after a simulator: what it believes of it, and what it does first."""

from __future__ import annotations

import numpy as np
import pytest

from agents.acquisition import make_acquisition
from agents.gp import GPAgent
from agents.gp_cells import Cells
from agents.gp_kernel import ConfigurationLoadKernel, Scales
from agents.gp_posterior import Posterior
from agents.log_knobs import log_coordinates
from agents.log_scale import PLAIN, LogScale
from serving.configuration import cpu_space
from serving.observation import Observation

SPACE = cpu_space(maximum=3, minimum=0)


def observation(slot: int = 0, **measured: float) -> Observation:
    return Observation(slot=slot, minute=2.0 * slot, **measured)


def test_a_simulators_slots_and_real_ones_stay_apart():
    cells = Cells(outputs=1, load_step=0.1, most=3)
    cells.add(0, 1.0, np.array([1.0]))
    cells.simulated[:] = True
    for cost in (3.0, 5.0):
        cells.add(0, 1.0, np.array([cost]))
    assert cells.value[:, 0].tolist() == [1.0, 4.0]
    assert cells.simulated.tolist() == [True, False]
    cells.add(1, 1.0, np.array([7.0]))
    cells.add(1, 1.2, np.array([9.0]))  # one too many: the two of configuration 1 are merged, not those of 0
    assert cells.value[:, 0].tolist() == [1.0, 4.0, 8.0]
    assert cells.simulated.tolist() == [True, False, False]


def test_a_simulator_is_believed_as_far_as_a_process_of_errors_allows():
    """simulated = real + error, both Gaussian processes: the posterior by the joint covariance."""
    scales, rng = Scales(simulator=0.6, slope=1.0), np.random.default_rng(5)  # nothing compressed
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), scales)
    cells = Cells(outputs=1, load_step=0.1, most=100)
    for number in range(30):
        cells.add(int(rng.integers(SPACE.size)), rng.normal(2.0, 0.7), np.exp(rng.normal(size=1)))
        if number == 19:
            cells.simulated[:] = True
    index, load, value = cells.configuration, cells.log_load, np.log(cells.value[:, 0])
    real, error = kernel(index, load, index, load), 0.6**2 * kernel(index, load, index, load)
    noisy = real + error * np.outer(cells.simulated, cells.simulated) + np.diag(0.01 / cells.weight)
    across = kernel(index, load, np.arange(SPACE.size), np.full(SPACE.size, 2.0))
    solved = np.linalg.solve(noisy, value - value.min() - 1.0)
    variance = scales.prior_variance - (across * np.linalg.solve(noisy, across)).sum(axis=0)

    def surprise(among):  # chi-squared of some cells
        return (value[among] - value.min() - 1.0) @ np.linalg.solve(
            noisy[np.ix_(among, among)], value[among] - value.min() - 1.0
        )

    everything, simulated = np.arange(len(cells)), np.flatnonzero(cells.simulated)
    count = len(everything) - len(simulated)
    amplitude = (10.0 + surprise(everything) - surprise(simulated)) / (10.0 + count)
    belief = Posterior(cells, kernel).at(2.0)
    np.testing.assert_allclose(belief.mean[:, 0], value.min() + 1.0 + across.T @ solved, rtol=1e-8)
    np.testing.assert_allclose(belief.deviation[:, 0] ** 2, amplitude * variance, rtol=1e-6)


def test_a_scale_is_undone_and_steady():
    scale, logs = LogScale(knee=1.0, slope=3.0), np.linspace(-3.0, 4.0, 50)
    places = scale.place(logs)
    np.testing.assert_allclose(scale.logarithm(places), logs, atol=1e-12)
    np.testing.assert_allclose(places[logs < 1], logs[logs < 1])
    assert scale.place(4.0) == pytest.approx(2.0)
    np.testing.assert_array_equal(PLAIN.place(logs), logs)
    np.testing.assert_array_equal(PLAIN.logarithm(logs), logs)


def test_a_compressed_scale_keeps_a_cliff_from_drawing_its_neighbours():
    kernel = ConfigurationLoadKernel(log_coordinates(SPACE), Scales(knee=2.0, slope=3.0))
    cells = Cells(outputs=1, load_step=0.1, most=100, most_weight=1e6)
    for configuration, logarithm in ((5, 0.0), (9, 1.0), (20, 8.0)):
        cells.add(configuration, 2.0, np.exp([logarithm]), weight=1e6)  # known for sure
    plain = Posterior(cells, kernel).at(2.0)
    np.testing.assert_allclose(plain.mean[[5, 9, 20], 0], [0.0, 1.0, 8.0], atol=1e-3)
    compressed = Posterior(cells, kernel, compressed=True).at(2.0)
    assert compressed.mean[20, 0] == pytest.approx(2.0 + 6.0 / 3.0, abs=1e-3)
    assert compressed.scales[0].logarithm(compressed.mean[20, 0]) == pytest.approx(8.0, abs=1e-2)
    assert compressed.mean[8, 0] < plain.mean[8, 0]  # what is between is hardly drawn by the cliff


def test_a_wrong_simulator_is_seen_through():
    """In it the first corner is best; in truth it costs ten times as much as the opposite one."""
    coordinates = log_coordinates(SPACE).sum(axis=1)
    slope = np.log(10) / np.ptp(coordinates)

    def serve(agent, sign, slots):
        costs = []
        for slot in range(slots):
            seen = observation(slot, load_rps=10.0)
            played = agent.act(seen)
            costs.append(np.exp(sign * slope * coordinates[SPACE.index(played)]))
            agent.learn(seen, played, costs[-1], observation(slot + 1, load_rps=10.0, p95_latency_s=0.1))
        return costs

    agent = GPAgent(space=SPACE, play_defaults=True)
    agent.begin_preparation()
    serve(agent, 1.0, 200)
    agent.end_preparation()
    costs = serve(agent, -1.0, 60)
    least = np.exp(-slope * coordinates.max())
    assert costs[0] > 9 * least  # it does believe the simulator
    assert np.mean(costs[40:]) < 1.1 * least


def test_before_anything_is_measured_a_prepared_agent_expects_the_largest_load_that_it_knows():
    agent = GPAgent(space=SPACE)
    for _ in range(10):  # the first is cheap at a low load, and overloaded at a high one
        for load_rps, played, cost in ((5.0, (1, 1, 1), 0.1), (50.0, (1, 1, 1), 5.0), (50.0, (3, 3, 3), 0.3)):
            agent.learn(observation(load_rps=load_rps), played, cost, observation(1, load_rps=load_rps))
    agent.end_preparation()
    agent.score = make_acquisition("price", horizon=0, kappa=0)
    assert agent.act(observation(0)) == agent.act(observation(7, load_rps=50.0)) == (3, 3, 3)
    assert agent.act(observation(7)) == agent.act(observation(7, load_rps=0.1)) == (1, 1, 1)


def test_the_free_slots_of_safe_play_are_real_ones():
    agent = GPAgent(space=SPACE, safety={"free_slots": 3}, slo_s=0.5)
    seen = observation(load_rps=10.0)
    for _ in range(10):  # the first is cheap and has a long tail
        for played, cost, tail_s in (((1, 1, 1), 0.1, 1.0), ((3, 3, 3), 0.2, 0.1)):
            agent.learn(seen, played, cost, observation(load_rps=10.0, p95_latency_s=tail_s))
    assert agent.act(seen) == (3, 3, 3)
    agent.end_preparation()
    free = agent.act(seen)
    agent.safety = None
    assert agent.act(seen) == free != (3, 3, 3)


def test_overload_is_compressed_from_the_first_simulated_slot_on_and_for_nobody_else():
    agents = {"scratch": GPAgent(space=SPACE), "prepared": GPAgent(space=SPACE)}
    agents["prepared"].begin_preparation()
    believed = {}
    for name, agent in agents.items():
        for played, cost in (((1, 1, 1), 0.1), ((3, 3, 3), 900.0)):
            agent.learn(observation(load_rps=10.0), played, cost, observation(1, load_rps=10.0))
        agent.act(observation(2, load_rps=10.0))
        believed[name] = agent.diagnostics()["implied_latency"]
        again = GPAgent(space=SPACE)
        again.load_state_dict(agent.state_dict())
        again.act(observation(2, load_rps=10.0))
        np.testing.assert_array_equal(again.diagnostics()["implied_latency"], believed[name])
    between = SPACE.index((2, 2, 2))
    assert believed["prepared"][between] < believed["scratch"][between]


def test_a_simulator_without_overload_makes_nobody_leap():
    """What is unknown may cost more than e times what has been cheap so far."""
    space = cpu_space(maximum=8, minimum=1)
    agent = GPAgent(space=space)
    agent.begin_preparation()
    for cost in (1.0, 1.1, 1.2, 1.3, 1.4):
        agent.learn(observation(load_rps=10.0), (4, 4, 4), cost, observation(1, load_rps=10.0))
    agent.end_preparation()
    assert max(abs(np.log2(agent.act(observation(5, load_rps=10.0))) - 2)) < 1


def test_the_cap_of_a_price_leaves_safe_play_and_beliefs_alone():
    agent = GPAgent(space=SPACE, safety={"free_slots": 0, "reference": [3, 3, 3]})
    agent.begin_preparation()
    for rate in (4.0, 6.0, 8.0, 10.0):
        agent.learn(observation(load_rps=rate), (3, 3, 3), np.exp(rate), observation(1, load_rps=rate))
    agent.end_preparation()
    agent.act(observation(5, load_rps=30.0))
    assert agent.diagnostics()["implied_latency"][SPACE.index((3, 3, 3))] > np.exp(11.0)  # e times the worst


def test_a_prepared_agent_is_bold_in_a_simulator_and_careful_in_what_is_real():
    """The same slots: one that may be better, or overloaded, is tried where that costs nothing."""
    played = {}
    for where in ("simulated", "real"):
        agent = GPAgent(space=SPACE, play_defaults=True, scales={"simulator": 1e-3})
        agent.begin_preparation()
        for _ in range(3):
            for configuration, cost in (((1, 1, 1), 1.0), ((3, 3, 3), 2000.0)):
                agent.learn(observation(load_rps=10.0), configuration, cost, observation(1, load_rps=10.0))
        if where == "real":
            agent.end_preparation()
        again = GPAgent(space=SPACE, play_defaults=True, scales={"simulator": 1e-3})
        again.load_state_dict(agent.state_dict())
        played[where] = agent.act(observation(4, load_rps=10.0))
        assert again.act(observation(4, load_rps=10.0)) == played[where]
    distance = {where: max(abs(knob - 1) for knob in played[where]) for where in played}
    assert distance["simulated"] > distance["real"]
