"""What was decided and is not learned from yet."""

from __future__ import annotations

from typing import Generic, TypeVar

Decision = TypeVar("Decision")

_REMEMBERED = 4  # slots whose learning may still be to come, where learning runs beside serving


class Pending(Generic[Decision]):
    """Decisions by slot, from ``act`` to ``learn``; slots that nobody learns from are forgotten.

    Attributes:
        decisions: those of the last slots.
    """

    def __init__(self) -> None:
        self.decisions: dict[int, Decision] = {}

    def add(self, slot: int, decision: Decision) -> list[Decision]:
        """Keep the decision for a slot; what is forgotten now, too old or of a run before this one."""
        old = [one for one in self.decisions if not slot - _REMEMBERED <= one < slot]
        forgotten = [self.decisions.pop(one) for one in old]
        self.decisions[slot] = decision
        return forgotten

    def take(self, slot: int) -> Decision | None:
        """The decision for a slot, once; None if there is none."""
        return self.decisions.pop(slot, None)
