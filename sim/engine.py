"""The queueing engine: slots, what happens where they meet, and the dispatch to several servers.

What one server does is the business of ``sim.server``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.dispatch import Dispatch, at_random, least_loaded, round_robin_shares
from serving.slot import Slot
from sim.reconfiguration import AT_ONCE, Switch
from sim.server import Served, Server

Boundary = Literal["bounded", "carry", "drop", "episodic"]
_Floats = NDArray[np.float64]
_NOTHING = np.empty(0)


class SlotTally(NamedTuple):
    """What an engine counted in one slot, over all servers.

    backlog_start + arrivals = completions + rejections + backlog_end, under every boundary.

    Attributes:
        latency_s: completion minus arrival, in order of completion.
        completed_at_s: times of completion, same order, seconds since the start of the run.
        rejections: requests turned away at the queue limit, or dropped at the slot's end.
        busy_s: integral of the busy share over the slot, in seconds, mean of the servers.
        elapsed_s: time that the slot took: its duration; for ``episodic`` until the last departure
            (its duration, too, where nothing arrived).
        backlog_start: requests in the system, waiting or in service, when the slot began.
        backlog_end: requests in the system when it ended.
    """

    latency_s: _Floats
    completed_at_s: _Floats
    rejections: int
    busy_s: float
    elapsed_s: float
    backlog_start: int
    backlog_end: int


class Engine:
    """Identical servers behind a dispatcher, stepped slot by slot.

    ``bounded`` carries the queue over with at most ``queue_limit`` requests waiting at each server, ``carry``
    without a limit; ``drop`` is ``bounded`` but discards those who wait at the slot's end; ``episodic``
    starts each slot empty, has no limit and serves all its requests to completion.

    Args:
        servers: one or more, alike.
        rows: configurations of their speed table.
        boundary: what happens to the queue where slots meet.
        dispatch: which server a request goes to.
        orderly: whether arrival times are sorted and demands finite and not negative.
        work_least_loaded: serves requests on all servers, each sent to the least loaded, faster than this
            class can: ``(arrival_s, demand_s, until_s, turn)``.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        rows: int,
        boundary: Boundary,
        dispatch: Dispatch = "round_robin",
        orderly: Callable[[_Floats, _Floats], bool] | None = None,
        work_least_loaded: Callable[[_Floats, _Floats, float, int], None] | None = None,
    ) -> None:
        self._servers = servers
        self._rows = rows
        self._boundary = boundary
        self._dispatch = dispatch
        self._orderly = orderly or _orderly
        self._work_least_loaded = work_least_loaded or self._one_by_one
        self.reset(0)

    def reset(self, seed: int = 0) -> None:
        """Start empty, at the beginning of time; the seed is that of random dispatch."""
        self._rng = np.random.default_rng(seed)
        self._turn = 0
        self._served_until_s = -np.inf
        for server in self._servers:
            server.clear()
        self._configuration = 0
        self._backlog = 0

    def serve(self, configuration: int, slot: Slot, demand_s: _Floats, switch: Switch = AT_ONCE) -> SlotTally:
        """Serve one slot under a row of the speed table; slots come in order of time.

        Args:
            configuration: row of the speed table.
            slot: the arrivals; ``size`` is not looked at.
            demand_s: service demand of each request, seconds at speed 1, same shape as ``slot.arrival_s``.
            switch: how long the configuration takes to come into force, within the slot.

        Raises:
            ValueError: if the requests are not sorted or not in the slot, if a demand is negative or not
                finite, or if the slot begins before the one before it ended.
            IndexError: if there is no such row.
        """
        if not 0 <= configuration < self._rows:
            raise IndexError(f"configuration={configuration}, the table has rows 0..{self._rows - 1}")
        episodic = self._boundary == "episodic"
        if episodic:
            for server in self._servers:
                server.clear()
                server.reconfigure(self._configuration)
            self._served_until_s, self._backlog = -np.inf, 0
        # The previous slot's end and this one's start may differ in the last bit: the later one counts.
        start_s = max(slot.start_s, self._served_until_s)
        end_s = max(slot.end_s, start_s)
        arrival_s, demand_s = self._checked(slot, demand_s, start_s)
        backlog_start = self._backlog
        for server in self._servers:
            server.begin_slot(start_s)
        if switch is not AT_ONCE:
            arrived = self._switch(switch, start_s, end_s, arrival_s, demand_s)
            arrival_s, demand_s = arrival_s[arrived:], demand_s[arrived:]
        for server in self._servers:
            server.reconfigure(configuration)
        self._configuration = configuration
        self._work(arrival_s, demand_s, np.inf if episodic else end_s)
        dropped = sum(server.discard_waiting() for server in self._servers) if self._boundary == "drop" else 0
        self._served_until_s = np.inf if episodic else end_s
        self._backlog = sum(server.in_system() for server in self._servers)
        served = _together([server.end_slot() for server in self._servers])
        elapsed_s = slot.duration_s
        if episodic and len(served.completed_at_s):
            elapsed_s = float(served.completed_at_s[-1]) - start_s
        return SlotTally(
            latency_s=served.latency_s,
            completed_at_s=served.completed_at_s,
            rejections=served.rejections + dropped,
            busy_s=served.busy_s,
            elapsed_s=elapsed_s,
            backlog_start=backlog_start,
            backlog_end=self._backlog,
        )

    def _checked(self, slot: Slot, demand_s: _Floats, start_s: float) -> tuple[_Floats, _Floats]:
        """The requests of a slot as contiguous arrays, none before ``start_s``."""
        arrival_s = np.ascontiguousarray(slot.arrival_s, dtype=np.float64)
        demand_s = np.ascontiguousarray(demand_s, dtype=np.float64)
        if start_s - slot.start_s > 1e-6:
            raise ValueError(
                f"slot {slot.index} starts at {slot.start_s} s, before {start_s} s, already served"
            )
        if demand_s.shape != arrival_s.shape:
            raise ValueError(f"demand_s has shape {demand_s.shape}, expected {arrival_s.shape}")
        if len(arrival_s) == 0:
            return arrival_s, demand_s
        if not self._orderly(arrival_s, demand_s):
            raise ValueError(f"slot {slot.index} has arrivals not sorted, or demands negative or not finite")
        if not (slot.start_s <= arrival_s[0] and arrival_s[-1] <= slot.end_s):
            raise ValueError(f"slot {slot.index} has arrivals outside {slot.start_s}..{slot.end_s} s")
        if arrival_s[0] < start_s:
            arrival_s = np.maximum(arrival_s, start_s)
        return arrival_s, demand_s

    def _switch(
        self, switch: Switch, start_s: float, end_s: float, arrival_s: _Floats, demand_s: _Floats
    ) -> int:
        """Go on under the configuration before, then stand still; how many arrived meanwhile."""
        ready_s = min(start_s + switch.delay_s, end_s)
        resume_s = min(ready_s + switch.pause_s, end_s)
        # Arrivals at the very instant come after the reconfiguration.
        ready, resumed = map(int, np.searchsorted(arrival_s, [ready_s, resume_s], side="left"))
        if switch.delay_s:
            self._work(arrival_s[:ready], demand_s[:ready], ready_s)
        if switch.pause_s:
            self._share("pause", arrival_s[ready:resumed], demand_s[ready:resumed], resume_s)
        return resumed

    def _work(self, arrival_s: _Floats, demand_s: _Floats, until_s: float) -> None:
        if self._dispatch == "least_loaded" and len(self._servers) > 1:
            self._work_least_loaded(arrival_s, demand_s, until_s, self._turn)
            self._turn += len(arrival_s)
        else:
            self._share("work", arrival_s, demand_s, until_s)

    def _share(
        self,
        verb: Literal["work", "pause"],
        arrival_s: _Floats,
        demand_s: _Floats,
        until_s: float,
    ) -> None:
        """Let every server have its share of the requests; in a pause the least loaded take turns."""
        if len(self._servers) == 1:
            getattr(self._servers[0], verb)(arrival_s, demand_s, until_s)
            return
        shares: Sequence[slice | NDArray[np.bool_]]
        if self._dispatch == "random":
            assigned = at_random(self._rng.random(len(arrival_s)), len(self._servers))
            shares = [assigned == number for number in range(len(self._servers))]
        else:
            shares = round_robin_shares(self._turn, len(self._servers))
        self._turn += len(arrival_s)
        for server, mine in zip(self._servers, shares, strict=True):
            getattr(server, verb)(
                np.ascontiguousarray(arrival_s[mine]), np.ascontiguousarray(demand_s[mine]), until_s
            )

    def _one_by_one(self, arrival_s: _Floats, demand_s: _Floats, until_s: float, turn: int) -> None:
        """The least loaded server takes each request; all servers work up to that instant first."""
        for index, now_s in enumerate(arrival_s.tolist()):
            for server in self._servers:
                server.work(_NOTHING, _NOTHING, now_s)
            in_system = np.array([server.in_system() for server in self._servers])
            chosen = self._servers[least_loaded(in_system, turn + index)]
            chosen.work(arrival_s[index : index + 1], demand_s[index : index + 1], now_s)
        for server in self._servers:
            server.work(_NOTHING, _NOTHING, until_s)


def _together(served: Sequence[Served]) -> Served:
    """What several servers did, in order of completion; at the same instant the first server goes first."""
    if len(served) == 1:
        return served[0]
    completed_at_s = np.concatenate([one.completed_at_s for one in served])
    order = np.argsort(completed_at_s, kind="stable")
    return Served(
        latency_s=np.concatenate([one.latency_s for one in served])[order],
        completed_at_s=completed_at_s[order],
        rejections=sum(one.rejections for one in served),
        busy_s=sum(one.busy_s for one in served) / len(served),
    )


def _orderly(arrival_s: _Floats, demand_s: _Floats) -> bool:
    sorted_by_time = bool((arrival_s[1:] >= arrival_s[:-1]).all())
    return sorted_by_time and bool(demand_s.min() >= 0 and demand_s.max() < np.inf)
