"""One server: what both engines implement, and the model's rules.

The model: requests wait first come, first served; at most ``limit`` are in service; all n in service
progress at the same speed, which depends on the configuration and on n (state-dependent processor
sharing). Virtual time V runs at that speed, so a request admitted at V leaves when V reaches its tag,
V + demand: an event touches those whose order it changes, and nobody else.

A server that puts requests together (``sim.speeds.Batching``) has batches in service, and n counts those.

Rules that both engines keep to the last bit:

- V is brought up to date only when n or the configuration changes; a departure sets it to the tag
  exactly; it is 0 whenever nobody is in service.
- Of events at the same instant a departure comes first, then a reconfiguration, then an arrival, then a
  batch's timeout. Of equal tags the one admitted first leaves first.
- A reconfiguration pre-empts nobody; a larger limit admits waiting requests at that instant, one by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNLIMITED = 2**62


class Served(NamedTuple):
    """What a server did in one slot.

    Attributes:
        latency_s: completion minus arrival, in order of completion.
        completed_at_s: times of completion, same order, seconds since the start of the run.
        rejections: requests turned away at the queue limit.
        busy_s: integral of the busy share over the slot, in seconds.
    """

    latency_s: NDArray[np.float64]
    completed_at_s: NDArray[np.float64]
    rejections: int
    busy_s: float


class Server(ABC):
    """Serves requests until a time; may be reconfigured and paused in between.

    Calls come in order of time. Requests are given as contiguous arrays: sorted arrival times, none before
    the time that the server has reached, none after the time that it works to, and demands in seconds at
    speed 1.
    """

    @abstractmethod
    def clear(self) -> None:
        """Empty the server and set it to the beginning of time, under row 0 of its table."""

    @abstractmethod
    def in_system(self) -> int:
        """Requests waiting or in service."""

    @abstractmethod
    def begin_slot(self, at_s: float) -> None:
        """Work until ``at_s``, under the configuration so far, and count busy time and rejections from 0.

        What departs on the way counts as completed in the slot that begins.
        """

    @abstractmethod
    def reconfigure(self, row: int) -> None:
        """Switch to a row of the speed table, now, and admit whoever may be admitted under it."""

    @abstractmethod
    def pause(self, arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], until_s: float) -> None:
        """Stand still until a time: nobody progresses or is admitted, arrivals wait or are turned away."""

    @abstractmethod
    def work(self, arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], until_s: float) -> None:
        """Serve until a time, departures at that instant included; until empty if that is infinity."""

    @abstractmethod
    def discard_waiting(self) -> int:
        """Forget those who wait; how many they were."""

    @abstractmethod
    def end_slot(self) -> Served:
        """What was done since the slot began."""
