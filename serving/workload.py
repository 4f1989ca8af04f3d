"""What the loop needs of a workload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from serving.slot import Slot


class Workload(Protocol):
    """A reproducible stream of slots: the same seed gives every agent and system the same requests."""

    @property
    def name(self) -> str:
        """As in the result rows."""

    @property
    def max_load_rps(self) -> float:
        """Upper end of the load bins: a number of the specification, never read off a trace."""

    def slots(self, seed: int, count: int) -> Iterator[Slot]:
        """The first ``count`` slots.

        Raises:
            UsageError: if the workload is shorter than that.
        """
