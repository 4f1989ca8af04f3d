"""The servers compiled by numba: what the servers in SimPy compute, to the last bit, much faster.

The state stands in arrays that live from slot to slot; the queue's grows with the backlog, so memory is
bounded by the backlog and the requests of a slot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim import kernel
from sim.server import UNLIMITED, Served, Server
from sim.speeds import SpeedTable

_Floats = NDArray[np.float64]
_NOTHING = np.empty(0)


class CompiledServer(Server):
    """One server in compiled code; see ``sim.server`` for the model and its rules.

    Args:
        speeds: limits, speeds and busy shares of every configuration, and how it puts requests together.
        queue_limit: at most this many requests wait.
    """

    def __init__(self, speeds: SpeedTable, queue_limit: int = UNLIMITED) -> None:
        self.batches = speeds.batching is not None
        self._kernel = kernel.work_in_batches if self.batches else kernel.work_one_by_one
        self._tables = _by_row(speeds, queue_limit)
        self._queue_limit = queue_limit
        self._places = 2 * speeds.speed.shape[1]
        self.clear()

    def clear(self) -> None:
        """See ``Server``."""
        self.clock = np.zeros(4)
        self.place = np.zeros(6, dtype=np.int64)
        self.in_service = (np.empty(self._places), np.empty(self._places, dtype=np.int64))
        self.queue = (_NOTHING, _NOTHING, np.empty(0, dtype=np.int64))
        self.results = (_NOTHING, _NOTHING)
        self.row = 0

    @property
    def rules(self) -> tuple[NDArray[np.int64], _Floats, _Floats, _Floats]:
        """What the kernel needs to know of the configuration in force."""
        return self._tables[self.row]

    def in_system(self) -> int:
        """See ``Server``."""
        begin, end, head, tail = self._positions()
        if not self.batches:
            return end - begin + tail - head
        _, first = self.in_service
        _, _, members = self.queue
        return int(members[first[begin:end]].sum()) + tail - head

    def _positions(self) -> list[int]:
        """Where those in service begin and end in their list, and those who wait in the queue."""
        positions: list[int] = self.place[:4].tolist()
        return positions

    def begin_slot(self, at_s: float) -> None:
        """See ``Server``."""
        self.place[kernel.COMPLETIONS] = 0
        if at_s > self.clock[kernel.BUSY_AT]:
            self.work(_NOTHING, _NOTHING, at_s)
        self.place[kernel.REJECTIONS] = 0
        self.clock[kernel.BUSY], self.clock[kernel.BUSY_AT] = 0.0, at_s

    def reconfigure(self, row: int) -> None:
        """See ``Server``; who may be admitted now is, when the server is next sent to work."""
        if row != self.row:
            self._let_virtual_time_pass()
            self.row = row

    def pause(self, arrival_s: _Floats, demand_s: _Floats, until_s: float) -> None:
        """See ``Server``."""
        self._let_virtual_time_pass()
        self.make_room(len(arrival_s))
        _, _, head, tail = self._positions()
        accepted = min(len(arrival_s), max(0, self._queue_limit - (tail - head)))
        self.queue[0][tail : tail + accepted] = arrival_s[:accepted]
        self.queue[1][tail : tail + accepted] = demand_s[:accepted]
        self.place[kernel.TAIL] += accepted
        self.place[kernel.REJECTIONS] += len(arrival_s) - accepted
        self.clock[kernel.VIRTUAL_AT] = self.clock[kernel.BUSY_AT] = until_s

    def work(self, arrival_s: _Floats, demand_s: _Floats, until_s: float) -> None:
        """See ``Server``."""
        self.make_room(len(arrival_s))
        self._kernel(
            arrival_s, demand_s, until_s, *self.rules,
            self.clock, self.place, *self.in_service, *self.queue, *self.results,
        )  # fmt: skip

    def discard_waiting(self) -> int:
        """See ``Server``."""
        discarded = int(self.place[kernel.TAIL] - self.place[kernel.HEAD])
        self.place[kernel.TAIL] = self.place[kernel.HEAD]
        return discarded

    def end_slot(self) -> Served:
        """See ``Server``."""
        completions = int(self.place[kernel.COMPLETIONS])
        latency_s, completed_at_s = self.results
        self.results = (_NOTHING, _NOTHING)  # the next slot writes to arrays of its own
        return Served(
            latency_s[:completions],
            completed_at_s[:completions],
            int(self.place[kernel.REJECTIONS]),
            float(self.clock[kernel.BUSY]),
        )

    def _let_virtual_time_pass(self) -> None:
        """Bring V up to date."""
        _, _, speed, _ = self.rules
        n = self.place[kernel.END] - self.place[kernel.BEGIN]
        now_s = self.clock[kernel.BUSY_AT]
        self.clock[kernel.VIRTUAL] += speed[n] * (now_s - self.clock[kernel.VIRTUAL_AT])
        self.clock[kernel.VIRTUAL_AT] = now_s

    def make_room(self, arrivals: int) -> None:
        """Room in the queue for as many as may arrive, and for the results of all who may complete."""
        begin, end, head, tail = self._positions()
        if tail + arrivals > len(self.queue[0]):
            first = self.in_service[1][begin:end]
            oldest = min(first.tolist(), default=head)
            present = tail - oldest
            if present + arrivals <= len(self.queue[0]):  # those present move up, in the same memory
                for column in self.queue:
                    column[:present] = column[oldest:tail]
            else:
                room = 2 * present + 8 * arrivals  # so that this is seldom needed
                arrival_s, demand_s, members = (_moved(column[oldest:tail], room) for column in self.queue)
                self.queue = (arrival_s, demand_s, members)
            first -= oldest
            self.place[kernel.HEAD], self.place[kernel.TAIL] = head - oldest, present
        most = int(self.place[kernel.COMPLETIONS]) + self.in_system() + arrivals
        if most > len(self.results[0]):
            latency_s, completed_at_s = self.results
            self.results = (_moved(latency_s, most), _moved(completed_at_s, most))


def _moved(column: NDArray[Any], room: int) -> NDArray[Any]:
    """A larger array that begins with the same values."""
    larger = np.empty(room, dtype=column.dtype)
    if len(column):
        larger[: len(column)] = column
    return larger


def _by_row(
    speeds: SpeedTable, queue_limit: int
) -> list[tuple[NDArray[np.int64], _Floats, _Floats, _Floats]]:
    """The table row by row, as the kernel takes it: rules, times that batches are held and cost, curves."""
    rows, batching = speeds.size, speeds.batching
    size = np.ones(rows) if batching is None else batching.size
    held = (np.zeros(rows), np.zeros(rows)) if batching is None else (batching.timeout_s, batching.fixed_s)
    rules = np.column_stack((speeds.limit, size, np.full(rows, queue_limit))).astype(np.int64)
    hold_s = np.column_stack(held)
    speed, busy = (np.ascontiguousarray(curve, dtype=np.float64) for curve in (speeds.speed, speeds.busy))
    return list(zip(rules, hold_s, speed, busy, strict=True))
