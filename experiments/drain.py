"""The drain rule: what a slot costs that works off an old backlog says little about its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.measurement import SlotMeasurement

Drained = Callable[[SlotMeasurement], bool]
"""Whether a slot is one that nobody should learn from."""


@dataclass(frozen=True)
class DrainRule:
    """A slot that began with more than ``backlog`` requests in the system and ended with fewer than then.

    The good configuration that works off what a bad one left behind has the worst latencies of all. The
    rule is ours, for queues that are carried over slots without end.
    """

    backlog: int = 50

    def __call__(self, measurement: SlotMeasurement) -> bool:
        """Whether the slot is such a one."""
        return (
            self.backlog < measurement.backlog_start and measurement.backlog_end < measurement.backlog_start
        )


def never_drained(measurement: SlotMeasurement) -> bool:  # noqa: ARG001 - see Drained
    """Without the rule, every slot is learned from."""
    return False


def build_drain_rule(plain: Mapping[str, Any]) -> Drained:
    """The rule of a run's settings; left open (null) it is on where the boundary is ``carry``."""
    wanted = plain["drain_rule"]
    if wanted is None:
        wanted = plain["system"].get("boundary") == "carry"
    return DrainRule(plain["drain_backlog"]) if wanted else never_drained
