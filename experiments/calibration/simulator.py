"""The simulator of a testbed: its grid, with a fitted profile."""

from __future__ import annotations

from typing import Any

from sim.system import SimulatedCpu, SimulatedGpu, SimulatedServers

CPU_KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")
BATCHING_KNOBS = ("batch_threads", "batch_size", "batch_timeout_us")


def simulator_of(plain: dict[str, Any]) -> dict[str, Any]:
    """Settings of the simulated system in the place of a testbed's, without hardware and model.

    Args:
        plain: settings of a testbed's run (or of the simulator in its place).
    """
    system = plain["system"]
    # testbed_batching has no such limit: there whole batches wait
    given = {name: system[name] for name in ("queue_limit", "servers", "dispatch") if name in system}
    if "batch_threads" in system:
        return {"_target_": "sim.system.SimulatedGpu"} | {name: system[name] for name in BATCHING_KNOBS} | given
    grids = system.get("grids") or {name: system[name] for name in CPU_KNOBS}
    return {"_target_": "sim.system.SimulatedCpu", "grids": grids} | given


def simulated_testbed(plain: dict[str, Any], hardware: dict[str, Any], **settings: Any) -> SimulatedServers:
    """The servers of these settings, simulated.

    Args:
        plain: settings of a testbed's run (or of the simulator in its place).
        hardware: a fitted profile.
        **settings: of ``sim.system.SimulatedServers``.
    """
    given = simulator_of(plain)
    kind: Any = SimulatedGpu if given.pop("_target_").endswith("Gpu") else SimulatedCpu
    simulated: SimulatedServers = kind(
        hardware, plain["model"]["name"], **({"slo_s": plain["objective"]["slo_s"]} | given | settings)
    )
    return simulated
