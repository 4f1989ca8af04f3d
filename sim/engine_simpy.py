"""The server in SimPy: the readable reference.

One SimPy process is the server, and it sleeps from departure to departure. The requests to come are known
when it is sent to work, so arrivals need no events of their own: those that find a free place before the next
departure are admitted when its time is worked out, which they put off; those that find the server full change
nothing until it wakes, and then join the queue, or are turned away, in one go.

Times are kept beside the clock of SimPy, which adds up delays and so differs from them in the last bits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush
from math import inf

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.server import UNLIMITED, Served, Server
from sim.speeds import SpeedTable


class SimpyServer(Server):
    """One server as one SimPy process; see ``sim.server`` for the model and its rules.

    Args:
        speeds: limits, speeds and busy shares of every configuration.
        queue_limit: at most this many requests wait.
    """

    def __init__(self, speeds: SpeedTable, queue_limit: int = UNLIMITED) -> None:
        self._speeds = speeds
        self._queue_limit = queue_limit

    def clear(self) -> None:
        """See ``Server``."""
        self._env = simpy.Environment()
        self._waiting: deque[tuple[float, float]] = deque()  # arrival_s, demand_s
        self._in_service: list[tuple[float, int, float]] = []  # a heap of tag, admission number, arrival_s
        self._admissions = 0  # in order of arrival, so equal tags leave in order of arrival
        self._now_s = 0.0
        self._virtual_s = 0.0  # V ...
        self._virtual_at_s = 0.0  # ... as it was at this time
        self._busy_s = 0.0
        self._busy_at_s = 0.0
        self._configuration = 0
        self._look_up()

    def _look_up(self) -> None:
        self._limit = int(self._speeds.limit[self._configuration])
        self._speed: list[float] = self._speeds.speed[self._configuration].tolist()
        self._busy: list[float] = self._speeds.busy[self._configuration].tolist()

    def in_system(self) -> int:
        """See ``Server``."""
        return len(self._waiting) + len(self._in_service)

    def begin_slot(self, at_s: float) -> None:
        """See ``Server``."""
        self._latency_s: list[float] = []
        self._completed_at_s: list[float] = []
        self._rejections = 0
        self._serve([], [], at_s)
        self._now_s = self._busy_at_s = at_s
        self._busy_s = 0.0

    def reconfigure(self, row: int) -> None:
        """See ``Server``."""
        if row != self._configuration:
            self._let_virtual_time_pass()
            self._configuration = row
            self._look_up()
        self._fill_places(self._virtual_s)

    def pause(self, arrival_s: NDArray[np.float64], demand_s: NDArray[np.float64], until_s: float) -> None:
        """See ``Server``."""
        self._let_virtual_time_pass()
        self._join_queue(list(zip(arrival_s.tolist(), demand_s.tolist(), strict=True)))
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
            self._busy_s,
        )

    def _let_virtual_time_pass(self) -> None:
        """Bring V up to date."""
        self._virtual_s += self._speed[len(self._in_service)] * (self._now_s - self._virtual_at_s)
        self._virtual_at_s = self._now_s

    def _fill_places(self, virtual_s: float) -> None:
        """Admit those who wait, one by one, while there is a free place."""
        while self._waiting and len(self._in_service) < self._limit:
            arrival_s, demand_s = self._waiting.popleft()
            self._admissions += 1
            heappush(self._in_service, (virtual_s + demand_s, self._admissions, arrival_s))

    def _join_queue(self, requests: list[tuple[float, float]]) -> None:
        places = max(0, self._queue_limit - len(self._waiting))
        self._waiting.extend(requests[:places])
        self._rejections += max(0, len(requests) - places)

    def _serve(self, arrival_s: list[float], demand_s: list[float], until_s: float) -> None:
        self._env.run(until=self._env.process(self._server(arrival_s, demand_s, until_s)))

    def _server(
        self, arrival_s: list[float], demand_s: list[float], until_s: float
    ) -> Generator[simpy.Event, None, None]:
        """The process of the server; what it looks at for every event is kept in local variables."""
        timeout, in_service, waiting = self._env.timeout, self._in_service, self._waiting
        latency_s, completed_at_s = self._latency_s, self._completed_at_s
        limit, speed, busy = self._limit, self._speed, self._busy
        now_s, virtual_s, virtual_at_s = self._now_s, self._virtual_s, self._virtual_at_s
        busy_s, busy_at_s = self._busy_s, self._busy_at_s
        requests = list(zip(arrival_s, demand_s, strict=True))
        arrival_s.append(inf)
        arrived, n, woken_s = 0, len(in_service), now_s
        while True:
            departure_s = inf
            while True:
                if n:
                    remaining_s = in_service[0][0] - virtual_s
                    # Rounding may have carried V past a tag by the last bit.
                    departure_s = virtual_at_s + (remaining_s if remaining_s > 0.0 else 0.0) / speed[n]
                if n >= limit or arrival_s[arrived] >= departure_s:
                    break
                # The next request to arrive finds a free place, which changes when the next one departs.
                now_s = arrival_s[arrived]
                busy_s += busy[n] * (now_s - busy_at_s)
                virtual_s += speed[n] * (now_s - virtual_at_s)
                virtual_at_s = busy_at_s = now_s
                self._admissions += 1
                heappush(in_service, (virtual_s + demand_s[arrived], self._admissions, now_s))
                arrived += 1
                n += 1
            if departure_s > until_s or departure_s == inf:
                break
            yield timeout(departure_s - woken_s)
            now_s = woken_s = departure_s
            busy_s += busy[n] * (now_s - busy_at_s)
            if arrival_s[arrived] < now_s:  # and found the server full
                met_free = bisect_left(arrival_s, now_s, arrived)
                self._join_queue(requests[arrived:met_free])
                arrived = met_free
            tag, _, since_s = heappop(in_service)
            latency_s.append(now_s - since_s)
            completed_at_s.append(now_s)
            virtual_s = tag if in_service else 0.0
            virtual_at_s = busy_at_s = now_s
            if waiting:
                self._fill_places(virtual_s)
            n = len(in_service)
        self._join_queue(requests[arrived:])
        if until_s < inf:
            yield timeout(max(0.0, until_s - woken_s))
            now_s = until_s
            busy_s += busy[n] * (now_s - busy_at_s)
            busy_at_s = now_s
        self._now_s, self._virtual_s, self._virtual_at_s = now_s, virtual_s, virtual_at_s
        self._busy_s, self._busy_at_s = busy_s, busy_at_s
