"""A CPU server that becomes another one in the course of a run: fewer cores, or heavier requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from serving.configuration import Configuration
from serving.errors import UsageError
from serving.measurement import SlotMeasurement
from serving.slot import Slot
from sim.system import SimulatedCpu


class ChangingCpu:
    """``SimulatedCpu`` until slot ``change_slot``, then with other cores, or slower (a ``ServingSystem``).

    Nobody is told, and the configurations stay the same. Losing cores empties the server, as a restart
    does. Exhaustive tables are of servers that have changed by slot 0 (``experiments.changing``).

    Args:
        hardware: a CPU's hardware profile (see conf/hardware).
        change_slot: first slot of the change.
        change_slots: over how many slots the slowdown comes about, evenly; 0 for at once.
        cores_after: cores from then on; as many as before where None.
        slowdown: times as much work in every request, in the end.
        settings: see ``sim.system.SimulatedCpu``.

    Raises:
        UsageError: for a value outside its range.
    """

    def __init__(
        self,
        *,
        hardware: Mapping[str, Any],
        change_slot: int,
        change_slots: int = 0,
        cores_after: int | None = None,
        slowdown: float = 1.0,
        **settings: Any,
    ) -> None:
        if change_slot < 0 or change_slots < 0 or not slowdown > 0:
            raise UsageError(
                f"system.change_slot={change_slot}, system.change_slots={change_slots}, system.slowdown="
                f"{slowdown}, expected integers >= 0 and a number > 0"
            )
        self._before = SimulatedCpu(hardware=hardware, **settings)
        self._after = (
            self._before
            if cores_after is None
            else SimulatedCpu(hardware={**hardware, "cores": cores_after}, **settings)
        )
        self._change_slot, self._change_slots, self._slowdown = change_slot, change_slots, slowdown
        self.name = self._before.name
        self.space = self._before.space
        self.like = self._after.like  # of what it becomes

    def slowdown(self, slot: int) -> float:
        """Times as much work as at first, in this slot."""
        passed = slot - self._change_slot
        if passed < 0:
            return 1.0
        share = 1.0 if passed >= self._change_slots else passed / self._change_slots
        return 1.0 + (self._slowdown - 1.0) * share

    def reset(self, seed: int) -> None:
        """Empty the server, and undo the change."""
        self._before.reset(seed)
        self._after.reset(seed)

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """Simulate one slot, on what the server is by then."""
        server = self._before if slot.index < self._change_slot else self._after
        return server.serve(configuration, replace(slot, size=slot.size * self.slowdown(slot.index)))

    def close(self) -> None:
        """Nothing to release."""
