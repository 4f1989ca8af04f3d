"""Measures windows on a system, real or simulated, within a budget of time."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from experiments.calibration.closed_loop_system import ClosedLoopSystem
from experiments.calibration.plan import Window
from experiments.calibration.speed import REFERENCE_S, reference_s
from experiments.calibration.windows import WindowTable, is_clean, summary
from experiments.records import machine
from serving.configuration import Configuration
from serving.slot import Slot
from testbed.system import nearest_size
from workloads.constant import Constant
from workloads.sizes import RequestSizes

SETTLE_S = 0.5  # under the new configuration before a window, not measured
_SIZES = 1000


@dataclass(frozen=True)
class Conditions:
    """What all windows of a table have in common.

    Attributes:
        window_s: length of a window.
        sizes: of the requests.
        seed: of arrivals and sizes at the first visit of a window.
        cores: of the machine.
        attempts: how often a window is measured at most, until nobody disturbs it.
    """

    window_s: float
    sizes: RequestSizes
    seed: int
    cores: int
    attempts: int = 3

    def of_visit(self, visit: int) -> Conditions:
        """The same with requests of their own."""
        return replace(self, seed=self.seed + visit)

    def slot(self, load_rps: float) -> Slot:
        """Poisson arrivals: the same for the same rate and seed; sizes as the testbed sends them."""
        workload = Constant(mean_rps=load_rps, slot_s=self.window_s, sizes=self.sizes)
        slot = next(iter(workload.slots(self.seed, 1)))
        return replace(slot, size=nearest_size(slot.size))

    def closed_sizes(self) -> NDArray[np.float64]:
        """Sizes that the clients of a closed loop take in turn."""
        return nearest_size(self.sizes.of_slot(self.seed, 0, _SIZES))


def measure(
    system: ClosedLoopSystem,
    table: WindowTable,
    windows: Sequence[Window],
    conditions: Conditions,
    budget_s: float,
    progress: bool = True,
) -> int:
    """Measure what the table lacks, in order, until the time is spent; how many windows are still missing.

    A disturbed window is measured again; every attempt is kept in the table.

    Raises:
        UsageError: if the table has windows of another machine, or of another length.
    """
    table.refuse_others(cpu=machine()["cpu"], cores=conditions.cores, window_s=conditions.window_s)
    began_s = time.monotonic()
    missing = [one for one in windows if not _done(table, one, conditions)]
    cost_s = conditions.window_s + 2 * SETTLE_S + REFERENCE_S
    within = min(len(missing), int(budget_s / cost_s))
    with tqdm(total=within, unit="window", desc=table.file.stem, disable=not progress) as bar:
        for place, window in enumerate(missing):
            here = conditions.of_visit(window.visit)
            attempt = len(table.attempts(window, here.seed))
            while attempt < conditions.attempts:
                if time.monotonic() - began_s + cost_s > budget_s:
                    return len(missing) - place
                row = _row(system, table, window, here)
                table.append(row | {"attempt": attempt})
                attempt += 1
                if not row["flags"]:
                    break
            bar.update()
    return 0


def _done(table: WindowTable, window: Window, conditions: Conditions) -> bool:
    attempts = table.attempts(window, conditions.of_visit(window.visit).seed)
    return len(attempts) >= conditions.attempts or bool(is_clean(attempts).any())


def _row(
    system: ClosedLoopSystem, table: WindowTable, window: Window, conditions: Conditions
) -> dict[str, Any]:
    label: dict[str, Any] = dict(zip(table.knobs, window.configuration, strict=True))
    label |= {"mode": window.mode, "level": window.level, "seed": conditions.seed, "attempt": 0}
    label |= {"slot": None}  # of a trace
    # The chance of a simulated system is another in each window, as that of a real one is.
    system.reset(zlib.crc32(repr((window, conditions.seed)).encode()))
    label |= {"reference_s": reference_s(system)}
    if window.mode == "closed":
        found = serve_closed(system, window.configuration, int(window.level), conditions)
    else:
        found = serve_open(system, window.configuration, _load_rps(table, window), conditions)
    return label | found | when_and_where(conditions)


def _load_rps(table: WindowTable, window: Window) -> float:
    if window.mode == "rate":
        return window.level
    throughput_rps = table.throughput_rps(window.configuration)
    assert throughput_rps is not None, "a plan begins with closed loops"
    return window.level * throughput_rps


def when_and_where(conditions: Conditions) -> dict[str, Any]:
    """The last columns of a row."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"measured_at": now, "cpu": machine()["cpu"], "cores": conditions.cores}


def serve_closed(
    system: ClosedLoopSystem, configuration: Configuration, clients: int, conditions: Conditions
) -> dict[str, Any]:
    """A window of clients that ask again as soon as they are answered."""
    size = conditions.closed_sizes()
    system.serve_closed(configuration, clients, SETTLE_S, size)
    measured = system.serve_closed(configuration, clients, conditions.window_s, size)
    in_turn = size[np.arange(measured.completions) % len(size)] if clients == 1 else None
    return {"load_rps": None} | summary(measured, conditions.window_s, conditions.cores, in_turn)


def serve_open(
    system: ClosedLoopSystem, configuration: Configuration, load_rps: float, conditions: Conditions
) -> dict[str, Any]:
    """A window of Poisson arrivals that begins with nobody waiting."""
    load_rps = float(f"{load_rps:.6g}")  # as the table keeps it: the same arrivals can be made from it
    slot = conditions.slot(load_rps)
    system.serve(configuration, Slot(0, 0.0, SETTLE_S, np.empty(0), np.empty(0), 0.0))
    later = replace(slot, index=1, start_s=SETTLE_S, arrival_s=slot.arrival_s + SETTLE_S)
    measured = system.serve(configuration, later)
    return {"load_rps": load_rps} | summary(measured, conditions.window_s, conditions.cores)
