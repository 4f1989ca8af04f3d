"""A simulator's table as an agent reads it."""

from __future__ import annotations

import numpy as np
import pytest

from serving.errors import UsageError
from serving.foretold import Foretold

LOADS = np.array([1.0, 4.0, 16.0])
COST = np.array([[[0.1, 1.0], [0.4, 1.0], [6.4, 2.0]]])


def test_between_loads_logarithms_are_linear_and_beyond_them_held():
    told = Foretold(LOADS, COST, 2 * COST)
    assert told.size == 2
    np.testing.assert_allclose(np.exp(told.at(np.log(4.0))[0]), [[0.4, 0.8], [1.0, 2.0]])
    np.testing.assert_allclose(np.exp(told.at(np.log(2.0))[0, 0]), [0.2, 0.4])
    np.testing.assert_allclose(told.at(np.log(100.0)), told.at(np.log(16.0)))
    np.testing.assert_allclose(told.at(-9.0), told.at(0.0))


def test_pairs_are_told_as_their_configurations_are():
    told = Foretold(LOADS, COST, 2 * COST)
    index, log_load = np.array([1, 0, 1]), np.array([0.2, 1.7, 9.0])
    expected = [told.at(load)[0, one] for one, load in zip(index, log_load, strict=True)]
    np.testing.assert_allclose(told.of(index, log_load)[0], expected)
    assert told.of(np.empty(0, dtype=int), np.empty(0)).shape == (1, 0, 2)


def test_where_nothing_completed_it_is_as_bad_as_it_gets():
    tail = 2 * COST
    tail[0, 1, 0] = np.nan
    told = Foretold(LOADS, COST, tail)
    assert told.at(np.log(4.0))[0, 0, 1] == pytest.approx(np.log(12.8))
    assert np.isfinite(Foretold(LOADS, COST, np.full_like(COST, np.nan)).at(1.0)).all()


def test_no_configuration_costs_more_than_the_worst():
    told = Foretold(LOADS, np.concatenate([COST, COST[:, ::-1]]), np.ones((2, 3, 2)))
    for load in (-1.0, 0.5, 1.4, 2.0, 9.0):
        assert told.worst(load) >= told.at(load)[..., 0].max()
    assert told.worst(np.log(4.0)) == pytest.approx(0.0)


@pytest.mark.parametrize("loads", [LOADS[:1], LOADS[::-1], LOADS - 1.0, LOADS[[0, 1, 1]]])
def test_loads_that_are_no_grid_are_refused(loads):
    with pytest.raises(UsageError, match="expected two or more ascending ones > 0"):
        Foretold(loads, COST[:, : len(loads)], COST[:, : len(loads)])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="foretold: shapes"):
        Foretold(LOADS[:2], COST, COST)
