"""The model in C, compiled when it is wanted: how fast the processor itself lets it run."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.slot import Slot
from sim.speeds import SpeedTable

_SOURCE = Path(__file__).with_name("kernel.c")
_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64
Serve = Callable[[SpeedTable, Sequence[Slot], Sequence[NDArray[np.float64]], int], list[NDArray[np.float64]]]


def compile_kernel() -> Serve | None:
    """Serve slots under configuration 0, boundary ``bounded``; None where there is no C compiler.

    The function takes the table, slots, demands in seconds and the queue limit, and returns the latencies of
    every slot in order of completion.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "kernel.so"
        options = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
        subprocess.run([compiler, *options, "-o", library, _SOURCE, "-lm"], check=True)
        kernel = ctypes.CDLL(str(library)).serve
    kernel.restype = _INTEGER
    kernel.argtypes = [
        _POINTER, _POINTER, _INTEGER, ctypes.c_double, _INTEGER, _INTEGER, *[_POINTER] * 7,
    ]  # fmt: skip
    return lambda *load: _serve(kernel, *load)


def _serve(
    kernel: Any,
    speeds: SpeedTable,
    slots: Sequence[Slot],
    demands_s: Sequence[NDArray[np.float64]],
    queue_limit: int,
) -> list[NDArray[np.float64]]:
    places, requests = speeds.speed.shape[1], sum(map(len, demands_s))
    tables = [np.ascontiguousarray(speeds.speed[0]), np.ascontiguousarray(speeds.busy[0])]
    state = [np.zeros(8), np.empty(places), np.empty(places), np.empty((requests + 1, 2))]
    constants = [array.ctypes.data for array in (*tables, *state)]
    latencies_s = []
    for slot, demand_s in zip(slots, demands_s, strict=True):
        latency_s = np.empty(len(demand_s) + queue_limit + places)
        completions = kernel(
            slot.arrival_s.ctypes.data, demand_s.ctypes.data, len(demand_s), slot.end_s,
            int(speeds.limit[0]), queue_limit, *constants, latency_s.ctypes.data,
        )  # fmt: skip
        latencies_s.append(latency_s[:completions])
    return latencies_s
