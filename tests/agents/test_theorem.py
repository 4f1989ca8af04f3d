"""Theorem 1 on a known MDP, under its own conditions: the limit, its gap, and what a region saves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiments.studies.delta import cost_differences
from experiments.studies.theorem1 import NOISES, RADII, KnownMDP, small_mdp, study
from experiments.studies.theorem1_figure import draw, speed_ups
from serving.configuration import ConfigurationSpace, Knob

SMALL = ConfigurationSpace((Knob("rows", (1, 2, 3)), Knob("columns", (1, 2, 3, 4))))
SIZE, STATES = 12, 2


@settings(max_examples=40, deadline=None)
@given(
    cost=arrays(float, (STATES, SIZE), elements=st.floats(0, 10)),
    transition=arrays(float, (STATES, STATES), elements=st.floats(0.01, 1)),
    sampling=arrays(float, SIZE, elements=st.floats(0.01, 1)),
    gamma=st.sampled_from([0.0, 0.5, 0.8]),
    radius=st.sampled_from([0.0, 1.0, 2.0, 5.0]),
)
def test_the_limit_is_within_delta_over_one_minus_gamma_of_the_optimum(
    cost, transition, sampling, gamma, radius
):
    transition = transition / transition.sum(axis=1, keepdims=True)
    mdp = KnownMDP(SMALL, cost, transition, sampling / sampling.sum(), gamma)
    limit, optimal = mdp.limit(radius), mdp.limit(0.0)
    gap = np.abs(limit - optimal).max()
    assert gap <= mdp.delta(radius) / (1 - gamma) + 1e-9
    # the optimum by another road: the best reply to every load, solved as linear equations
    best = np.linalg.solve(np.eye(STATES) - gamma * transition, cost.min(axis=1))
    np.testing.assert_allclose(optimal, cost + gamma * (transition @ best)[:, None], atol=1e-8)


def test_the_bound_is_reached_where_every_neighbour_is_worse_by_delta():
    # Two configurations, one of them drawn almost always: the rare one is believed to cost as much.
    space = ConfigurationSpace((Knob("threads", (1, 2)),))
    mdp = KnownMDP(space, np.array([[1.0, 3.0]]), np.ones((1, 1)), np.array([1e-9, 1 - 1e-9]), 0.5)
    gap = np.abs(mdp.limit(1.0) - mdp.limit(0.0)).max()
    assert gap == pytest.approx(mdp.delta(1.0) / 0.5, rel=1e-6)


def uneven(mdp: KnownMDP) -> KnownMDP:
    """The same, but configurations and loads are not all equally likely (R < 1)."""
    sampling = 1.0 + (np.arange(mdp.space.size) % 3)
    transition = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.1, 0.3, 0.6]])
    return replace(mdp, sampling=sampling / sampling.sum(), transition=transition)


@pytest.mark.parametrize("radius", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("change", [lambda mdp: mdp, uneven], ids=["even", "uneven"])
def test_the_agent_converges_to_that_limit(radius, change):
    mdp = change(small_mdp(gamma=0.3, side=5))
    limit, optimal = mdp.limit(radius), mdp.limit(0.0)
    early, late = mdp.learn(radius, [400, 12_000], np.random.default_rng(0))
    error = np.abs(late - limit).max()
    assert error < 0.03 * optimal.max()
    assert error < 0.5 * np.abs(early - limit).max()
    if radius:  # and not to the optimum, which is farther away than that
        assert np.abs(late - optimal).max() > 3 * error


@pytest.mark.slow
def test_a_larger_region_brings_q_to_its_limit_sooner():
    mdp = small_mdp(noise=0.5)
    checkpoints = np.unique(np.geomspace(50, 8000, 40).astype(int)).tolist()

    def arrival(radius, seed):
        tables = mdp.learn(radius, checkpoints, np.random.default_rng(seed))
        errors = np.array([np.abs(q - mdp.limit(radius)).max() for q in tables])
        return checkpoints[int(np.flatnonzero(errors <= 0.3 * mdp.limit(0.0).max())[0])]

    times = [np.mean([arrival(radius, seed) for seed in range(2)]) for radius in (0.0, 1.0, 2.0)]
    least = [mdp.near(radius).sum(axis=1).min() for radius in (1.0, 2.0)]  # n_delta in a corner: 3 and 6
    assert times[0] / times[1] > least[0]
    assert times[0] / times[2] > least[1]


def test_a_speed_up_is_a_ratio_of_mean_arrivals_with_its_interval():
    # With radius 0 the seeds arrive at slots 40, 80 and 60, with radius 1 at 20, 20 and 20 or never.
    stays = {0.0: (40, 80, 60), 1.0: (20, 20, 20)}
    data = pd.DataFrame([
        {"radius": radius, "region": 1.0 + 3 * radius, "seed": seed, "slot": slot, "largest_q": 10.0,
         "to_limit": 0.5 if slot >= arrival else 5.0}
        for radius, arrivals in stays.items() for seed, arrival in enumerate(arrivals)
        for slot in range(20, 101, 20)
    ])  # fmt: skip
    found = speed_ups(data, 0.1)
    said = found[["radius", "region", "arrival", "speed_up"]]
    assert said.to_numpy().tolist() == [[0, 1, 60, 1], [1, 4, 20, 3]]
    assert found[["low", "high"]].to_numpy().tolist() == [[1, 1], [2, 4]]
    late = data["to_limit"].where((data["radius"] == 0) | (data["seed"] > 0), 5.0)
    unknown = speed_ups(data.assign(to_limit=late), 0.1)
    assert unknown["speed_up"].isna().tolist() == [False, True]


def test_the_figure_has_a_band_for_every_radius_and_noise():
    data = pd.concat([study(small_mdp(side=3, noise=noise), 2, 300) for noise in NOISES])
    drawing = draw(data, 0.5)
    errors, gaps, speeds = drawing.figure.axes
    assert len(errors.collections) == len(RADII)
    assert len(speeds.collections) == 3
    assert "2 seeds" in drawing.caption
    assert gaps.containers[0].get_label() == "reached"


def test_differences_of_the_service_are_those_of_a_line_counted_by_hand():
    line = ConfigurationSpace((Knob("threads", (0, 1, 2, 3), zero_means=3),))
    raw = cost_differences(np.array([9.0, 1.0, 2.0, 4.0]), line, "raw").set_index("radius")
    assert raw["delta"].to_dict() == {1.0: 8.0, 2.0: 8.0, 3.0: 8.0}
    assert raw["pairs"].to_dict() == {1.0: 3, 2.0: 5, 3.0: 6}
    assert raw["median"].to_dict() == {1.0: 2.0, 2.0: 3.0, 3.0: 4.0}
    effective = cost_differences(np.array([9.0, 1.0, 2.0, 4.0]), line, "effective").set_index("radius")
    assert effective["pairs"].to_dict() == {1.0: 4, 2.0: 6}  # 0 stands on 3
    without = cost_differences(np.array([np.nan, 1.0, 2.0, 4.0]), line, "raw").set_index("radius")
    assert without["delta"].to_dict() == {1.0: 2.0, 2.0: 3.0, 3.0: 3.0}
    assert without["median_relative"].to_dict() == {1.0: 1.0, 2.0: 1.0, 3.0: 1.0}
