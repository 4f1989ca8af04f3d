"""Histograms, quantiles, objectives and the cost table."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.cost_table import ChangingCosts, CostTable
from serving.errors import UsageError
from serving.histogram import BIN_COUNT, EDGES_S, count_latencies, quantiles_s
from serving.measurement import Ticks, summarise
from serving.objective import MeanLatency, MinResource, StrictSlo
from serving.observation import LoadBins
from serving.slot import Slot

latencies = st.lists(st.floats(2e-4, 1e3), min_size=1, max_size=300).map(np.array)


def slot_with(arrivals: int) -> Slot:
    return Slot(0, 0.0, 100.0, np.linspace(0, 99, arrivals), np.ones(arrivals), arrivals / 100)


def measured(latency_s=(), **changes):
    latency_s = np.array(latency_s, dtype=float)
    defaults = {"slo_violations": int((latency_s > 1).sum()), "backlog_start": 0, "backlog_end": 0}
    return summarise(
        slot_with(len(latency_s)),
        histogram=count_latencies(latency_s),
        latency_sum_s=float(latency_s.sum()),
        **(defaults | changes),
    )


@given(latencies, st.sampled_from([0.5, 0.95, 0.99]))
def test_quantiles_are_within_one_percent_of_the_sorted_value(latency_s, q):
    exact = np.sort(latency_s)[max(1, int(np.ceil(q * len(latency_s)))) - 1]
    assert quantiles_s(count_latencies(latency_s), [q])[0] == pytest.approx(exact, rel=0.01)


@given(latencies)
def test_every_latency_is_counted_once(latency_s):
    assert count_latencies(latency_s).sum() == len(latency_s)


def test_extreme_latencies_fall_into_the_outer_bins():
    counts = count_latencies(np.array([0.0, 1e-9, 1e9]))
    assert counts[0] == 2
    assert counts[-1] == 1
    assert len(counts) == BIN_COUNT == len(EDGES_S) + 1


def test_no_latency_has_no_quantile():
    assert quantiles_s(np.zeros(BIN_COUNT, dtype=np.int64), (0.5, 0.95)) == (None, None)


def test_mean_latency_counts_every_lost_request_as_the_penalty():
    cost = MeanLatency(slo_s=1, penalty_s=5)
    assert cost(measured([0.1, 0.3])) == pytest.approx(0.2)
    assert cost(measured([0.1, 0.3], rejections=1, timeouts=1)) == pytest.approx((0.4 + 10) / 4)
    assert cost(measured([], rejections=3)) == 5


def test_a_slot_without_requests_has_no_cost_and_a_stuck_backlog_has_the_penalty():
    for objective in (MeanLatency(slo_s=1), StrictSlo(slo_s=1), MinResource(slo_s=1)):
        assert objective(measured([])) is None
    stuck = measured([], backlog_start=2, backlog_end=2, cpu_utilisation=1.0)
    assert MeanLatency(slo_s=1, penalty_s=5)(stuck) == 5
    assert StrictSlo(slo_s=1, penalty_s=5, weight=5)(stuck) == pytest.approx(5 * 6)
    assert MinResource(slo_s=1, penalty_s=5, weight=10)(stuck) == pytest.approx(1 + 10 * 4)


def test_strict_slo_weighs_the_share_of_violations():
    objective = StrictSlo(slo_s=1, penalty_s=5, weight=5)
    assert objective(measured([0.5, 0.5, 0.5, 2.5])) == pytest.approx(1.0 * (1 + 5 * 0.25))
    lost = measured([0.5], rejections=1)
    assert objective(lost) == pytest.approx((0.5 + 5) / 2 * (1 + 5 * 0.5))


def test_min_resource_is_utilisation_until_p95_is_over_the_objective():
    objective = MinResource(slo_s=1, weight=10)
    good = measured([0.5] * 20, cpu_utilisation=0.4)
    assert objective(good) == pytest.approx(0.4)
    assert objective(replace(good, p95_latency_s=1.5)) == pytest.approx(0.4 + 10 * 0.5)
    assert objective(replace(good, gpu_utilisation=0.7)) == pytest.approx(0.7)
    with pytest.raises(UsageError, match="utilisation"):
        objective(replace(good, cpu_utilisation=None))


@pytest.mark.parametrize("change", [{"penalty_s": -1}, {"slo_s": 0}])
def test_objectives_refuse_nonsense(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        MeanLatency(**({"slo_s": 1} | change))


def test_records_with_arrays_compare_by_content():
    assert measured([0.1, 0.2]) == measured([0.1, 0.2])
    assert measured([0.1, 0.2]) != measured([0.1, 0.3])
    assert slot_with(3) == slot_with(3)
    assert slot_with(3) != slot_with(4)
    assert slot_with(3) != "a slot"
    assert Ticks(np.zeros(1), np.array([np.nan])) == Ticks(np.zeros(1), np.array([np.nan]))


def test_load_bins_are_equal_and_clamp():
    bins = LoadBins(20.0, 10)
    assert [bins(load) for load in (0, 1.99, 2, 19.9, 20, 1e6, -1)] == [0, 0, 1, 9, 9, 9, 0]


def test_cost_table_interpolates_the_logarithm_and_holds_its_ends():
    cost = np.array([[1.0, 4.0], [100.0, 4.0]])
    table = CostTable(np.array([10.0, 20.0]), cost, cost * 0, cost < 0)
    assert table.at(15.0) == pytest.approx([10.0, 4.0])
    assert table.at(5.0) == pytest.approx([1.0, 4.0])
    assert table.at(50.0) == pytest.approx([100.0, 4.0])
    assert [table.covers(load) for load in (9.9, 10, 20, 20.1)] == [False, True, True, False]
    assert table.best(10.0) == (0, pytest.approx(1.0))
    assert table.best(15.0) == (1, pytest.approx(4.0))
    assert table.best_static(np.array([10.0, 20.0])) == 1
    assert table.best_static(np.array([10.0])) == 0


def test_costs_of_a_system_that_changes_are_those_of_its_state_in_that_slot():
    def table(*costs):
        cost = np.array([costs, costs], dtype=float)
        return CostTable(np.array([10.0, 20.0]), cost, cost * 0, cost < 0)

    changing = ChangingCosts((4, 6, 7), (table(1.0, 2.0), table(100.0, 2.0), table(100.0, 1.0)))
    assert changing.at(15.0, 0) == pytest.approx([1.0, 2.0])
    assert changing.at(15.0, 4) == pytest.approx([1.0, 2.0])
    assert changing.at(15.0, 5) == pytest.approx([10.0, 2.0])
    assert changing.at(15.0, 6) == pytest.approx([100.0, 2.0])
    assert changing.at(15.0, 99) == pytest.approx([100.0, 1.0])
    assert [changing.best(15.0, slot)[0] for slot in (4, 5, 99)] == [0, 1, 1]
    assert changing.best_static(np.full(5, 15.0)) == 0
    assert changing.best_static(np.full(9, 15.0)) == 1
    assert [changing.covers(load) for load in (9.9, 10.0)] == [False, True]
    assert changing.optimum_and_gap(0, 15.0, 99) == pytest.approx((1.0, 100.0))
    assert changing.optimum_and_gap(0, 9.9, 99) is None
