"""How busy this machine's GPUs are, by NVIDIA's management library, where installed (extra ``gpu``)."""

from __future__ import annotations

from contextlib import suppress
from statistics import fmean
from typing import Any


class Gpus:
    """The GPUs that NVML finds; none without the package ``nvidia-ml-py``, a driver or a GPU."""

    def __init__(self) -> None:
        self._handles: list[Any] = []
        with suppress(ImportError):
            import pynvml

            with suppress(pynvml.NVMLError):
                pynvml.nvmlInit()
                count = pynvml.nvmlDeviceGetCount()
                self._handles = [pynvml.nvmlDeviceGetHandleByIndex(place) for place in range(count)]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._handles)

    def utilisation(self) -> float:
        """Share of the last moments (up to a second) in which a kernel ran, 0..1, mean over the GPUs.

        Raises:
            ValueError: if there is none.
        """
        import pynvml

        return fmean(pynvml.nvmlDeviceGetUtilizationRates(one).gpu / 100 for one in self._handles)
