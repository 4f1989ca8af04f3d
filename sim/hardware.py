"""Hardware profiles: a machine and what was fitted for each model on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from serving.configuration import ConfigurationSpace
from serving.errors import UsageError
from sim.interference import CpuInterference, Family
from sim.speeds import SpeedTable

# What each number may be: (lowest, highest), both included. The documented schema of conf/hardware.
CPU_LIMITS: dict[str, tuple[float, float]] = {
    "sequential_s": (1e-4, 1e3),
    "inter_op_fraction": (0.0, 1.0),
    "intra_op_fraction": (0.0, 1.0),
    "synchronisation": (0.0, 1.0),
    "memory_contention": (0.0, 1.0),
    "oversubscription": (0.0, 10.0),
    "spinning": (0.0, 1.0),
}
_MACHINE_KEYS = ("name", "cores", "interference", "unbatched_requests", "models")
_OTHER_KEYS = ("file", "provenance")


@dataclass(frozen=True)
class CpuProfile:
    """One model on one CPU server.

    Attributes:
        name: of the hardware profile.
        model: of the served model.
        sequential_s: time of a mean request executed sequentially on an idle machine, seconds.
        unbatched_requests: requests that the server takes at once when batching is disabled (request
            parallelism 0): TensorFlow Serving answers each on one of its gRPC threads, 4 per core.
        interference: the curves.
    """

    name: str
    model: str
    sequential_s: float
    unbatched_requests: int
    interference: CpuInterference

    def speeds(self, space: ConfigurationSpace) -> SpeedTable:
        """Tabulate the curves over a configuration space of the three CPU knobs."""
        request, inter_op, intra_op = space.values.T
        cores = self.interference.cores
        limit = np.where(request == 0, self.unbatched_requests, request)
        in_service = np.arange(1, limit.max() + 1, dtype=float)
        inter_op = np.where(inter_op == 0, cores, inter_op).astype(float)
        intra_op = np.where(intra_op == 0, cores, intra_op).astype(float)
        speed, busy = self.interference.curves(inter_op[:, None], intra_op[:, None], in_service[None, :])
        none = np.zeros((space.size, 1))
        return SpeedTable(limit, np.hstack((none, speed)), np.hstack((none, busy)))


def cpu_profile(hardware: Mapping[str, Any], model: str) -> CpuProfile:
    """Read and check a hardware profile (the documented YAML of conf/hardware).

    Raises:
        UsageError: naming the key, the value and what is allowed.
    """
    _check_keys("hardware", hardware, _MACHINE_KEYS, _OTHER_KEYS)
    models = hardware["models"]
    if not isinstance(models, Mapping) or model not in models:
        known = sorted(models) if isinstance(models, Mapping) else []
        raise UsageError(f"hardware={hardware['name']} has no model={model}, choose from {known}")
    numbers = models[model]
    where = f"hardware.models.{model}"
    if not isinstance(numbers, Mapping):
        raise UsageError(f"{where}={numbers!r}, expected the keys {sorted(CPU_LIMITS)}")
    _check_keys(where, numbers, tuple(CPU_LIMITS))
    for key, (low, high) in CPU_LIMITS.items():
        _check_number(f"{where}.{key}", numbers[key], low, high)
    for key, high in (("cores", 4096), ("unbatched_requests", 10_000)):
        _check_number(f"hardware.{key}", hardware[key], 1, high, integer=True)
    if hardware["interference"] not in get_args(Family):
        allowed = sorted(get_args(Family))
        raise UsageError(f"hardware.interference={hardware['interference']!r}, choose from {allowed}")
    curves = {key: float(numbers[key]) for key in CPU_LIMITS if key != "sequential_s"}
    return CpuProfile(
        name=str(hardware["name"]),
        model=model,
        sequential_s=float(numbers["sequential_s"]),
        unbatched_requests=int(hardware["unbatched_requests"]),
        interference=CpuInterference(family=hardware["interference"], cores=int(hardware["cores"]), **curves),
    )


def _check_keys(
    where: str, mapping: Mapping[str, Any], required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    for key in required:
        if key not in mapping:
            raise UsageError(f"{where}.{key} is missing, expected the keys {sorted(required)}")
    for key in mapping:
        if key not in required + optional:
            raise UsageError(f"{where}.{key} is not known, expected the keys {sorted(required)}")


def _check_number(key: str, value: object, low: float, high: float, integer: bool = False) -> None:
    kinds: tuple[type, ...] = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # type: ignore[operator]
        kind = "an integer" if integer else "a number"
        raise UsageError(f"{key}={value!r}, expected {kind} from {low:g} to {high:g}")
