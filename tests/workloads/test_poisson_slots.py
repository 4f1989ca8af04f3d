import tracemalloc

import numpy as np
import pytest
from workload_worlds import ks_distance_to_exponential, made_minutes

from serving.errors import UsageError
from serving.workload import Workload
from workloads.constant import Constant
from workloads.dynamic import Dynamic
from workloads.poisson import Piece, PoissonWorkload
from workloads.rrl_code import RrlCodeSchedule
from workloads.sizes import RequestSizes
from workloads.wiki import Wiki

SIZES = RequestSizes("lognormal")


class Steps(PoissonWorkload):
    """Rates that change inside slots, one of them zero."""

    def pieces(self, rng):
        for end_s, rate_rps in ((30.0, 10.0), (70.0, 0.0), (100.0, 40.0), (250.0, 4.0)):
            yield Piece(end_s, rate_rps)


WORKLOADS = [
    Constant(sizes=SIZES),
    Dynamic(sizes=SIZES),
    Wiki(sizes=SIZES),
    Wiki(preset="spiky", compression=14.4),
    RrlCodeSchedule(sizes=SIZES),
    Steps(max_load_rps=50.0),
]
each_workload = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one.name)


def same(a, b) -> bool:
    return (
        (a.index, a.start_s, a.duration_s, a.true_load_rps)
        == (b.index, b.start_s, b.duration_s, b.true_load_rps)
        and np.array_equal(a.arrival_s, b.arrival_s)
        and np.array_equal(a.size, b.size)
    )


@each_workload
def test_slots_are_contiguous_and_hold_sorted_arrivals(workload: Workload):
    end_s = 0.0
    for index, slot in enumerate(workload.slots(3, 200)):
        assert slot.index == index
        assert slot.start_s == pytest.approx(end_s, abs=1e-9)
        end_s = slot.end_s
        assert np.all(np.diff(slot.arrival_s) >= 0)
        assert np.all((slot.arrival_s >= slot.start_s) & (slot.arrival_s < slot.end_s))
        assert slot.size.shape == slot.arrival_s.shape
        assert np.all(slot.size > 0)
    assert index == 199


@each_workload
def test_fewer_slots_are_a_prefix_of_more(workload: Workload):
    few, many = list(workload.slots(5, 10)), list(workload.slots(5, 100))
    assert all(same(a, b) for a, b in zip(few, many, strict=False))


@each_workload
def test_the_seed_decides_everything(workload: Workload):
    first, again, other = (list(workload.slots(seed, 20)) for seed in (1, 1, 2))
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(
        np.array_equal(a.arrival_s, b.arrival_s) for a, b in zip(first, other, strict=True) if len(a.size)
    )


def test_sizes_do_not_move_the_arrivals():
    plain, speech = Constant(), Constant(sizes=SIZES)
    for a, b in zip(plain.slots(0, 5), speech.slots(0, 5), strict=True):
        assert np.array_equal(a.arrival_s, b.arrival_s)
        assert not np.array_equal(a.size, b.size)


def test_arrivals_of_a_slot_depend_on_its_rate_and_number_only():
    low, high = Constant(mean_rps=14.0), Constant(mean_rps=14.0, slot_s=120.0, name="other")
    dynamic = Dynamic(lowest_rps=14.0, highest_rps=14.0)
    for a, b, c in zip(low.slots(0, 5), high.slots(0, 5), dynamic.slots(0, 5), strict=True):
        assert np.array_equal(a.arrival_s, b.arrival_s)
        assert np.array_equal(a.arrival_s, c.arrival_s)


def test_counts_have_the_mean_and_variance_of_a_poisson_law():
    counts = np.array([len(slot.arrival_s) for slot in Constant(mean_rps=5.0, slot_s=20.0).slots(7, 4000)])
    # Standard errors: of the mean sqrt(100/4000) = 0.16, of the index of dispersion sqrt(2/4000) = 0.022.
    assert counts.mean() == pytest.approx(100.0, abs=0.5)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.07)
    # Independent from slot to slot.
    assert abs(np.corrcoef(counts[1:], counts[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize("window_s", [0.1, 1.0, 7.0])
def test_dispersion_is_one_at_every_time_scale(window_s):
    arrivals = np.concatenate([slot.arrival_s for slot in Constant(mean_rps=20.0).slots(1, 100)])
    counts = np.bincount((arrivals / window_s).astype(int), minlength=int(12000 / window_s))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / len(counts)))


@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_exponential_also_across_slots(seed):
    arrivals = np.concatenate([slot.arrival_s for slot in Constant(mean_rps=14.0).slots(seed, 50)])
    assert ks_distance_to_exponential(np.diff(arrivals), 1 / 14.0) < 1.63


def test_gaps_under_a_changing_rate_are_exponential_in_operational_time():
    workload = Wiki(compression=14.4)  # about eight days: the rate more than doubles in a day
    gaps, gaps_of_time = [], []
    for slot in workload.slots(2, 300):
        gaps.append(np.diff(slot.arrival_s) * slot.true_load_rps)
        gaps_of_time.append(np.diff(slot.arrival_s) * 11.0)
    assert ks_distance_to_exponential(np.concatenate(gaps), 1.0) < 1.63
    assert ks_distance_to_exponential(np.concatenate(gaps_of_time), 1.0) > 3.0  # so the test can fail


def test_arrivals_follow_the_curve_within_and_across_slots():
    runs = [
        np.concatenate([s.arrival_s for s in Steps(max_load_rps=50.0).slots(seed, 2)]) for seed in range(400)
    ]
    per_second = np.histogram(np.concatenate(runs), np.arange(0, 241, 10))[0] / 10 / len(runs)
    expected = np.repeat([10.0, 0.0, 40.0, 4.0], [3, 4, 3, 14])
    assert per_second == pytest.approx(expected, abs=5 * np.sqrt(40.0 / 10 / 400))
    assert np.all(per_second[3:7] == 0)


def test_true_load_is_the_time_average_of_the_rate():
    first, second = Steps(max_load_rps=50.0).slots(0, 2)
    assert first.true_load_rps == pytest.approx((30 * 10 + 30 * 40 + 20 * 4) / 120)
    assert second.true_load_rps == pytest.approx(4.0)


@pytest.mark.parametrize(
    "workload",
    [Constant(), Dynamic(), Wiki(), Wiki(preset="spiky"), RrlCodeSchedule()],
    ids=lambda one: one.name,
)
def test_true_load_of_a_long_window_is_the_mean_of_arrivals(workload: Workload):
    slots = list(workload.slots(4, 1000))
    arrived = sum(len(slot.arrival_s) for slot in slots)
    expected = sum(slot.true_load_rps * slot.duration_s for slot in slots)
    assert arrived == pytest.approx(expected, abs=4 * np.sqrt(arrived))


def test_slots_are_lazy_and_memory_does_not_grow():
    slots = Constant(mean_rps=50.0).slots(0, 10**9)
    next(slots)
    tracemalloc.start()
    for _ in range(20):
        next(slots)
    early = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        next(slots)
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late - early < 200_000  # one slot holds 96 kB


@pytest.mark.parametrize(
    ("workload", "mean"), [(Constant(), 14.0), (Wiki(), 11.0), (Wiki(mean_rps=3.0), 3.0)]
)
def test_load_bins_end_at_twice_the_mean_unless_told_otherwise(workload, mean):
    assert workload.max_load_rps == 2 * mean
    assert type(workload)(mean_rps=mean, max_load_rps=99.0).max_load_rps == 99.0


def test_load_bins_are_never_read_off_the_trace(tmp_path):
    peaky = made_minutes(tmp_path / "peaky.csv", [100] * 50 + [100_000] + [100] * 50)
    assert Wiki(trace=str(peaky)).max_load_rps == 22.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(mean_rps=0), r"workload\.mean_rps=0"),
        (lambda: Constant(mean_rps=-1.0), r"workload\.mean_rps=-1"),
        (lambda: Constant(mean_rps=float("nan")), r"workload\.mean_rps=nan"),
        (lambda: Constant(mean_rps="14"), r"workload\.mean_rps=14"),
        (lambda: Constant(mean_rps=None), r"workload\.mean_rps=None"),
        (lambda: Constant(slot_s=0.0), r"workload\.slot_s=0"),
        (lambda: Constant(max_load_rps=-2.0), r"workload\.max_load_rps=-2"),
        (
            lambda: Constant(sizes="lognormal"),
            r"workload\.sizes=lognormal: set workload\.sizes\.distribution",
        ),
        (lambda: RequestSizes("weibull"), r"workload\.sizes\.distribution=weibull: .*lognormal"),
        (lambda: RequestSizes("lognormal", cv=0.0), r"workload\.sizes\.cv=0"),
        (
            lambda: Dynamic(lowest_rps=9.0, highest_rps=8.0),
            r"workload\.lowest_rps=9.0: .*workload\.highest_rps=8",
        ),
        (lambda: Dynamic(shortest_period_s=9.0, longest_period_s=8.0), r"workload\.shortest_period_s=9"),
        (lambda: Dynamic(lowest_rps=0.0), r"workload\.lowest_rps=0"),
        (lambda: Dynamic(max_load_rps=None), r"workload\.max_load_rps=None"),
        (lambda: Wiki(preset="stormy"), r"workload\.preset=stormy: must be one of calm, spiky"),
        (lambda: Wiki(compression=0.0), r"workload\.compression=0"),
        (lambda: Wiki(start_h=-1.0), r"workload\.start_h=-1"),
        (lambda: Wiki(mean_rps=0.0), r"workload\.mean_rps=0"),
        (lambda: RrlCodeSchedule(requests_per_slot=0), r"workload\.requests_per_slot=0"),
        (lambda: RrlCodeSchedule(requests_per_slot=2.5), r"workload\.requests_per_slot=2.5"),
        (lambda: RrlCodeSchedule(max_load_rps=0.0), r"workload\.max_load_rps=0"),
        (lambda: RrlCodeSchedule().slots(0, 3001), r"slots=3001: must be at most 3000"),
        (lambda: Constant().slots(-1, 3), r"seed=-1"),
        (lambda: Constant().slots(0, -3), r"slots=-3"),
    ],
)
def test_bad_settings_are_one_line_that_names_the_key(make, message):
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
