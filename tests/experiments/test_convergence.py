from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from experiments.convergence import first_passage, settles, settles_q, time_until, windowed_gap

GAPS = arrays(np.float64, st.integers(1, 60), elements=st.floats(1.0, 20.0))


def pieces(*parts: tuple[int, float]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for count, value in parts])


def test_the_window_is_a_geometric_mean():
    np.testing.assert_allclose(windowed_gap(np.array([1.0, 4.0, 16.0]), window=2), [2.0, 8.0])


def test_a_run_that_is_good_from_the_start_needs_one_window():
    assert first_passage(pieces((100, 1.2))) == 25
    assert settles(pieces((100, 1.2))) == 25


def test_never_is_infinite_and_a_run_without_the_truth_cannot_say():
    assert time_until(settles, pieces((100, 1.2))) == 25
    assert time_until(settles, pieces((100, 3.0))) == np.inf
    assert np.isnan(time_until(settles, pieces((100, np.nan))))


def test_first_passage_and_settling_differ_when_a_run_falls_back():
    gap = pieces((100, 3.0), (100, 1.0), (50, 3.0), (100, 1.0))
    # a window of 25 with k slots at 3 has mean 3 ** (k / 25), at most 1.25 for k <= 5: 20 good slots
    assert first_passage(gap) == 120
    assert settles(gap) == 270


def test_never_is_none_not_the_length():
    assert first_passage(pieces((300, 1.3))) is None
    assert settles(pieces((300, 1.3))) is None
    assert settles(pieces((200, 1.0), (30, 9.0))) is None
    assert first_passage(pieces((200, 1.0), (30, 9.0))) == 25
    assert first_passage(np.ones(24)) is None  # too short to say


def test_a_missing_gap_is_not_within():
    gap = pieces((60, 1.0))
    gap[30] = np.nan
    assert settles(gap) == 31 + 25
    gap[-1] = np.nan
    assert settles(gap) is None


@given(GAPS, st.integers(1, 10))
def test_settling_is_never_before_the_first_passage_and_holds_to_the_end(gap, window):
    first, settled = first_passage(gap, window=window), settles(gap, window=window)
    means = [np.exp(np.mean(np.log(gap[i : i + window]))) for i in range(len(gap) - window + 1)]
    if settled is None:
        assert not means or means[-1] > 1.25 - 1e-12
    else:
        assert first is not None
        assert window <= first <= settled <= len(gap)
        assert max(means[settled - window :]) <= 1.25 + 1e-12
        assert settled == window or means[settled - window - 1] > 1.25 - 1e-12


@pytest.mark.parametrize(
    ("distance", "slots"),
    [
        (pieces((40, 0.5), (60, 0.05)), 41),
        (pieces((10, 0.05), (30, 0.5), (60, 0.0)), 41),
        (np.linspace(1, 0, 201)[:-1], None),  # moving to the end: within 10 % only because it ends there
        (pieces((60, 0.5), (40, 0.0)), None),
        (np.zeros(50), 1),
    ],
)
def test_a_q_table_that_moves_to_the_end_has_not_settled(distance, slots):
    assert settles_q(distance) == slots
