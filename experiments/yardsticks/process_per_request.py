"""The model in SimPy with one process per request, and a server that keeps virtual time.

The common way to write a queue in SimPy, with the O(log n) server. One configuration, bounded queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush

import numpy as np
import simpy
from numpy.typing import NDArray

from serving.slot import Slot
from sim.speeds import SpeedTable


class VirtualTimeServer:
    """Shares its speed among at most ``limit`` requests; ``serve`` gives the event of a departure."""

    def __init__(self, env: simpy.Environment, speeds: SpeedTable, configuration: int) -> None:
        self._env = env
        self._limit = int(speeds.limit[configuration])
        self._speed: list[float] = speeds.speed[configuration].tolist()
        self._in_service: list[tuple[float, int, simpy.Event]] = []
        self._waiting: deque[tuple[float, simpy.Event]] = deque()
        self._admissions = 0
        self._virtual_s = 0.0
        self._virtual_at_s = env.now
        self._next_departure: simpy.Timeout | None = None

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def serve(self, demand_s: float) -> simpy.Event:
        """The event that the request is done."""
        done = self._env.event()
        if len(self._in_service) < self._limit:
            self._progress()
            self._admit(demand_s, done)
            self._schedule_departure()
        else:
            self._waiting.append((demand_s, done))
        return done

    def _progress(self) -> None:
        elapsed_s = self._env.now - self._virtual_at_s
        self._virtual_s += self._speed[len(self._in_service)] * elapsed_s
        self._virtual_at_s = self._env.now

    def _admit(self, demand_s: float, done: simpy.Event) -> None:
        self._admissions += 1
        heappush(self._in_service, (self._virtual_s + demand_s, self._admissions, done))

    def _schedule_departure(self) -> None:
        remaining_s = self._in_service[0][0] - self._virtual_s
        timeout = self._env.timeout(max(0.0, remaining_s) / self._speed[len(self._in_service)])
        assert timeout.callbacks is not None
        timeout.callbacks.append(self._depart)
        self._next_departure = timeout

    def _depart(self, timeout: simpy.Event) -> None:
        if timeout is not self._next_departure:
            return  # overtaken by an arrival
        tag, _, done = heappop(self._in_service)
        self._virtual_s, self._virtual_at_s = (tag if self._in_service else 0.0), self._env.now
        done.succeed()
        if self._waiting:
            self._admit(*self._waiting.popleft())
        if self._in_service:
            self._schedule_departure()


def serve_per_request(
    speeds: SpeedTable,
    configuration: int,
    slots: list[Slot],
    demands_s: list[NDArray[np.float64]],
    queue_limit: int,
) -> tuple[list[float], int]:
    """Serve all slots and then until empty: latencies in seconds in order of completion, and rejections."""
    env = simpy.Environment()
    server = VirtualTimeServer(env, speeds, configuration)
    latency_s: list[float] = []
    rejections = 0

    def request(demand_s: float) -> Generator[simpy.Event, None, None]:
        arrived_s = env.now
        yield server.serve(demand_s)
        latency_s.append(env.now - arrived_s)

    def source() -> Generator[simpy.Event, None, None]:
        nonlocal rejections
        for slot, demand_s in zip(slots, demands_s, strict=True):
            for arrival_s, demand in zip(slot.arrival_s.tolist(), demand_s.tolist(), strict=True):
                yield env.timeout(max(0.0, arrival_s - env.now))
                if server.waiting < queue_limit:
                    env.process(request(demand))
                else:
                    rejections += 1

    env.process(source())
    env.run()
    return latency_s, rejections
