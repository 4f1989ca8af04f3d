"""Watches the machine during a slot: CPU of the servers and of everybody else, memory, GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from statistics import fmean
from typing import Any

import psutil

from serving.host import HostUse
from testbed.gpus import Gpus


class Profiler:
    """Measures from ``begin`` to ``end``.

    Args:
        senders: processes that make the load; with their children they are neither server nor stranger. The
            calling process is one, too.
    """

    def __init__(self, senders: Collection[int] = ()) -> None:
        self._senders = {os.getpid(), *senders}
        self._gpus = Gpus()
        self._gpu_samples: list[float] = []

    def begin(self) -> None:
        """Start to measure."""
        self._began_s = time.monotonic()
        self._gpu_samples.clear()
        self._machine_s = _machine_cpu_s()
        self._processes_s = {process.pid: _cpu_s(process) for process in psutil.process_iter()}

    def sample(self) -> None:
        """Look at the GPUs, which tell of the last moments only: to be called now and then."""
        if self._gpus.count:
            self._gpu_samples.append(self._gpus.utilisation())

    def end(self, servers: Collection[int], lateness_p99_s: float | None) -> tuple[HostUse, float]:
        """What happened since ``begin``, and how many seconds that was; ``servers`` are all that served."""
        serving = set(servers)
        sending = self._senders | set(_descendants(self._senders)) - serving
        used_s = {process.pid: _cpu_s(process) for process in psutil.process_iter()}
        # What a process that began or ended in between had used counts in the machine's total alone.
        since_s = {pid: cpu_s - self._processes_s.get(pid, 0.0) for pid, cpu_s in used_s.items()}
        server_cpu_s = sum(since_s.get(pid, 0.0) for pid in serving)
        sender_cpu_s = sum(since_s.get(pid, 0.0) for pid in sending)
        everything_s = _machine_cpu_s() - self._machine_s
        use = HostUse(
            cores=os.cpu_count() or 1,
            server_cpu_s=server_cpu_s,
            other_cpu_s=max(0.0, everything_s - server_cpu_s - sender_cpu_s),
            server_memory_bytes=sum(_memory_bytes(pid) for pid in serving),
            lateness_p99_s=lateness_p99_s,
            gpus=self._gpus.count,
            gpu_utilisation=fmean(self._gpu_samples) if self._gpu_samples else None,
        )
        return use, time.monotonic() - self._began_s


def _machine_cpu_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - _guests(times))


def _guests(times: Any) -> float:
    """Linux counts guests within ``user`` and ``nice``, too, and stolen time as if it were used here."""
    return sum(getattr(times, name, 0.0) for name in ("guest", "guest_nice", "steal"))


def _cpu_s(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _memory_bytes(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _descendants(pids: Iterable[int]) -> Iterable[int]:
    for pid in pids:
        with suppress(psutil.Error):
            for child in psutil.Process(pid).children(recursive=True):
                yield child.pid
