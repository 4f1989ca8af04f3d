"""What calibration asks of a system, real or simulated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration
from serving.measurement import SlotMeasurement
from serving.system import ServingSystem


class ClosedLoopSystem(ServingSystem, Protocol):
    """A system that can also be asked by clients who wait for their answers."""

    def serve_closed(
        self, configuration: Configuration, clients: int, duration_s: float, size: NDArray[np.float64]
    ) -> SlotMeasurement:
        """Serve so many clients, each of which asks again as soon as it is answered."""
