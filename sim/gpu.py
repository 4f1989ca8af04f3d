"""GPU servers: how long a batch takes, alone and beside others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.configuration import ConfigurationSpace
from sim.hardware import check_keys, check_number, model_numbers
from sim.service_time import ServiceTime
from sim.speeds import Batching, SpeedTable

# What each number may be: (lowest, highest), both included. The documented schema of conf/hardware.
GPU_LIMITS: dict[str, tuple[float, float]] = {
    "fixed_s": (0.0, 10.0),
    "request_s": (1e-6, 1e3),
    "contention": (0.0, 1.0),
    "kernel_share": (0.01, 1.0),
}


@dataclass(frozen=True)
class GpuProfile:
    """One model on one GPU server.

    A batch of b requests alone on the GPU takes ``fixed_s + b x request_s`` (b counts relative sizes): its
    throughput b / (fixed_s + b x request_s) saturates at 1 / request_s. With m batches at once each goes at
    speed 1 / (1 + contention (m - 1)): at contention 1 they take turns, at 0 they do not notice each other.

    Attributes:
        name: of the hardware profile.
        model: of the served model.
        fixed_s: time of a batch beside that of its requests (launching kernels, copying), seconds.
        request_s: time per request of mean size, seconds.
        contention: what a further batch costs those in service, 0..1.
        kernel_share: share of the time of a batch alone on the GPU during which it computes, 0..1; with m at
            once the GPU is busy 1 - (1 - kernel_share)^m of the time.
        unbatched_requests: requests that the server takes at once where batching is disabled (0 batch threads
            or batch size 0): TensorFlow Serving answers each on one of its gRPC threads.
    """

    name: str
    model: str
    fixed_s: float
    request_s: float
    contention: float
    kernel_share: float
    unbatched_requests: int

    @property
    def service(self) -> ServiceTime:
        """Demands of requests."""
        return ServiceTime(self.request_s)

    def speeds(self, space: ConfigurationSpace) -> SpeedTable:
        """Tabulate the curves over a configuration space of the three batching knobs."""
        threads, size, timeout_us = space.values.T
        disabled = (threads == 0) | (size == 0)
        limit = np.where(disabled, self.unbatched_requests, threads)
        batches = np.arange(1, limit.max() + 1, dtype=float)
        speed = np.concatenate(([0.0], 1 / (1 + self.contention * (batches - 1))))
        busy = np.concatenate(([0.0], 1 - (1 - self.kernel_share) ** batches))
        batching = Batching(
            size=np.where(disabled, 1, size),
            timeout_s=np.where(disabled, 0.0, timeout_us * 1e-6),
            fixed_s=np.full(space.size, self.fixed_s),
        )
        return SpeedTable(limit, np.tile(speed, (space.size, 1)), np.tile(busy, (space.size, 1)), batching)


def gpu_profile(hardware: Mapping[str, Any], model: str) -> GpuProfile:
    """Read and check a GPU's hardware profile (the documented YAML of conf/hardware).

    Raises:
        UsageError: naming the key, the value and what is allowed.
    """
    check_keys("hardware", hardware, ("name", "unbatched_requests", "models"), "gpu")
    numbers = model_numbers(hardware, model, GPU_LIMITS)
    check_number("hardware.unbatched_requests", hardware["unbatched_requests"], 1, 10_000, integer=True)
    return GpuProfile(
        name=str(hardware["name"]),
        model=model,
        unbatched_requests=int(hardware["unbatched_requests"]),
        **numbers,
    )
