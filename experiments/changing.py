"""Systems that change in mid-run as a sequence of systems that do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHANGING, _STEADY = "sim.changing.ChangingCpu", "sim.system.SimulatedCpu"
_CHANGE = ("change_slot", "change_slots", "cores_after", "slowdown")  # beside a steady one's


def stages(system: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Settings of the steady systems that it is like, by the slot in which it is; of a steady one itself.

    A slow change has a stage in its middle, too: costs are not quite exponential in the work.
    """
    if system.get("_target_") != _CHANGING:
        return {0: dict(system)}
    first, slots = int(system["change_slot"]), int(system["change_slots"])
    steady = {key: value for key, value in system.items() if key not in _CHANGE} | {"_target_": _STEADY}
    found = {first - 1: steady}
    for passed in (0, slots // 2, slots):
        share = passed / slots if slots else 1.0
        changed = dict(system) | {"change_slot": 0, "change_slots": 0}
        changed["slowdown"] = 1 + (system["slowdown"] - 1) * share
        same = changed["slowdown"] == 1 and system["cores_after"] is None
        found[first + passed] = steady if same else changed
    return found
