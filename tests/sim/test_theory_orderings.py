"""What holds of every single run, whatever arrives: work is conserved, and more of everything never hurts."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.verification_models import batches, constant_speed, one_shared_processor
from serving.dispatch import Dispatch
from serving.slot import Slot
from sim.engine import SlotTally
from sim.engines import make_engine
from sim.interference import CpuInterference, Family
from sim.speeds import SpeedTable


@st.composite
def requests(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Arrival times and demands: from quiet to overloaded."""
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gap_s = draw(st.sampled_from([0.0, 0.1, 0.7, 2.0]))
    return np.cumsum(rng.exponential(1.0, count)) * gap_s, rng.lognormal(0.0, 1.0, count)


def serve(
    speeds: SpeedTable,
    arrival_s: np.ndarray,
    demand_s: np.ndarray,
    servers: int = 1,
    dispatch: str = "random",
) -> SlotTally:
    """All of them on an empty system without a queue limit, to the last departure."""
    slot = Slot(0, 0.0, float(arrival_s[-1]) + 1.0, arrival_s, np.ones(0), 1.0)
    engine = make_engine("compiled", speeds, "episodic", None, servers, dispatch)  # type: ignore[arg-type]
    return engine.serve(0, slot, demand_s)


def work_left(arrival_s: np.ndarray, demand_s: np.ndarray) -> tuple[float, float]:
    """Time that one processor works, and when it is done, from Lindley's recursion."""
    done_s = 0.0
    for at_s, takes_s in zip(arrival_s, demand_s, strict=True):
        done_s = max(done_s, at_s) + takes_s
    return float(demand_s.sum()), done_s


@settings(max_examples=200, deadline=None)
@given(requests(), st.sampled_from([1, 3, 2000]), st.integers(1, 5))
def test_work_is_conserved(load: tuple[np.ndarray, np.ndarray], limit: int, size: int) -> None:
    """One processor is idle only when nobody is there, in whatever order it works and however it batches."""
    busy_s, done_s = work_left(*load)
    for speeds in (constant_speed(1), one_shared_processor(limit), batches(size)):
        tally = serve(speeds, *load)
        assert tally.busy_s == pytest.approx(busy_s, rel=1e-9)
        assert tally.completed_at_s[-1] == pytest.approx(done_s, rel=1e-9)


@st.composite
def curves(draw: st.DrawFn, family: Family) -> CpuInterference:
    def share(most: float) -> float:
        return draw(st.floats(0.0, most))

    return CpuInterference(
        family, draw(st.integers(1, 20)), share(1), share(1), share(0.2), share(1), share(2), share(1)
    )


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["nested", "run_to_completion", "shared_pool"]))
def test_more_cores_make_nobody_slower(data: st.DataObject, family: Family) -> None:
    """Under the same effective configuration and with as many in service, in all families of curves."""
    few = data.draw(curves(family))
    many = replace(few, cores=few.cores + data.draw(st.integers(1, 10)))
    inter_op, intra_op = (np.full(40, float(data.draw(st.integers(1, 20)))) for _ in range(2))
    in_service = np.arange(1.0, 41.0)
    slow, _ = few.curves(inter_op, intra_op, in_service)
    fast, _ = many.curves(inter_op, intra_op, in_service)
    assert (fast >= slow * (1 - 1e-12)).all()


@settings(max_examples=200, deadline=None)
@given(st.data(), requests())
def test_more_cores_never_hurt(data: st.DataObject, load: tuple[np.ndarray, np.ndarray]) -> None:
    """With an infinite queue nothing completes later: not one request of one run, under the nested curves.

    There a request's speed falls with the number in service, so whoever is ahead everywhere stays ahead.
    """
    few = data.draw(curves("nested"))
    many = replace(few, cores=few.cores + data.draw(st.integers(1, 10)))
    inter_op, intra_op, limit = (data.draw(st.integers(1, 10)) for _ in range(3))
    later_s, sooner_s = (
        serve(_table(one, inter_op, intra_op, limit), *load).completed_at_s for one in (few, many)
    )
    assert (sooner_s <= later_s + 1e-9 * later_s[-1]).all()


def _table(interference: CpuInterference, inter_op: int, intra_op: int, limit: int) -> SpeedTable:
    in_service = np.arange(1.0, limit + 1)
    speed, busy = interference.curves(
        np.full(limit, float(inter_op)), np.full(limit, float(intra_op)), in_service
    )
    none = np.zeros(1)
    return SpeedTable(
        np.array([limit]), np.concatenate((none, speed))[None], np.concatenate((none, busy))[None]
    )


@settings(max_examples=200, deadline=None)
@given(requests(), st.integers(1, 6), st.integers(1, 3))
def test_more_servers_never_hurt(load: tuple[np.ndarray, np.ndarray], servers: int, more: int) -> None:
    """M/M/c and all its kin: in every run the k-th start, so the k-th departure, comes no later."""
    few_s = serve(constant_speed(servers), *load).completed_at_s
    many_s = serve(constant_speed(servers + more), *load).completed_at_s
    assert (many_s <= few_s + 1e-9 * few_s[-1]).all()


@pytest.mark.parametrize("servers", [2, 4, 10])
def test_knowing_the_queues_is_worth_more_than_turns_and_less_than_one_queue(servers: int) -> None:
    """Mean latency: one queue <= least loaded <= round robin <= random (exponential services)."""
    rng = np.random.default_rng(3)
    count = 400_000
    arrival_s = np.cumsum(rng.exponential(1 / (0.8 * servers), count))
    demand_s = rng.exponential(1.0, count)
    dispatches: list[Dispatch] = ["least_loaded", "round_robin", "random"]
    mean_s = [serve(constant_speed(servers), arrival_s, demand_s).latency_s.mean()]
    mean_s += [
        serve(constant_speed(1), arrival_s, demand_s, servers, one).latency_s.mean() for one in dispatches
    ]
    assert all(better < 0.97 * worse for better, worse in pairwise(mean_s))
