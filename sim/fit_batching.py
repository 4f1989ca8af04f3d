"""What is fitted of a server with the knobs batch threads, batch size and batch timeout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sim.fit import Machine
from sim.gpu import GpuProfile

# Times are multiples of the least latency that was measured.
LIMITS: dict[str, tuple[float, float]] = {
    "fixed_s": (0.0, 2.0),
    "request_s": (0.01, 2.0),
    "contention": (0.0, 1.0),
}
_LEAST_SHARE = 0.01


@dataclass(frozen=True)
class BatchCurves:
    """How long batches take (``sim.gpu``), on whatever processor; see ``sim.fit.Curves``."""

    machine: Machine
    processor: Literal["cpu", "gpu"] = "gpu"
    name: str = "batching"

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """See ``sim.fit.Curves``."""
        return LIMITS

    def profile(self, numbers: Mapping[str, float], busy: float = 0.5) -> GpuProfile:
        """See ``sim.fit.Curves``; ``busy`` is the profile's ``kernel_share``."""
        return GpuProfile(
            name=self.machine.name,
            model=self.machine.model,
            kernel_share=max(_LEAST_SHARE, busy),
            unbatched_requests=self.machine.unbatched_requests,
            **numbers,
        )


def as_yaml(profile: GpuProfile) -> dict[str, Any]:
    """The profile as in conf/hardware, provenance aside."""
    keys = ("fixed_s", "request_s", "contention", "kernel_share")
    return {
        "name": profile.name,
        "processor": "gpu",
        "unbatched_requests": profile.unbatched_requests,
        "models": {profile.model: {key: getattr(profile, key) for key in keys}},
    }
