"""The search for admissible profiles: its draws, its facts on machines whose facts are known, its choice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from paper_profiles import CONF, stationary

from serving.configuration import cpu_space
from sim.admissible import SERVICES, draw, measure, medoid
from sim.admissible_facts import FACTS, Candidate, capacity_rps, median_step, throughput_ratio
from sim.gpu import GPU_LIMITS
from sim.hardware import CPU_LIMITS
from sim.services_cpu import INCEPTION_V3
from sim.services_gpu import INCEPTION_V3_GPU

IDEAL = dict.fromkeys(("synchronisation", "memory_contention", "oversubscription", "spinning"), 0.0)
services = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


@services
def test_draws_stay_in_their_stated_ranges_and_are_allowed_in_a_profile(service):
    rng = np.random.default_rng(0)
    limits = GPU_LIMITS if service.processor == "gpu" else CPU_LIMITS
    assert set(service.ranges) == set(limits)
    for _ in range(50):
        for key, value in draw(service, rng).items():
            low, high = service.ranges[key]
            assert low <= value <= high
            assert limits[key][0] <= value <= limits[key][1]


@services
def test_only_known_facts_are_asked(service):
    assert set(service.asked) <= set(FACTS)
    assert service.slo_s > 0


@services
def test_grid_queue_loads_and_sizes_are_those_of_the_settings(service):
    system = OmegaConf.load(CONF / "system" / f"sim_{service.processor}.yaml")
    assert {key: list(values) for key, values in service.grid.items()} == {
        key: list(system[key]) for key in ("batch_threads", "batch_size", "batch_timeout_us") if key in system
    }
    assert service.queue_limit == system.queue_limit
    gpu = service.processor == "gpu"
    dynamic = OmegaConf.load(CONF / ("loads/sim_gpu_dynamic.yaml" if gpu else "workload/dynamic.yaml"))
    assert service.top_rps == (dynamic.workload if gpu else dynamic).highest_rps
    assert service.sizes == OmegaConf.load(CONF / "model" / f"{service.model}.yaml").sizes


def test_the_throughput_ratio_of_an_ideal_machine_is_its_cores():
    numbers = IDEAL | {"sequential_s": 0.4, "inter_op_fraction": 0.5, "intra_op_fraction": 0.9}
    candidate = Candidate(INCEPTION_V3, numbers, stationary(INCEPTION_V3))
    assert throughput_ratio(candidate) == pytest.approx(10.0)
    assert capacity_rps(candidate) == pytest.approx(10 / 0.4)


@given(st.floats(1e-3, 0.02), st.floats(1e-3, 0.01))
def test_batches_that_take_turns_serve_what_one_full_batch_after_the_other_does(fixed_s, request_s):
    numbers = {"fixed_s": fixed_s, "request_s": request_s, "contention": 1.0, "kernel_share": 0.5}
    candidate = Candidate(INCEPTION_V3_GPU, numbers, stationary(INCEPTION_V3_GPU))
    assert capacity_rps(candidate) == pytest.approx(64 / (fixed_s + 64 * request_s))


def test_medoid_is_the_draw_in_the_middle():
    ranges = INCEPTION_V3.ranges
    middle = {key: (low + high) / 2 for key, (low, high) in ranges.items()}
    lowest = {key: low for key, (low, _) in ranges.items()}
    highest = {key: high for key, (_, high) in ranges.items()}
    assert medoid(ranges, [lowest, middle, highest]) == 1


def test_steps_to_the_system_default_are_no_neighbours():
    space = cpu_space(maximum=3)
    cost = np.where((space.values == 0).any(axis=1), 1000.0, 2.0 ** space.values.sum(axis=1))
    assert median_step(space, cost) == pytest.approx(2.0)


def test_a_service_faster_than_its_processor_is_not_admissible():
    numbers = {"fixed_s": 0.001, "request_s": 0.001, "contention": 0.0, "kernel_share": 0.5}
    assert measure(Candidate(INCEPTION_V3_GPU, numbers, stationary(INCEPTION_V3_GPU))) is None


def test_a_service_too_slow_for_its_objective_is_not_admissible():
    numbers = {"fixed_s": 0.02, "request_s": 0.0125, "contention": 0.99, "kernel_share": 0.5}
    candidate = Candidate(INCEPTION_V3_GPU, numbers, stationary(INCEPTION_V3_GPU))
    assert capacity_rps(candidate) > INCEPTION_V3_GPU.top_rps
    assert measure(candidate) is None
