"""The queueing engine compiled by numba: what ``sim.engine_simpy`` computes, to the last bit, much faster.

One kernel call serves one slot. The state stands in arrays that live from slot to slot; the queue's grows
with the backlog, so memory is bounded by the backlog and the requests of a slot. No fast-math: floating-
point operations happen in the reference's order. A slot may be as long as one likes, so a stationary sweep
is one call for each configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from sim.engine import SlotwiseEngine

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]

# The state arrays: V and the busy integral, each with the time it was brought up to date, in seconds; ...
_VIRTUAL, _VIRTUAL_AT, _BUSY, _BUSY_AT = range(4)
# ... how many are in service, were ever admitted, and were rejected in this slot; where the queue stands.
_IN_SERVICE, _ADMISSIONS, _REJECTIONS, _HEAD, _TAIL = range(5)

_INPUT = types.Array(types.float64, 1, "C", readonly=True)
_INPUT_TABLE = types.Array(types.float64, 2, "C", readonly=True)
_ROW, _TABLE, _NUMBERS = types.float64[::1], types.float64[:, ::1], types.int64[::1]
_SERVE = types.int64(
    *(_INPUT, _INPUT, types.float64, types.float64),  # requests, start, end
    *(types.int64, types.int64, types.int64, types.int64, types.int64),  # rows, limits, queue limit
    *(_INPUT_TABLE, _INPUT_TABLE),  # speed, busy
    *(_ROW, _NUMBERS, _TABLE, _NUMBERS, _TABLE),  # state
    *(_ROW, _ROW),  # results
)


def _compiled(function: _Function, signature: object = None) -> _Function:
    return cast(_Function, numba.njit(signature, cache=True, error_model="numpy")(function))


@_compiled
def _push(heap: _Floats, number: _Integers, n: int, tag: float, admission: int, arrival_s: float) -> None:
    """Put one request to the n in service. Columns of ``heap``: tag, arrival time."""
    child = n
    while child > 0:
        parent = (child - 1) >> 1
        # Whoever was in service before has the lower number, and so goes first among equal tags.
        if heap[parent, 0] <= tag:
            break
        heap[child, 0], heap[child, 1] = heap[parent, 0], heap[parent, 1]
        number[child] = number[parent]
        child = parent
    heap[child, 0], heap[child, 1] = tag, arrival_s
    number[child] = admission


@_compiled
def _pop(heap: _Floats, number: _Integers, n: int) -> None:
    """Take the first of the n in service away: least tag, then least number."""
    last = n - 1
    tag, moved = heap[last, 0], number[last]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= last:
            break
        right = child + 1
        if right < last and (
            heap[right, 0] < heap[child, 0]
            or (heap[right, 0] == heap[child, 0] and number[right] < number[child])
        ):
            child = right
        if tag < heap[child, 0] or (tag == heap[child, 0] and moved < number[child]):
            break
        heap[parent, 0], heap[parent, 1] = heap[child, 0], heap[child, 1]
        number[parent] = number[child]
        parent = child
    heap[parent, 0], heap[parent, 1] = tag, heap[last, 1]
    number[parent] = moved


@_compiled
def _work(
    arrival_s: _Floats,
    demand_s: _Floats,
    until_s: float,
    limit: int,
    queue_limit: int,
    speed: _Floats,
    busy: _Floats,
    clock: _Floats,
    count: _Integers,
    heap: _Floats,
    number: _Integers,
    queue: _Floats,
    latency_s: _Floats,
    completed_at_s: _Floats,
    completions: int,
) -> int:
    """Serve until a time, or until empty if that is infinity; the number of completions so far."""
    virtual_s, virtual_at_s, busy_s, busy_at_s = clock[0], clock[1], clock[2], clock[3]
    n, admissions, rejections, head, tail = count[0], count[1], count[2], count[3], count[4]
    arrived = 0
    departure_s = np.inf
    if n > 0:
        departure_s = virtual_at_s + max(0.0, heap[0, 0] - virtual_s) / speed[n]
    while True:
        next_arrival_s = arrival_s[arrived] if arrived < len(arrival_s) else np.inf
        if departure_s <= next_arrival_s:
            if departure_s > until_s or departure_s == np.inf:
                break
            busy_s += busy[n] * (departure_s - busy_at_s)
            virtual_at_s = busy_at_s = departure_s
            latency_s[completions] = departure_s - heap[0, 1]
            completed_at_s[completions] = departure_s
            completions += 1
            virtual_s = heap[0, 0] if n > 1 else 0.0
            _pop(heap, number, n)
            n -= 1
            while head < tail and n < limit:
                admissions += 1
                _push(heap, number, n, virtual_s + queue[head, 1], admissions, queue[head, 0])
                head += 1
                n += 1
            if n == 0:
                departure_s = np.inf
                continue
        else:
            arrived += 1
            if n >= limit:
                if tail - head < queue_limit:
                    queue[tail, 0], queue[tail, 1] = next_arrival_s, demand_s[arrived - 1]
                    tail += 1
                else:
                    rejections += 1
                continue
            busy_s += busy[n] * (next_arrival_s - busy_at_s)
            virtual_s += speed[n] * (next_arrival_s - virtual_at_s)
            virtual_at_s = busy_at_s = next_arrival_s
            admissions += 1
            _push(heap, number, n, virtual_s + demand_s[arrived - 1], admissions, next_arrival_s)
            n += 1
        departure_s = virtual_at_s + max(0.0, heap[0, 0] - virtual_s) / speed[n]
    if until_s < np.inf:
        busy_s += busy[n] * (until_s - busy_at_s)
        busy_at_s = until_s
    clock[0], clock[1], clock[2], clock[3] = virtual_s, virtual_at_s, busy_s, busy_at_s
    count[0], count[1], count[2], count[3], count[4] = n, admissions, rejections, head, tail
    return completions


def _serve_slot(
    arrival_s: _Floats,
    demand_s: _Floats,
    start_s: float,
    until_s: float,
    before: int,
    after: int,
    limit_before: int,
    limit: int,
    queue_limit: int,
    speed: _Floats,
    busy: _Floats,
    clock: _Floats,
    count: _Integers,
    heap: _Floats,
    number: _Integers,
    queue: _Floats,
    latency_s: _Floats,
    completed_at_s: _Floats,
) -> int:
    """What departs until the start, the reconfiguration, then the slot; the number of completions."""
    count[_REJECTIONS] = 0
    # fmt: off
    completions = _work(
        arrival_s[:0], demand_s[:0], start_s, limit_before, queue_limit, speed[before], busy[before],
        clock, count, heap, number, queue, latency_s, completed_at_s, 0,
    )
    # fmt: on
    clock[_BUSY], clock[_BUSY_AT] = 0.0, start_s
    if after != before:
        clock[_VIRTUAL] += speed[before, count[_IN_SERVICE]] * (start_s - clock[_VIRTUAL_AT])
        clock[_VIRTUAL_AT] = start_s
    while count[_HEAD] < count[_TAIL] and count[_IN_SERVICE] < limit:
        first = count[_HEAD]
        count[_ADMISSIONS] += 1
        tag = clock[_VIRTUAL] + queue[first, 1]
        _push(heap, number, count[_IN_SERVICE], tag, count[_ADMISSIONS], queue[first, 0])
        count[_IN_SERVICE] += 1
        count[_HEAD] += 1
    # fmt: off
    return _work(
        arrival_s, demand_s, until_s, limit, queue_limit, speed[after], busy[after],
        clock, count, heap, number, queue, latency_s, completed_at_s, completions,
    )
    # fmt: on


_serve = _compiled(_serve_slot, _SERVE)


class CompiledEngine(SlotwiseEngine):
    """One server in compiled code; see ``sim.engine`` for the model and its rules."""

    def _clear(self) -> None:
        places = self._speeds.speed.shape[1]
        self._limit: list[int] = self._speeds.limit.tolist()
        self._speed = np.ascontiguousarray(self._speeds.speed, dtype=np.float64)
        self._busy = np.ascontiguousarray(self._speeds.busy, dtype=np.float64)
        self._clock = np.zeros(4)
        self._count = np.zeros(5, dtype=np.int64)
        self._heap = np.empty((places, 2))
        self._number = np.empty(places, dtype=np.int64)
        self._queue = np.empty((0, 2))
        self._results = np.empty((2, 0))
        self._configuration = 0

    def _backlog(self) -> int:
        return int(self._count[_IN_SERVICE] + self._count[_TAIL] - self._count[_HEAD])

    def _discard_waiting(self) -> int:
        discarded = int(self._count[_TAIL] - self._count[_HEAD])
        self._count[_HEAD] = self._count[_TAIL]
        return discarded

    def _run(
        self, configuration: int, start_s: float, until_s: float, arrival_s: _Floats, demand_s: _Floats
    ) -> tuple[_Floats, _Floats, int, float]:
        self._make_room(len(arrival_s))
        before, self._configuration = self._configuration, configuration
        latency_s, completed_at_s = self._results
        # fmt: off
        completions = _serve(
            arrival_s, demand_s, start_s, until_s,
            before, configuration, self._limit[before], self._limit[configuration], self._queue_limit,
            self._speed, self._busy,
            self._clock, self._count, self._heap, self._number, self._queue,
            latency_s, completed_at_s,
        )
        # fmt: on
        return (
            latency_s[:completions].copy(),
            completed_at_s[:completions].copy(),
            int(self._count[_REJECTIONS]),
            float(self._clock[_BUSY]),
        )

    def _make_room(self, arrivals: int) -> None:
        """Room behind the queue for as many as may arrive, and for the results of all who may complete."""
        head, tail = int(self._count[_HEAD]), int(self._count[_TAIL])
        if tail + arrivals > len(self._queue):
            waiting = self._queue[head:tail]
            self._queue = np.empty((2 * (len(waiting) + arrivals), 2))
            self._queue[: len(waiting)] = waiting
            self._count[_HEAD], self._count[_TAIL] = 0, len(waiting)
        most = self._backlog() + arrivals
        if most > self._results.shape[1]:
            self._results = np.empty((2, 2 * most))
