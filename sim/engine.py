"""The queueing engine of one server: its interface, and what happens where slots meet.

The model: requests wait first come, first served; at most ``limit`` are in service; all n in service
progress at the same speed, which depends on the configuration and on n (state-dependent processor
sharing). Virtual time V runs at that speed, so a request admitted at V leaves when V reaches its tag,
V + demand: every event is O(log n).

Rules that both engines keep to the last bit:

- V is brought up to date only when n or the configuration changes; a departure sets it to the tag
  exactly; it is 0 whenever nobody is in service.
- Of events at the same instant a departure comes first, then a reconfiguration, then an arrival. Of equal
  tags the request that arrived first leaves first.
- A reconfiguration pre-empts nobody; a larger limit admits waiting requests at that instant, one by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from serving.slot import Slot
from sim.speeds import SpeedTable

Boundary = Literal["bounded", "carry", "drop", "episodic"]
UNLIMITED = 2**62


@dataclass(frozen=True)
class SlotTally:
    """What an engine counted in one slot.

    backlog_start + arrivals = completions + rejections + backlog_end, under every boundary.

    Attributes:
        latency_s: completion minus arrival, in order of completion.
        completed_at_s: times of completion, same order, seconds since the start of the run.
        rejections: requests turned away at the queue limit, or dropped at the slot's end.
        busy_s: integral of the busy share over the slot, in seconds.
        elapsed_s: time that the slot took: its duration; for ``episodic`` until the last departure
            (its duration, too, where nothing arrived).
        backlog_start: requests in the system, waiting or in service, when the slot began.
        backlog_end: requests in the system when it ended.
    """

    latency_s: NDArray[np.float64]
    completed_at_s: NDArray[np.float64]
    rejections: int
    busy_s: float
    elapsed_s: float
    backlog_start: int
    backlog_end: int


class Engine(Protocol):
    """One server that serves slot after slot."""

    def reset(self) -> None:
        """Start empty, at the beginning of time."""

    def serve(self, configuration: int, slot: Slot, demand_s: NDArray[np.float64]) -> SlotTally:
        """Serve one slot under a row of the speed table; slots come in order of time.

        Args:
            configuration: row of the speed table, in force from the slot's start.
            slot: the arrivals; ``size`` is not looked at.
            demand_s: service demand of each request, seconds at speed 1, same shape as ``slot.arrival_s``.

        Raises:
            ValueError: if the requests are not sorted or not in the slot, if a demand is negative or not
                finite, or if the slot begins before the one before it ended.
            IndexError: if there is no such row.
        """


class SlotwiseEngine(ABC):
    """What both engines share: checks, and the four boundaries between slots.

    ``bounded`` carries the queue over with at most ``queue_limit`` requests waiting, ``carry`` without a
    limit; ``drop`` is ``bounded`` but discards those who wait at the slot's end; ``episodic`` starts each
    slot empty, has no limit and serves all its requests to completion.
    """

    def __init__(self, speeds: SpeedTable, boundary: Boundary, queue_limit: int | None) -> None:
        limited = boundary in ("bounded", "drop") and queue_limit is not None
        self._speeds = speeds
        self._boundary = boundary
        self._queue_limit = queue_limit if limited and queue_limit is not None else UNLIMITED
        self.reset()

    def reset(self) -> None:
        """Start empty, at the beginning of time."""
        self._served_until_s = -np.inf
        self._clear()

    def serve(self, configuration: int, slot: Slot, demand_s: NDArray[np.float64]) -> SlotTally:
        """Serve one slot; see ``Engine``."""
        if not 0 <= configuration < self._speeds.size:
            raise IndexError(f"configuration={configuration}, the table has rows 0..{self._speeds.size - 1}")
        episodic = self._boundary == "episodic"
        if episodic:
            self.reset()
        # The previous slot's end and this one's start may differ in the last bit: the later one counts.
        start_s = max(slot.start_s, self._served_until_s)
        until_s = np.inf if episodic else max(slot.end_s, start_s)
        arrival_s, demand_s = _checked(slot, demand_s, start_s)
        backlog_start = self._backlog()
        latency_s, completed_at_s, rejections, busy_s = self._run(
            configuration, start_s, until_s, arrival_s, demand_s
        )
        if self._boundary == "drop":
            rejections += self._discard_waiting()
        self._served_until_s = until_s
        elapsed_s = slot.duration_s
        if episodic and len(completed_at_s):
            elapsed_s = float(completed_at_s[-1]) - start_s
        return SlotTally(
            latency_s=latency_s,
            completed_at_s=completed_at_s,
            rejections=rejections,
            busy_s=busy_s,
            elapsed_s=elapsed_s,
            backlog_start=backlog_start,
            backlog_end=self._backlog(),
        )

    @abstractmethod
    def _clear(self) -> None:
        """Empty the server."""

    @abstractmethod
    def _backlog(self) -> int:
        """Requests waiting or in service."""

    @abstractmethod
    def _discard_waiting(self) -> int:
        """Forget those who wait; how many they were."""

    @abstractmethod
    def _run(
        self,
        configuration: int,
        start_s: float,
        until_s: float,
        arrival_s: NDArray[np.float64],
        demand_s: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], int, float]:
        """Reconfigure at ``start_s``, then serve until ``until_s`` (infinity: until empty).

        Departures up to and including ``start_s`` still happen under the configuration before.

        Returns:
            latency_s, completed_at_s, rejections at the queue limit, and busy_s from ``start_s`` on.
        """


def _checked(
    slot: Slot, demand_s: NDArray[np.float64], start_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The requests of a slot as contiguous arrays, none before ``start_s``."""
    arrival_s = np.ascontiguousarray(slot.arrival_s, dtype=np.float64)
    demand_s = np.ascontiguousarray(demand_s, dtype=np.float64)
    if start_s - slot.start_s > 1e-6:
        raise ValueError(f"slot {slot.index} starts at {slot.start_s} s, before {start_s} s, already served")
    if demand_s.shape != arrival_s.shape:
        raise ValueError(f"demand_s has shape {demand_s.shape}, expected {arrival_s.shape}")
    if len(arrival_s) == 0:
        return arrival_s, demand_s
    if not (slot.start_s <= arrival_s[0] and arrival_s[-1] <= slot.end_s):
        raise ValueError(f"slot {slot.index} has arrivals outside {slot.start_s}..{slot.end_s} s")
    if not (arrival_s[1:] >= arrival_s[:-1]).all():
        raise ValueError(f"slot {slot.index} has arrivals that are not sorted")
    if not (demand_s.min() >= 0 and demand_s.max() < np.inf):
        raise ValueError(f"slot {slot.index} has demands that are negative or not finite")
    if arrival_s[0] < start_s:
        arrival_s = np.maximum(arrival_s, start_s)
    return arrival_s, demand_s
