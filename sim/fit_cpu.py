"""What is fitted of a CPU server with the knobs request, inter-op and intra-op parallelism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sim.fit import Machine
from sim.hardware import CpuProfile
from sim.interference import CpuInterference, Family
from sim.service_time import ServiceTime

# The first two are multiples of the least latency that was measured.
LIMITS: dict[str, tuple[float, float]] = {
    "sequential_s": (0.2, 3.0),
    "overhead_s": (0.0, 0.8),
    "idle_slowdown": (0.0, 1.0),
    "inter_op_fraction": (0.0, 0.95),
    "intra_op_fraction": (0.0, 0.99),
    "synchronisation": (0.0, 1.0),
    "memory_contention": (0.0, 1.0),
    "oversubscription": (0.0, 1.0),
}
_OF_SERVICE = ("sequential_s", "overhead_s", "idle_slowdown")


@dataclass(frozen=True)
class CpuCurves:
    """The interference curves of a family (``sim.interference``); see ``sim.fit.Curves``."""

    machine: Machine
    family: Family
    processor: Literal["cpu", "gpu"] = "cpu"

    @property
    def name(self) -> str:
        """That of the family."""
        return self.family

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """See ``sim.fit.Curves``."""
        return LIMITS

    def profile(self, numbers: Mapping[str, float], busy: float = 0.0) -> CpuProfile:
        """See ``sim.fit.Curves``; busy-waiting changes CPU seconds alone."""
        machine = self.machine
        curves = {key: value for key, value in numbers.items() if key not in _OF_SERVICE}
        return CpuProfile(
            name=machine.name,
            model=machine.model,
            service=_service(machine, *(numbers[key] for key in _OF_SERVICE)),
            unbatched_requests=machine.unbatched_requests,
            interference=CpuInterference(family=self.family, cores=machine.cores, spinning=busy, **curves),
        )


def _service(machine: Machine, sequential_s: float, overhead_s: float, idle_slowdown: float) -> ServiceTime:
    """Service times: on the way nothing varies, neither by size nor by chance."""
    in_server = np.maximum(1 - overhead_s / np.array(machine.alone_s), 0.1)
    spread = np.median(np.array(machine.log_spread) / in_server)
    share = 1.0 if machine.size_share == 1 else min(1.0, machine.size_share / float(np.median(in_server)))
    cv = float(np.sqrt(np.expm1(spread**2)))
    return ServiceTime(sequential_s, share, cv, overhead_s, idle_slowdown)


def as_yaml(profile: CpuProfile) -> dict[str, Any]:
    """The profile as in conf/hardware, provenance aside."""
    service, curves = profile.service, profile.interference
    numbers: dict[str, Any] = {
        "sequential_s": service.mean_s,
        "inter_op_fraction": curves.inter_op_fraction,
        "intra_op_fraction": curves.intra_op_fraction,
        "synchronisation": curves.synchronisation,
        "memory_contention": curves.memory_contention,
        "oversubscription": curves.oversubscription,
        "spinning": curves.spinning,
        "size_share": service.size_share,
        "service_cv": service.cv,
        "overhead_s": service.overhead_s,
        "idle_slowdown": service.idle_slowdown,
        "idle_time_s": service.idle_time_s,
    }
    if profile.correction is not None:
        numbers["correction"] = {
            key: getattr(profile.correction, key).tolist()
            for key in ("lengths", "at", "log_speed", "log_cpu")
        }
    return {
        "name": profile.name,
        "cores": curves.cores,
        "interference": curves.family,
        "unbatched_requests": profile.unbatched_requests,
        "models": {profile.model: numbers},
    }
