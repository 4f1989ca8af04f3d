from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agents.policy import draw, entropy, make_policy

COSTS_S = arrays(np.float64, st.integers(1, 20), elements=st.floats(0.01, 10.0))


def shares(*weights: float) -> np.ndarray:
    return np.array(weights) / sum(weights)


def test_paper_by_hand():
    q = np.array([0.5, 1.0])  # beta = 20 / ((1 - 0.9) * 0.5) = 400 per second: the second is e^-200
    np.testing.assert_allclose(make_policy("paper", gamma=0.9)(q), shares(1, np.exp(-200)))
    np.testing.assert_allclose(make_policy("paper", gamma=0.0)(q), shares(1, np.exp(-20)))


def test_paper_floor_is_one_millisecond():
    q = np.array([0.0, 1e-4])  # beta = 20 / 1 ms, differences of 0.1 ms
    np.testing.assert_allclose(make_policy("paper")(q), shares(1, np.exp(-2)))


def test_literal_is_per_millisecond():
    np.testing.assert_allclose(make_policy("literal")(np.array([0.1, 0.2])), shares(1, np.exp(-2)))


def test_unit_free_by_hand():
    np.testing.assert_allclose(make_policy("unit_free")(np.array([2.0, 2.02])), shares(1, np.exp(-1)))


def test_code_by_hand():
    # Q = 200 and 400 ms: logits 100 and 50
    np.testing.assert_allclose(make_policy("code")(np.array([0.2, 0.4])), shares(1, np.exp(-50)))
    # Q = 10 and 20 ms: logits 2000 and 1000, halved twice to 500 and 250
    np.testing.assert_allclose(make_policy("code")(np.array([0.01, 0.02])), shares(1, np.exp(-250)))


@given(COSTS_S, st.floats(0.2, 1000.0))
def test_unit_free_does_not_depend_on_the_unit(q, factor):
    policy = make_policy("unit_free")
    np.testing.assert_allclose(policy(q), policy(factor * q), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", ["paper", "literal", "unit_free", "code"])
@given(q=arrays(np.float64, st.integers(1, 20), elements=st.floats(-1.0, 1e4)))
def test_every_policy_is_a_distribution_that_prefers_smaller_q_even_below_zero(name, q):
    probabilities = make_policy(name)(q)
    assert probabilities.sum() == pytest.approx(1.0)
    ascending = np.argsort(q, kind="stable")
    assert (np.diff(probabilities[ascending]) <= 0).all()


@given(COSTS_S, st.floats(0, 1, exclude_max=True))
def test_a_draw_has_positive_probability(q, uniform):
    probabilities = make_policy("unit_free")(q)
    assert probabilities[draw(probabilities, uniform)] > 0


def test_draws_follow_the_probabilities():
    probabilities = shares(1, 0, 3, 4)
    grid = (np.arange(8000) + 0.5) / 8000
    counts = np.bincount([draw(probabilities, u) for u in grid], minlength=4)
    np.testing.assert_array_equal(counts, [1000, 0, 3000, 4000])


def test_entropy_of_uniform_and_of_certain():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(np.log(8))
    assert entropy(np.array([0.0, 1.0])) == 0.0
