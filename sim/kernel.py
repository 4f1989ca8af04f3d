"""The kernel of the compiled servers: one server serving until a time.

It keeps the rules of ``sim.server`` in the order of floating-point operations of the servers in SimPy; no
fast-math. One source makes two kernels: whether requests are put together is known when it is compiled, so a
server that takes them one by one pays nothing for batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]

# State of a server: V and the busy integral, each with the time it was brought up to date, in seconds; ...
VIRTUAL, VIRTUAL_AT, BUSY, BUSY_AT = range(4)
# ... where in the list those in service stand, and in the queue those who wait; what happened in the slot.
BEGIN, END, HEAD, TAIL, REJECTIONS, COMPLETIONS = range(6)
# The rules of a configuration: limit, batch size, queue limit; timeout and fixed demand of a batch, seconds.
LIMIT, SIZE, QUEUE_LIMIT = range(3)
TIMEOUT, FIXED = range(2)

ARRIVALS = types.Array(types.float64, 1, "C", readonly=True)
_ROW, _NUMBERS = types.float64[::1], types.int64[::1]
_at = np.uintp  # an index that is never negative: numba then leaves out what counts from the end


def compiled(function: _Function, signature: object = None, cache: bool = True) -> _Function:
    """Compile, and unless told otherwise cache the machine code on disk.

    What is cached must call nothing compiled of another file: numba looks at its own file only for changes.
    """
    return cast(_Function, numba.njit(signature, cache=cache, error_model="numpy")(function))


@compiled
def orderly(arrival_s: _Floats, demand_s: _Floats) -> bool:
    """Whether arrivals are sorted, and demands finite and not negative."""
    disorder = 0  # counted without a branch, which a processor does several at a time
    for index in range(1, len(arrival_s)):
        disorder += not arrival_s[_at(index - 1)] <= arrival_s[_at(index)]
    for index in range(len(demand_s)):
        disorder += not 0.0 <= demand_s[_at(index)] < np.inf
    return disorder == 0


def _kernel(batches: bool) -> Any:  # noqa: PLR0915 - it holds the one loop
    def work(  # noqa: PLR0912, PLR0915 - one loop with its state in local variables, for speed
        arrival_s: _Floats, demand_s: _Floats, until_s: float,
        rule: _Integers, hold_s: _Floats, speed: _Floats, busy: _Floats,
        clock: _Floats, place: _Integers, tag: _Floats, first: _Integers,
        queue_arrival_s: _Floats, queue_demand_s: _Floats, members: _Integers,
        latency_s: _Floats, completed_at_s: _Floats,
    ) -> None:  # fmt: skip
        """Serve until a time, or until empty if that is infinity.

        ``tag`` and ``first`` list those in service in order of departure: the tag of a batch, and where in
        the queue its first request stands; there ``members`` has how many it holds.
        """
        limit, queue_limit, size = rule[LIMIT], rule[QUEUE_LIMIT], rule[SIZE] if batches else 1
        virtual_s, virtual_at_s = clock[VIRTUAL], clock[VIRTUAL_AT]
        busy_s, busy_at_s = clock[BUSY], clock[BUSY_AT]
        begin, end, head, tail = place[BEGIN], place[END], place[HEAD], place[TAIL]
        rejections, completions = place[REJECTIONS], place[COMPLETIONS]
        arrived, arrivals, n, now_s = 0, len(arrival_s), end - begin, busy_at_s
        expiry_s = np.inf
        leaving = size if tail - head >= size else 0  # for places that a reconfiguration has made
        while True:
            while leaving > 0 and n < limit:  # full batches, and the one whose time is up
                busy_s += busy[_at(n)] * (now_s - busy_at_s)
                virtual_s += speed[_at(n)] * (now_s - virtual_at_s)
                virtual_at_s = busy_at_s = now_s
                leaves = queue_demand_s[_at(head)]
                if batches:
                    members[_at(head)] = leaving
                    leaves = hold_s[FIXED]
                    for index in range(head, head + leaving):
                        leaves += queue_demand_s[_at(index)]
                leaves += virtual_s
                if end == len(tag):  # move to the front, where others have left
                    for index in range(n):
                        tag[index], first[index] = tag[begin + index], first[begin + index]
                    begin, end = 0, n
                index = end
                # In order of tags; of equal tags the one admitted first stays in front.
                while index > begin and tag[_at(index - 1)] > leaves:
                    tag[_at(index)], first[_at(index)] = tag[_at(index - 1)], first[_at(index - 1)]
                    index -= 1
                tag[_at(index)], first[_at(index)] = leaves, head
                head += leaving
                end += 1
                n += 1
                leaving = size if tail - head >= size else 0
            departure_s = np.inf
            if n > 0:
                departure_s = virtual_at_s + max(0.0, tag[_at(begin)] - virtual_s) / speed[_at(n)]
            if batches:
                held = n < limit and head < tail
                expiry_s = max(queue_arrival_s[_at(head)] + hold_s[TIMEOUT], now_s) if held else np.inf
            arrival = arrival_s[_at(arrived)] if arrived < arrivals else np.inf
            while n >= limit and arrival < departure_s:  # nobody is admitted before the next departure
                if tail - head < queue_limit:
                    queue_arrival_s[_at(tail)], queue_demand_s[_at(tail)] = arrival, demand_s[_at(arrived)]
                    tail += 1
                else:
                    rejections += 1
                arrived += 1
                arrival = arrival_s[_at(arrived)] if arrived < arrivals else np.inf
            if departure_s <= arrival and departure_s <= expiry_s:
                if departure_s > until_s or departure_s == np.inf:
                    break
                now_s = departure_s
                busy_s += busy[_at(n)] * (now_s - busy_at_s)
                leaver = first[_at(begin)]
                for index in range(leaver, leaver + (members[_at(leaver)] if batches else 1)):
                    latency_s[_at(completions)] = now_s - queue_arrival_s[_at(index)]
                    completed_at_s[_at(completions)] = now_s
                    completions += 1
                virtual_s = tag[_at(begin)] if n > 1 else 0.0
                virtual_at_s = busy_at_s = now_s
                begin += 1
                n -= 1
                if tail - head >= size:
                    leaving = size
            elif arrival <= expiry_s:
                now_s = arrival
                queue_arrival_s[_at(tail)], queue_demand_s[_at(tail)] = arrival, demand_s[_at(arrived)]
                tail += 1
                arrived += 1
                if tail - head >= size:
                    leaving = size
                elif tail - head > queue_limit:
                    tail -= 1
                    rejections += 1
            else:
                if expiry_s >= until_s:  # what arrives at that very instant comes first
                    break
                now_s = expiry_s
                leaving = min(size, tail - head)
        if until_s < np.inf:
            busy_s += busy[n] * (until_s - busy_at_s)
            busy_at_s = until_s
        clock[VIRTUAL], clock[VIRTUAL_AT], clock[BUSY], clock[BUSY_AT] = (
            virtual_s, virtual_at_s, busy_s, busy_at_s,
        )  # fmt: skip
        place[BEGIN], place[END], place[HEAD], place[TAIL] = begin, end, head, tail
        place[REJECTIONS], place[COMPLETIONS] = rejections, completions

    # Numba links by name. Of two with the same name, one compiled by a process that has the other from the
    # cache of a process that compiled it at the same time, it would take one for both.
    work.__name__ = work.__qualname__ = "work_in_batches" if batches else "work_one_by_one"
    state = (_ROW, _NUMBERS, _ROW, _NUMBERS, _ROW, _ROW, _NUMBERS)
    return compiled(
        work, types.void(ARRIVALS, ARRIVALS, types.float64, _NUMBERS, _ROW, _ROW, _ROW, *state, _ROW, _ROW)
    )


work_one_by_one = _kernel(batches=False)
work_in_batches = _kernel(batches=True)
