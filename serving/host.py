"""What a machine did during a slot, beside what its requests saw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostUse:
    """Use of the serving machine in one slot. None means not measured.

    Attributes:
        cores: processors of the machine.
        server_cpu_s: CPU seconds of the serving processes.
        other_cpu_s: CPU seconds of everybody else but the sender of the requests.
        server_memory_bytes: resident memory of the serving processes at the slot's end.
        lateness_p99_s: 99 % of the requests were sent at most so much after they were due.
        gpus: GPUs of the machine.
        gpu_utilisation: busy share of them, 0..1; None without one.
    """

    cores: int
    server_cpu_s: float
    other_cpu_s: float
    server_memory_bytes: int
    lateness_p99_s: float | None
    gpus: int = 0
    gpu_utilisation: float | None = None
