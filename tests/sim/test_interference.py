"""What the interference curves must do, whatever their parameters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.configuration import cpu_space
from serving.errors import UsageError
from sim.admissible_facts import hardware
from sim.hardware import CPU_LIMITS, cpu_profile
from sim.interference import CpuInterference
from sim.services_cpu import INCEPTION_V3

SPACE = cpu_space()
RANGES = INCEPTION_V3.ranges
IDEAL = dict.fromkeys(("synchronisation", "memory_contention", "oversubscription", "spinning"), 0.0)
parameters = st.fixed_dictionaries({key: st.floats(low, high) for key, (low, high) in RANGES.items()})
families = st.sampled_from(["nested", "run_to_completion", "shared_pool"])


def profile(numbers, family="nested", cores=10):
    machine = hardware(INCEPTION_V3, numbers, "test") | {"interference": family, "cores": cores}
    return cpu_profile(machine, "inception_v3")


def speeds(numbers, family="nested"):
    return profile(numbers, family).speeds(SPACE)


@given(parameters, families)
def test_sequential_execution_has_speed_one(numbers, family):
    table = speeds(numbers, family)
    assert table.speed[SPACE.index((1, 1, 1)), 1] == pytest.approx(1.0)


@given(parameters)
def test_more_requests_in_service_never_speed_one_up(numbers):
    """With threads of their own; in shared pools company can cure a request of too many threads."""
    speed = speeds(numbers).speed[:, 1:]
    assert (np.diff(speed, axis=1) <= 1e-12).all()
    assert (speed > 0).all()


@given(parameters, families)
def test_busy_share_is_a_share(numbers, family):
    busy = speeds(numbers, family).busy
    assert (busy >= 0).all()
    assert (busy <= 1 + 1e-12).all()


@given(parameters, families)
def test_throughput_never_exceeds_the_cores(numbers, family):
    table = speeds(numbers, family)
    in_service = np.arange(table.speed.shape[1])
    assert (table.speed * in_service <= 10 + 1e-9).all()


@given(parameters)
def test_zero_means_all_cores_for_threads_and_all_server_threads_for_requests(numbers):
    table = speeds(numbers)
    assert table.limit[SPACE.index((0, 1, 1))] == 40
    for zero, ten in [((3, 0, 2), (3, 10, 2)), ((3, 2, 0), (3, 2, 10))]:
        assert (table.speed[SPACE.index(zero)] == table.speed[SPACE.index(ten)]).all()


def test_without_interference_ten_sequential_requests_use_ten_cores():
    curves = CpuInterference("nested", 10, 0.5, 0.9, **IDEAL)
    speed, busy = curves.curves(np.array(1.0), np.array(1.0), np.array([1.0, 10.0, 20.0]))
    assert speed == pytest.approx([1.0, 1.0, 0.5])
    assert busy == pytest.approx([0.1, 1.0, 1.0])


def test_amdahl_within_a_request():
    curves = CpuInterference("nested", 1000, 0.0, 0.9, **IDEAL)
    speed, _ = curves.curves(np.array(1.0), np.array([1.0, 10.0, 1e9]), np.array(1.0))
    assert speed == pytest.approx([1.0, 1 / (0.1 + 0.09), 10.0], rel=1e-6)


def test_shared_pool_shares_its_threads_among_requests():
    curves = CpuInterference("shared_pool", 10, 0.5, 0.9, **IDEAL)
    speed, _ = curves.curves(np.array(2.0), np.array(1.0), np.array([2.0, 4.0, 8.0]))
    assert speed == pytest.approx([1.0, 0.5, 0.25])


@given(parameters)
def test_who_runs_to_completion_makes_others_wait_and_is_as_fast_as_where_pools_are_shared(numbers):
    kept, shared = speeds(numbers, "run_to_completion"), speeds(numbers, "shared_pool")
    threads = np.where(SPACE.values[:, 1] == 0, GOOD["cores"], SPACE.values[:, 1])
    assert (kept.limit == np.minimum(shared.limit, threads)).all()
    for row, limit in enumerate(kept.limit):
        assert (kept.speed[row, : limit + 1] == shared.speed[row, : limit + 1]).all()


@given(parameters)
def test_the_families_agree_on_a_request_alone_with_one_pool_thread_of_each_kind(numbers):
    for configuration in [(1, 1, 1), (1, 1, 4), (1, 4, 1)]:
        index = SPACE.index(configuration)
        nested, shared = speeds(numbers), speeds(numbers, "shared_pool")
        assert nested.speed[index, 1] == pytest.approx(shared.speed[index, 1])
        assert nested.busy[index, 1] == pytest.approx(shared.busy[index, 1])


GOOD = hardware(INCEPTION_V3, {key: (low + high) / 2 for key, (low, high) in RANGES.items()}, "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cores": 0}, r"hardware\.cores=0, expected an integer from 1"),
        ({"cores": "ten"}, r"hardware\.cores='ten'"),
        (
            {"interference": "psychic"},
            r"interference='psychic', choose from \['nested', 'run_to_completion', 'shared_pool'\]",
        ),
        ({"model": {}}, r"hardware\.model=.* is not known"),
        ({"models": None}, "hardware.models=None, expected the numbers of each model"),
        ({"models": [1]}, r"hardware.models=\[1\], expected the numbers of each model"),
        ({"models": {1: {}, "a": {}}}, r"has no model=inception_v3, choose from \['1', 'a'\]"),
        ({"models": {"other": {}}}, r"has no model=inception_v3, choose from \['other'\]"),
        ({"models": {"inception_v3": {}}}, r"hardware\.models\.inception_v3\.sequential_s is missing"),
        ({"models": {"inception_v3": 3}}, r"hardware\.models\.inception_v3=3, expected the keys"),
    ],
)
def test_a_wrong_profile_is_refused_with_key_value_and_choices(change, message):
    with pytest.raises(UsageError, match=message):
        cpu_profile(GOOD | change, "inception_v3")


@pytest.mark.parametrize("key", list(CPU_LIMITS))
def test_every_parameter_has_a_range(key):
    numbers = dict(GOOD["models"]["inception_v3"]) | {key: -1.0}
    with pytest.raises(UsageError, match=rf"{key}=-1\.0, expected a number from"):
        cpu_profile(GOOD | {"models": {"inception_v3": numbers}}, "inception_v3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, r"hardware\.name=None, expected a word"),
        ({"name": "a b/../c"}, r"hardware\.name='a b/\.\./c', expected a word"),
        ({"file": "x"}, r"hardware\.file=x is not known"),
        ({"processor": "tpu"}, r"hardware\.processor='tpu', choose from \['cpu', 'gpu'\]"),
        ({"processor": "gpu"}, "this system needs processor='cpu', as hardware=paper_cpu has"),
        ({"models": GOOD["models"] | {"other": {"sequential_s": -3.0}}}, r"hardware\.models\.other\."),
        (
            {"models": {"inception_v3": {"spinnin": 0.1}}},
            r"hardware\.models\.inception_v3\.spinnin=0\.1 is not known",
        ),
    ],
)
def test_what_is_not_in_the_schema_is_refused(change, message):
    with pytest.raises(UsageError, match=message):
        cpu_profile(GOOD | change, "inception_v3")
