"""The GPU's curves, whatever their parameters, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.configuration import batching_space
from serving.errors import UsageError
from serving.slot import Slot
from sim.admissible_facts import hardware, saturated_rps
from sim.gpu import GPU_LIMITS, gpu_profile
from sim.services_gpu import INCEPTION_V3_GPU, UNBATCHED_REQUESTS
from sim.system import SimulatedGpu

RANGES = INCEPTION_V3_GPU.ranges
MODEL = INCEPTION_V3_GPU.model
SIZES = (1, 2, 4, 8, 16, 32, 50, 64, 1_000_000)
THREADS = (1, 2, 4, 6, 8, 10)
parameters = st.fixed_dictionaries({key: st.floats(low, high) for key, (low, high) in RANGES.items()})
MIDDLE = {key: (low + high) / 2 for key, (low, high) in RANGES.items()}


def machine(numbers):
    return hardware(INCEPTION_V3_GPU, numbers, "test")


def throughput(numbers, threads, sizes):
    """Saturated, shape (threads, sizes)."""
    profile = gpu_profile(machine(numbers), MODEL)
    rates = saturated_rps(profile.speeds(batching_space(threads, sizes, [0])), profile.request_s)
    return rates.reshape(len(threads), len(sizes))


@given(parameters)
def test_throughput_of_one_batch_after_the_other_saturates_at_one_over_request_s(numbers):
    rate = throughput(numbers, [1], SIZES)[0]
    assert np.all(np.diff(rate) > 0)
    assert np.all(rate < 1 / numbers["request_s"])
    assert rate[-1] == pytest.approx(1 / numbers["request_s"], rel=1e-3)


@given(parameters)
def test_further_batches_slow_each_other_down_but_cost_no_throughput(numbers):
    profile = gpu_profile(machine(numbers), MODEL)
    speed = profile.speeds(batching_space([10], [8], [0])).speed[0, 1:]
    assert speed[0] == 1
    assert np.all(np.diff(speed) <= 0)
    assert np.all(np.diff(throughput(numbers, THREADS, [8])[:, 0]) >= -1e-9)


@given(parameters)
def test_more_batches_keep_the_gpu_busier_and_never_more_than_busy(numbers):
    busy = gpu_profile(machine(numbers), MODEL).speeds(batching_space([10], [8], [0])).busy[0]
    assert busy[0] == 0
    assert busy[1] == pytest.approx(numbers["kernel_share"])
    assert np.all(np.diff(busy) >= 0)
    assert busy[-1] <= 1


@pytest.mark.parametrize("off", [(0, 8, 1000), (4, 0, 1000)])
def test_batching_is_off_where_threads_or_size_are_zero(off):
    space = batching_space([0, 4], [0, 8], [1000])
    speeds = gpu_profile(machine(MIDDLE), MODEL).speeds(space)
    index = space.index(off)
    assert speeds.limit[index] == UNBATCHED_REQUESTS
    assert (speeds.batching.size[index], speeds.batching.timeout_s[index]) == (1, 0)


def test_a_lone_request_waits_the_timeout_and_then_takes_a_batch_of_one():
    system = SimulatedGpu(machine(MIDDLE), MODEL, [2], [1, 8], [0, 10_000], slo_s=1.0, keep_latencies=True)
    alone_s = MIDDLE["fixed_s"] + MIDDLE["request_s"]
    slot = Slot(0, 0.0, 60.0, np.array([5.0]), np.ones(1), 1 / 60)
    for configuration, waits_s in (((2, 8, 10_000), 0.01), ((2, 8, 0), 0.0), ((2, 1, 10_000), 0.0)):
        system.reset(0)
        assert system.serve(configuration, slot).latency_s == pytest.approx([alone_s + waits_s])


def test_a_full_batch_takes_the_fixed_part_once():
    system = SimulatedGpu(machine(MIDDLE), MODEL, [1], [4], [100_000], slo_s=1.0, keep_latencies=True)
    slot = Slot(0, 0.0, 60.0, np.full(4, 5.0), np.ones(4), 4 / 60)
    measured = system.serve((1, 4, 100_000), slot)
    assert measured.latency_s == pytest.approx([MIDDLE["fixed_s"] + 4 * MIDDLE["request_s"]] * 4)


@pytest.mark.parametrize("key", list(GPU_LIMITS))
def test_every_parameter_has_a_range(key):
    low, high = GPU_LIMITS[key]
    for value in (-1.0, 2 * high, float("nan"), "fast", True):
        with pytest.raises(UsageError) as caught:
            gpu_profile(machine(MIDDLE | {key: value}), MODEL)
        assert f"hardware.models.{MODEL}.{key}={value!r}" in str(caught.value)
        assert f"expected a number from {low:g} to {high:g}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unbatched_requests": 0}, r"hardware\.unbatched_requests=0, expected an integer from 1 to 10000"),
        ({"cores": 10}, r"hardware\.cores=.* is not known"),
        ({"processor": "cpu"}, "has processor='cpu', this system needs processor='gpu'"),
        ({"models": {}}, f"has no model={MODEL}"),
    ],
)
def test_a_wrong_profile_is_refused_with_key_value_and_choices(change, message):
    with pytest.raises(UsageError, match=message):
        gpu_profile(machine(MIDDLE) | change, MODEL)


@pytest.mark.parametrize("threads", [[10_000_000], [True], [-1], [0.5], []])
def test_batch_threads_that_no_memory_holds_are_refused(threads):
    from sim.system import SimulatedGpu

    with pytest.raises(UsageError, match=r"system\.batch_threads="):
        SimulatedGpu(machine(MIDDLE), MODEL, threads, [1], [0], slo_s=1.0)
