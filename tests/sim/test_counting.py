"""Counting a slot's latencies: the same as by search and by sums."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from serving.histogram import EDGES_S, count_latencies
from sim.counting import count

NEAR_EDGES = np.concatenate((EDGES_S, np.nextafter(EDGES_S, 0), np.nextafter(EDGES_S, np.inf)))
latencies = st.lists(st.floats(0, 1e5) | st.sampled_from(NEAR_EDGES.tolist()), max_size=40)


@given(latencies, st.integers(0, 12))
@example(NEAR_EDGES.tolist(), 3)
@example([0.0, 1e-300, 1e300], 1)
def test_it_counts_as_searching_does(latency_s: list[float], ticks: int) -> None:
    latency = np.array(latency_s)
    completed_at_s = 7.0 + np.sort(np.random.default_rng(len(latency)).uniform(0, 120, len(latency)))
    counts = count(latency, completed_at_s, 0.2, 7.0, 120.0, ticks)
    assert counts.histogram.tolist() == count_latencies(latency).tolist()
    assert counts.slo_violations == int((latency > 0.2).sum())
    assert counts.latency_sum_s == (np.cumsum(latency)[-1] if len(latency) else 0.0)
    if ticks == 0:
        assert counts.ticks is None
        return
    tick = ((completed_at_s - 7.0) * (ticks / 120.0)).astype(int)
    assert counts.ticks.completions.tolist() == np.bincount(tick, minlength=ticks).tolist()
    np.testing.assert_array_equal(counts.ticks.latency_sum_s, np.bincount(tick, latency, ticks))
