"""The profiler against processes that burn a known amount of CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from testbed.gpus import Gpus
from testbed.profiler import Profiler

BURN = "import time\nwhile time.process_time() < {}: pass\nprint(flush=True)\ntime.sleep(60)\n"


def burning(cpu_s: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BURN.format(cpu_s)], stdout=subprocess.PIPE)


def end(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


def test_cpu_is_put_down_to_servers_senders_and_strangers() -> None:
    profiler = Profiler()
    profiler.begin()
    server, sender = burning(0.6), burning(0.4)
    for process in (server, sender):
        assert process.stdout
        process.stdout.readline()
    use, elapsed_s = profiler.end([server.pid], lateness_p99_s=0.001)
    end(server, sender)
    assert use.server_cpu_s == pytest.approx(0.6, abs=0.1)
    assert use.cores == os.cpu_count()
    assert use.server_memory_bytes > 1e6
    assert use.lateness_p99_s == 0.001
    # Whoever else runs on this machine; the sender, a child of this process, is not among them.
    assert 0 <= use.other_cpu_s <= use.cores * elapsed_s - 0.9


def test_a_server_that_is_gone_counts_as_nothing() -> None:
    server = burning(0.05)
    assert server.stdout
    server.stdout.readline()
    profiler = Profiler()
    profiler.begin()
    end(server)
    time.sleep(0.05)
    use, _ = profiler.end([server.pid], lateness_p99_s=None)
    assert (use.server_cpu_s, use.server_memory_bytes) == (0.0, 0)


def test_gpus_are_sampled_and_without_any_there_is_no_utilisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU here: the library's few functions are stood in for, so this holds the arithmetic alone."""
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    assert Gpus().count == 0
    profiler = Profiler()
    profiler.begin()
    profiler.sample()
    use, _ = profiler.end([], lateness_p99_s=None)
    assert (use.gpus, use.gpu_utilisation) == (0, None)
    library = ModuleType("pynvml")
    percent = iter([50, 100, 0, 50])
    library.__dict__.update(
        NVMLError=RuntimeError, nvmlInit=lambda: None, nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=next(percent)),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", library)
    profiler = Profiler()
    profiler.begin()
    profiler.sample()
    profiler.sample()
    use, _ = profiler.end([], lateness_p99_s=None)
    assert (use.gpus, use.gpu_utilisation) == (2, pytest.approx(0.5))
