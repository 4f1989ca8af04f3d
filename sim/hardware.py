"""Hardware profiles: a machine and what was fitted for each model on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from serving.configuration import ConfigurationSpace
from serving.errors import UsageError
from sim.correction import Correction, read_correction
from sim.interference import CpuInterference, Family
from sim.service_time import ServiceTime
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
# What calibration adds, with what it is where it is left out.
CPU_OPTIONAL: dict[str, tuple[float, float, float]] = {
    "size_share": (0.0, 1.0, 1.0),
    "service_cv": (0.0, 5.0, 0.0),
    "overhead_s": (0.0, 10.0, 0.0),
    "idle_slowdown": (0.0, 10.0, 0.0),
    "idle_time_s": (1e-6, 10.0, 0.01),
}
_CORRECTION = "correction"
_OTHER_KEYS = ("provenance", "processor")


@dataclass(frozen=True)
class CpuProfile:
    """One model on one CPU server.

    Attributes:
        name: of the hardware profile.
        model: of the served model.
        service: time of requests executed sequentially on an idle machine.
        unbatched_requests: requests that the server takes at once when batching is disabled (request
            parallelism 0): TensorFlow Serving answers each on one of its gRPC threads, 4 per core.
        interference: the curves.
        correction: what was measured beside them; None for nothing.
    """

    name: str
    model: str
    service: ServiceTime
    unbatched_requests: int
    interference: CpuInterference
    correction: Correction | None = None

    def speeds(self, space: ConfigurationSpace) -> SpeedTable:
        """Tabulate the curves over a configuration space of the three CPU knobs."""
        request, inter_op, intra_op = space.values.T
        cores = self.interference.cores
        inter_op = np.where(inter_op == 0, cores, inter_op).astype(float)
        inside = np.where(request == 0, self.unbatched_requests, request)
        limit = self.interference.at_once(inside, inter_op)
        in_service = np.arange(1, limit.max() + 1, dtype=float)
        intra_op = np.where(intra_op == 0, cores, intra_op).astype(float)
        place = inter_op[:, None], intra_op[:, None], in_service[None, :]
        speed, busy = self.interference.curves(*place)
        if self.correction is not None:
            on_speed, on_busy = self.correction.factors(*place)
            speed, busy = speed * on_speed, np.minimum(1.0, busy * on_busy)
        none = np.zeros((space.size, 1))
        return SpeedTable(limit, np.hstack((none, speed)), np.hstack((none, busy)))


def cpu_profile(hardware: Mapping[str, Any], model: str) -> CpuProfile:
    """Read and check a hardware profile (the documented YAML of conf/hardware).

    Raises:
        UsageError: naming the key, the value and what is allowed.
    """
    check_keys("hardware", hardware, ("name", "cores", "interference", "unbatched_requests", "models"), "cpu")
    numbers = model_numbers(hardware, model, CPU_LIMITS, (*CPU_OPTIONAL, _CORRECTION))
    given = hardware["models"][model]
    for key, (low, high, default) in CPU_OPTIONAL.items():
        numbers[key] = given.get(key, default)
        check_number(f"hardware.models.{model}.{key}", numbers[key], low, high)
    for key, high in (("cores", 4096), ("unbatched_requests", 10_000)):
        check_number(f"hardware.{key}", hardware[key], 1, high, integer=True)
    if hardware["interference"] not in get_args(Family):
        allowed = sorted(get_args(Family))
        raise UsageError(f"hardware.interference={hardware['interference']!r}, choose from {allowed}")
    correction = given.get(_CORRECTION)
    return CpuProfile(
        name=str(hardware["name"]),
        model=model,
        service=ServiceTime(
            mean_s=numbers.pop("sequential_s"),
            size_share=numbers.pop("size_share"),
            cv=numbers.pop("service_cv"),
            overhead_s=numbers.pop("overhead_s"),
            idle_slowdown=numbers.pop("idle_slowdown"),
            idle_time_s=numbers.pop("idle_time_s"),
        ),
        unbatched_requests=int(hardware["unbatched_requests"]),
        interference=CpuInterference(
            family=hardware["interference"], cores=int(hardware["cores"]), **numbers
        ),
        correction=None
        if correction is None
        else read_correction(f"hardware.models.{model}.correction", correction),
    )


def check_keys(
    where: str,
    mapping: Mapping[str, Any],
    required: tuple[str, ...],
    kind: str = "",
    optional: tuple[str, ...] = (),
) -> None:
    """Refuse missing and unknown keys; ``kind`` is the processor that a hardware profile must be of."""
    if kind:
        _check_machine(mapping, kind)
    for key in mapping:
        if key not in required + optional + (_OTHER_KEYS if kind else ()):
            raise UsageError(
                f"{where}.{key}={mapping[key]} is not known, expected the keys {sorted(required)}"
            )
    for key in required:
        if key not in mapping:
            raise UsageError(f"{where}.{key} is missing, expected the keys {sorted(required)}")


def _check_machine(mapping: Mapping[str, Any], kind: str) -> None:
    name, processor = mapping.get("name"), mapping.get("processor", "cpu")
    if "name" in mapping and not (isinstance(name, str) and re.fullmatch(r"[\w.-]+", name)):
        raise UsageError(f"hardware.name={name!r}, expected a word of letters, digits, '_', '-' and '.'")
    if processor not in ("cpu", "gpu"):
        raise UsageError(f"hardware.processor={processor!r}, choose from ['cpu', 'gpu']")
    if processor != kind:
        raise UsageError(
            f"hardware={name} has processor={processor!r}, this system needs processor={kind!r}, "
            f"as hardware=paper_{kind} has"
        )


def model_numbers(
    hardware: Mapping[str, Any],
    model: str,
    limits: Mapping[str, tuple[float, float]],
    optional: tuple[str, ...] = (),
) -> dict[str, float]:
    """The numbers of one model; those of all models have to be within their limits."""
    models = hardware["models"]
    if not isinstance(models, Mapping):
        raise UsageError(f"hardware.models={models!r}, expected the numbers of each model by its name")
    if model not in models:
        known = sorted(map(str, models))
        raise UsageError(f"hardware={hardware['name']} has no model={model}, choose from {known}")
    for name, numbers in models.items():
        where = f"hardware.models.{name}"
        if not isinstance(numbers, Mapping):
            raise UsageError(f"{where}={numbers!r}, expected the keys {sorted(limits)}")
        check_keys(where, numbers, tuple(limits), optional=optional)
        for key, (low, high) in limits.items():
            check_number(f"{where}.{key}", numbers[key], low, high)
    return {key: float(models[model][key]) for key in limits}


def check_number(key: str, value: object, low: float, high: float, integer: bool = False) -> None:
    """Refuse what is not a number within limits."""
    kinds: tuple[type, ...] = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # type: ignore[operator]
        kind = "an integer" if integer else "a number"
        raise UsageError(f"{key}={value!r}, expected {kind} from {low:g} to {high:g}")
