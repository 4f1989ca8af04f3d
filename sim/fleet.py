"""Several compiled servers behind a dispatcher that sends each request to the least loaded one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from serving.dispatch import least_loaded
from sim import kernel
from sim.engine_compiled import CompiledServer

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]
_least_loaded = numba.njit(least_loaded, cache=True)
_PIECE = 1024  # requests served at a time: any server may get them all, so every one needs room for them


def _kernel(work: Any, batches: bool) -> Any:
    def serve(
        arrival_s: _Floats, demand_s: _Floats, until_s: float, turn: int,
        rule: _Integers, hold_s: _Floats, speed: _Floats, busy: _Floats,
        clock: _Floats, place: _Integers, tag: _Floats, first: _Integers,
        queue_arrival_s: _Floats, queue_demand_s: _Floats, members: _Integers,
        latency_s: _Floats, completed_at_s: _Floats,
    ) -> None:  # fmt: skip
        """As ``Engine._one_by_one``; the state of the servers stands row by row."""
        servers = len(clock)
        in_system = np.zeros(servers, dtype=np.int64)
        for index in range(len(arrival_s) + 1):
            last = index == len(arrival_s)
            for server in range(servers):
                work(
                    arrival_s[:0], demand_s[:0], until_s if last else arrival_s[index],
                    rule, hold_s, speed, busy,
                    clock[server], place[server], tag[server], first[server],
                    queue_arrival_s[server], queue_demand_s[server], members[server],
                    latency_s[server], completed_at_s[server],
                )  # fmt: skip
                begin, end = place[server, kernel.BEGIN], place[server, kernel.END]
                in_system[server] = place[server, kernel.TAIL] - place[server, kernel.HEAD] + end - begin
                if batches:
                    for batch in range(begin, end):
                        in_system[server] += members[server, first[server, batch]] - 1
            if not last:
                server = _least_loaded(in_system, turn + index)
                work(
                    arrival_s[index : index + 1], demand_s[index : index + 1], arrival_s[index],
                    rule, hold_s, speed, busy,
                    clock[server], place[server], tag[server], first[server],
                    queue_arrival_s[server], queue_demand_s[server], members[server],
                    latency_s[server], completed_at_s[server],
                )  # fmt: skip

    return kernel.compiled(serve)


_one_by_one = _kernel(kernel.work_one_by_one, batches=False)
_in_batches = _kernel(kernel.work_in_batches, batches=True)


def work_least_loaded(
    servers: Sequence[CompiledServer], arrival_s: _Floats, demand_s: _Floats, until_s: float, turn: int
) -> None:
    """Serve on all servers until a time, every request on the one that has the fewest when it arrives."""
    for begin in range(0, len(arrival_s), _PIECE):
        piece = slice(begin, begin + _PIECE)
        _work_piece(servers, arrival_s[piece], demand_s[piece], float(arrival_s[piece][-1]), turn + begin)
    _work_piece(servers, arrival_s[:0], demand_s[:0], until_s, turn + len(arrival_s))


def _work_piece(
    servers: Sequence[CompiledServer], arrival_s: _Floats, demand_s: _Floats, until_s: float, turn: int
) -> None:
    for server in servers:
        server.make_room(len(arrival_s))
    states = [(server.clock, server.place, *server.in_service, *server.queue) for server in servers]
    rows = [_stacked(column) for column in zip(*states, strict=True)]
    results = [_stacked(column) for column in zip(*(server.results for server in servers), strict=True)]
    serve = _in_batches if servers[0].batches else _one_by_one
    serve(arrival_s, demand_s, until_s, turn, *servers[0].rules, *rows, *results)
    for number, server in enumerate(servers):
        clock, place, tag, first, *queue = (column[number] for column in rows)
        server.clock, server.place, server.in_service = clock, place, (tag, first)
        server.queue, server.results = tuple(queue), tuple(column[number] for column in results)


def _stacked(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Arrays of different length as the rows of one; what is beyond a row's end means nothing."""
    stacked = np.zeros((len(columns), max(map(len, columns))), dtype=columns[0].dtype)
    for row, column in zip(stacked, columns, strict=True):
        row[: len(column)] = column
    return stacked
