"""The services of the paper, each with what is published about it: what a hardware profile is fitted to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sim.interference import Family

Range = tuple[float, float]  # lowest, highest


@dataclass(frozen=True)
class Service:
    """A model on a processor: what may be drawn, and what is asked of a draw.

    Attributes:
        name: of its admissible profiles (conf/hardware/admissible).
        model: as in conf/model.
        processor: ``cpu`` or ``gpu``.
        sizes: distribution of request sizes (``workloads.sizes``).
        ranges: the stated physical range of every parameter.
        look_rps: load at which configurations are compared with each other, requests/s.
        top_rps: highest load of the Dynamic workload, requests/s. More load means more waiting and slower
            requests (on the GPU where no batch is held back), so an objective attained here is attained at
            every lower load.
        asked: lowest and highest value of every fact (``sim.admissible_facts``), the cheapest to check first.
        grid: the system's grid, as in conf/system; empty for the default one.
        queue_limit: waiting requests at most, as in conf/system.
        stream: keeps the draws of one service apart from those of another (``numpy.random.SeedSequence``).
        interference: family of curves, of a CPU.
        remark: what else a reader of the provenance should know.
    """

    name: str
    model: str
    processor: Literal["cpu", "gpu"]
    sizes: str
    ranges: Mapping[str, Range]
    look_rps: float
    top_rps: float
    asked: Mapping[str, Range]
    grid: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    queue_limit: int = 50
    stream: tuple[int, ...] = ()
    interference: Family = "nested"
    remark: str = ""

    @property
    def slo_s(self) -> float:
        """The objective on the 95th percentile that is asked for."""
        return self.asked["top_p95_s"][1]

    @property
    def profile(self) -> str:
        """Name of the profile that holds the central draw."""
        family = "" if self.interference == "nested" else f"_{self.interference}"
        return f"paper_{self.processor}{family}"

    def as_yaml(self) -> dict[str, object]:
        """What was stated and asked, for a profile's provenance."""
        return ({"remark": self.remark} if self.remark else {}) | {
            "loads_rps": {"look": self.look_rps, "top": self.top_rps},
            "sizes": self.sizes,
            "ranges": {key: list(limits) for key, limits in self.ranges.items()},
            "asked": {
                key: [low, None if math.isinf(high) else high] for key, (low, high) in self.asked.items()
            },
        }
