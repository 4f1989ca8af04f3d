"""The simulator of a testbed: its grid, with a fitted profile."""

from __future__ import annotations

from typing import Any

from serving.errors import UsageError
from sim.system import SimulatedCpu

_KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")


def simulated_testbed(plain: dict[str, Any], hardware: dict[str, Any], **settings: Any) -> SimulatedCpu:
    """The servers of these settings, simulated.

    Args:
        plain: settings of a testbed's run (or of the simulator in its place).
        hardware: a fitted profile.
        **settings: of ``sim.system.SimulatedServers``.

    Raises:
        UsageError: if the system has other knobs.
    """
    system = plain["system"]
    if "batch_threads" in system:
        raise UsageError(f"system={system['name']}: only request, inter-op and intra-op can be simulated so")
    grids = system.get("grids") or {name: system[name] for name in _KNOBS}
    given = {"slo_s": plain["objective"]["slo_s"], "queue_limit": system["queue_limit"], "grids": grids}
    return SimulatedCpu(hardware, plain["model"]["name"], **(given | settings))
