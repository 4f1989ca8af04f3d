"""The server that puts requests together, in SimPy: the readable reference.

Each call lets one SimPy process run: it sleeps until whatever comes next, a departure, an arrival or the
timeout of the batch that is being put together. Times are kept beside the clock of SimPy, which adds up
delays and so differs from them in the last bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush
from math import inf

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.server import UNLIMITED, Served, Server
from sim.speeds import SpeedTable


class SimpyBatchServer(Server):
    """One server with batches in service; see ``sim.server`` for the model and its rules.

    Args:
        speeds: limits, speeds and busy shares of every configuration, with ``batching``.
        queue_limit: at most this many requests wait.
    """

    def __init__(self, speeds: SpeedTable, queue_limit: int = UNLIMITED) -> None:
        if speeds.batching is None:
            raise ValueError("speeds has no batching, expected one")
        self._speeds = speeds
        self._batching = speeds.batching
        self._queue_limit = queue_limit

    def clear(self) -> None:
        """See ``Server``."""
        self._env = simpy.Environment()
        self._waiting: deque[tuple[float, float]] = deque()  # arrival_s, demand_s
        self._in_service: list[tuple[float, int, list[float]]] = []  # a heap: tag, number, arrival_s of each
        self._batches = 0  # ever put into service, so equal tags leave in that order
        self._now_s = 0.0
        self._virtual_s = 0.0  # V ...
        self._virtual_at_s = 0.0  # ... as it was at this time
        self._busy_s = 0.0
        self._busy_at_s = 0.0
        self._row = 0
        self._look_up()

    def _look_up(self) -> None:
        self._limit = int(self._speeds.limit[self._row])
        self._speed = self._speeds.speed[self._row]
        self._busy = self._speeds.busy[self._row]
        self._size = int(self._batching.size[self._row])
        self._timeout_s = float(self._batching.timeout_s[self._row])
        self._fixed_s = float(self._batching.fixed_s[self._row])

    def in_system(self) -> int:
        """See ``Server``."""
        return len(self._waiting) + sum(len(members) for _, _, members in self._in_service)

    def begin_slot(self, at_s: float) -> None:
        """See ``Server``."""
        self._latency_s: list[float] = []
        self._completed_at_s: list[float] = []
        self._rejections = 0
        self._serve([], [], at_s)
        self._rejections = 0
        self._busy_s, self._busy_at_s = 0.0, at_s

    def reconfigure(self, row: int) -> None:
        """See ``Server``."""
        if row != self._row:
            self._let_virtual_time_pass()
            self._row = row
            self._look_up()
        self._start_full_batches()

    def pause(self, arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], until_s: float) -> None:
        """See ``Server``."""
        self._let_virtual_time_pass()
        for request in zip(arrival_s.tolist(), demand_s.tolist(), strict=True):
            if len(self._waiting) < self._queue_limit:
                self._waiting.append(request)
            else:
                self._rejections += 1
        self._now_s = self._virtual_at_s = self._busy_at_s = until_s

    def work(self, arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], until_s: float) -> None:
        """See ``Server``."""
        self._serve(arrival_s.tolist(), demand_s.tolist(), until_s)

    def discard_waiting(self) -> int:
        """See ``Server``."""
        discarded = len(self._waiting)
        self._waiting.clear()
        return discarded

    def end_slot(self) -> Served:
        """See ``Server``."""
        return Served(
            np.array(self._latency_s, dtype=np.float64),
            np.array(self._completed_at_s, dtype=np.float64),
            self._rejections,
            float(self._busy_s),
        )

    def _serve(self, arrival_s: list[float], demand_s: list[float], until_s: float) -> None:
        requests = deque(zip(arrival_s, demand_s, strict=True))
        self._env.run(until=self._env.process(self._process(requests, until_s)))

    def _process(
        self, requests: deque[tuple[float, float]], until_s: float
    ) -> Generator[simpy.Event, None, None]:
        """Sleep until what comes next, and do it; at the same instant in the order in which they stand."""
        while True:
            departure_s, expiry_s = self._next_departure_s(), self._next_expiry_s()
            arrival_s = requests[0][0] if requests else inf
            next_s = min(departure_s, arrival_s, expiry_s)
            # A batch whose time is up at the very end waits for those who arrive at that instant.
            held = expiry_s < min(departure_s, arrival_s) and expiry_s >= until_s
            if next_s == inf or next_s > until_s or held:
                break
            yield self._env.timeout(next_s - self._now_s)
            self._now_s = next_s
            if departure_s == next_s:
                self._depart()
            elif arrival_s == next_s:
                self._arrive(*requests.popleft())
            else:
                self._start_batch(min(self._size, len(self._waiting)))
            self._start_full_batches()
        if until_s < inf:
            yield self._env.timeout(max(0.0, until_s - self._now_s))
            self._now_s = until_s
            self._let_busy_time_pass()

    def _next_departure_s(self) -> float:
        if not self._in_service:
            return inf
        # Rounding may have carried V past a tag by the last bit.
        remaining_s = max(0.0, self._in_service[0][0] - self._virtual_s)
        return self._virtual_at_s + remaining_s / float(self._speed[len(self._in_service)])

    def _next_expiry_s(self) -> float:
        if not self._waiting or len(self._in_service) >= self._limit:
            return inf
        return max(self._waiting[0][0] + self._timeout_s, self._now_s)

    def _depart(self) -> None:
        self._let_busy_time_pass()
        tag, _, members = heappop(self._in_service)
        self._latency_s += [self._now_s - arrival_s for arrival_s in members]
        self._completed_at_s += [self._now_s] * len(members)
        self._virtual_s = tag if self._in_service else 0.0
        self._virtual_at_s = self._now_s

    def _arrive(self, arrival_s: float, demand_s: float) -> None:
        self._waiting.append((arrival_s, demand_s))
        fills_a_batch = len(self._waiting) >= self._size and len(self._in_service) < self._limit
        if len(self._waiting) > self._queue_limit and not fills_a_batch:
            self._waiting.pop()
            self._rejections += 1

    def _start_full_batches(self) -> None:
        while len(self._waiting) >= self._size and len(self._in_service) < self._limit:
            self._start_batch(self._size)

    def _start_batch(self, count: int) -> None:
        self._let_busy_time_pass()
        self._let_virtual_time_pass()
        members = [self._waiting.popleft() for _ in range(count)]
        demand_s = self._fixed_s
        for _, one_s in members:
            demand_s += one_s
        self._batches += 1
        heappush(
            self._in_service,
            (self._virtual_s + demand_s, self._batches, [arrival_s for arrival_s, _ in members]),
        )

    def _let_busy_time_pass(self) -> None:
        """Bring the busy integral up to date."""
        self._busy_s += float(self._busy[len(self._in_service)]) * (self._now_s - self._busy_at_s)
        self._busy_at_s = self._now_s

    def _let_virtual_time_pass(self) -> None:
        """Bring V up to date."""
        elapsed_s = self._now_s - self._virtual_at_s
        self._virtual_s += float(self._speed[len(self._in_service)]) * elapsed_s
        self._virtual_at_s = self._now_s
