"""The testbed as a whole: servers that die, several servers, servers of others."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved_models import SPEECH
from server_process import running_server

from serving.errors import UsageError
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from testbed.model_system import TestbedCpu
from testbed.system import nearest_size
from workloads.constant import Constant

SLOT_S = 2.0


def small_testbed(**settings: Any) -> TestbedCpu:
    grids = {"request_parallelism": [1, 2], "inter_op_parallelism": [1], "intra_op_parallelism": [1, 2]}
    model = {"model": "deepspeech2", "model_settings": SPEECH, "slo_s": 0.3}
    return TestbedCpu(**(model | grids | settings))


@pytest.fixture(scope="module")
def two_servers() -> Iterator[TestbedCpu]:
    system = small_testbed(servers=2, dispatch="least_loaded")
    yield system
    system.close()


def slots(count: int, rate_rps: float = 20.0, servers: int = 2) -> list[Slot]:
    return list(Constant(mean_rps=rate_rps, slot_s=SLOT_S, servers=servers).slots(1, count))


def accounted(measured: SlotMeasurement) -> bool:
    arrived = measured.backlog_start + measured.arrivals
    return arrived == measured.completions + measured.lost + measured.backlog_end


def test_both_servers_share_the_work_and_bytes_are_counted(two_servers: TestbedCpu) -> None:
    import psutil

    two_servers.reset(0)
    first, second = slots(2)
    two_servers.serve((1, 1, 1), first)
    processes = [psutil.Process(pid) for pid in two_servers._supervisor.process_ids]
    before_s = [process.cpu_times().user for process in processes]
    measured = two_servers.serve((1, 1, 1), second)
    used_s = [process.cpu_times().user - one for process, one in zip(processes, before_s, strict=True)]
    assert accounted(measured)
    assert measured.completions > 0
    assert all(one > 0 for one in used_s)
    assert max(used_s) < 4 * min(used_s)
    sizes = [len(one) for one in two_servers._requests]
    assert measured.network_bytes > measured.completions * min(sizes)


def test_a_server_that_is_killed_in_mid_slot_is_replaced_and_the_slot_says_so(
    two_servers: TestbedCpu,
) -> None:
    two_servers.reset(0)
    before, during, after, later = slots(4)
    two_servers.serve((2, 1, 1), before)
    victim = two_servers._supervisor.process_ids[0]
    killer = threading.Timer(SLOT_S / 2, os.kill, (victim, signal.SIGKILL))
    killer.start()
    measured = two_servers.serve((2, 1, 1), during)
    killer.join()
    assert "faulted" in measured.flags
    assert accounted(measured)
    assert two_servers.serve((2, 1, 1), after) is not None  # may still lose what was on its way
    assert victim not in two_servers._supervisor.process_ids
    healthy = two_servers.serve((2, 1, 1), later)
    assert "faulted" not in healthy.flags
    assert healthy.lost == 0
    assert healthy.completions > 0
    assert accounted(healthy)


def test_servers_of_others_can_be_measured_too(exported: Path, tmp_path: Path) -> None:
    flags = ("--model_name=deepspeech2", f"--model_base_path={exported / 'speech'}")
    with running_server(tmp_path, *flags) as server:
        address = f"127.0.0.1:{server.port}"
        one = {"request_parallelism": [1], "intra_op_parallelism": [2]}
        with pytest.raises(UsageError, match=r"servers=2, expected 1: as many as system\.addresses"):
            small_testbed(addresses=[address], servers=2, **one)
        system = small_testbed(addresses=[address], **one)
        try:
            system.reset(0)
            measured = system.serve((1, 1, 2), slots(1, servers=1)[0])
        finally:
            system.close()
        assert measured.completions > 0
        assert measured.errors == 0
        assert measured.cpu_utilisation is None
        assert "shared" not in measured.flags
        assert server.process.poll() is None


def test_clients_of_a_closed_loop_are_answered_one_after_the_other_and_nobody_is_left(
    two_servers: TestbedCpu,
) -> None:
    two_servers.reset(0)
    size = nearest_size(np.array([0.5, 1.0, 1.3]))
    measured = two_servers.serve_closed((1, 1, 2), 3, SLOT_S, size)
    assert measured.lost == 0
    assert measured.completions > 10
    assert measured.mean_latency_s is not None
    assert measured.completions / SLOT_S * measured.mean_latency_s == pytest.approx(3, rel=0.15)
    assert measured.host is not None
    assert measured.host.server_cpu_s > 0
    later = two_servers.serve((1, 1, 2), slots(1)[0])
    assert accounted(later)
    assert later.backlog_start == 0
    assert later.lost == 0


def test_sizes_are_sent_as_the_nearest_by_ratio() -> None:
    assert nearest_size(np.array([0.01, 1.0, 1.1, 1.3, 100.0])) == pytest.approx(
        [0.125, 1, 1, 2**0.5, 2**2.5]
    )
