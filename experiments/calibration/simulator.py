"""The simulator of a testbed: its grid, with a fitted profile."""

from __future__ import annotations

from typing import Any

from sim.system import SimulatedCpu, SimulatedGpu, SimulatedServers

CPU_KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")
BATCHING_KNOBS = ("batch_threads", "batch_size", "batch_timeout_us")


def simulated_testbed(plain: dict[str, Any], hardware: dict[str, Any], **settings: Any) -> SimulatedServers:
    """The servers of these settings, simulated.

    Args:
        plain: settings of a testbed's run (or of the simulator in its place).
        hardware: a fitted profile.
        **settings: of ``sim.system.SimulatedServers``.
    """
    system, model = plain["system"], plain["model"]["name"]
    given: dict[str, Any] = {"slo_s": plain["objective"]["slo_s"]}
    if "queue_limit" in system:  # testbed_batching has none: there whole batches wait
        given["queue_limit"] = system["queue_limit"]
    if "batch_threads" in system:
        grids = {name: system[name] for name in BATCHING_KNOBS}
        return SimulatedGpu(hardware, model, **(grids | given | settings))
    grids = system.get("grids") or {name: system[name] for name in CPU_KNOBS}
    return SimulatedCpu(hardware, model, grids=grids, **(given | settings))
