"""Several compiled servers behind a dispatcher that sends each request to the least loaded one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from serving.dispatch import least_loaded
from sim import kernel
from sim.engine_compiled import CompiledServer

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]
_least_loaded = kernel.compiled(least_loaded, cache=False)
_PIECE = 1024  # requests served at a time: any server may get them all, so every one needs room for them

# Not cached: what is compiled here has the code of the kernel in it, and a new kernel would go unnoticed.
_TABLE, _COUNTS = types.float64[:, ::1], types.int64[:, ::1]
_RULES = types.Tuple((types.int64[::1], *(types.float64[::1],) * 3))
_ROWS = types.Tuple((_TABLE, _COUNTS, _TABLE, _COUNTS, _TABLE, _TABLE, _COUNTS, _TABLE, _TABLE))
_ARGUMENTS = (types.boolean, kernel.ARRIVALS, kernel.ARRIVALS, types.float64, types.int64, _RULES, _ROWS)


@partial(kernel.compiled, signature=types.void(*_ARGUMENTS), cache=False)
def _work(
    batches: bool, arrival_s: _Floats, demand_s: _Floats, until_s: float, server: int, rules: Any, rows: Any
) -> None:
    """Serve on one server until a time."""
    clock, place, tag, first, queue_arrival_s, queue_demand_s, members, latency_s, completed_at_s = rows
    row = (
        clock[server], place[server], tag[server], first[server],
        queue_arrival_s[server], queue_demand_s[server], members[server],
        latency_s[server], completed_at_s[server],
    )  # fmt: skip
    if batches:
        kernel.work_in_batches(arrival_s, demand_s, until_s, *rules, *row)
    else:
        kernel.work_one_by_one(arrival_s, demand_s, until_s, *rules, *row)


@partial(kernel.compiled, signature=types.void(*_ARGUMENTS), cache=False)
def _serve(
    batches: bool, arrival_s: _Floats, demand_s: _Floats, until_s: float, turn: int, rules: Any, rows: Any
) -> None:
    """As ``Engine._one_by_one``; the state of the servers stands row by row."""
    _, place, _, first, _, _, members, _, _ = rows
    servers = len(place)
    in_system = np.zeros(servers, dtype=np.int64)
    for index in range(len(arrival_s) + 1):
        last = index == len(arrival_s)
        now_s = until_s if last else arrival_s[index]
        for server in range(servers):
            _work(batches, arrival_s[:0], demand_s[:0], now_s, server, rules, rows)
            begin, end = place[server, kernel.BEGIN], place[server, kernel.END]
            in_system[server] = place[server, kernel.TAIL] - place[server, kernel.HEAD] + end - begin
            if batches:
                for batch in range(begin, end):
                    in_system[server] += members[server, first[server, batch]] - 1
        if not last:
            server = _least_loaded(in_system, turn + index)
            arriving = slice(index, index + 1)
            _work(batches, arrival_s[arriving], demand_s[arriving], now_s, server, rules, rows)


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
    states = [
        (server.clock, server.place, *server.in_service, *server.queue, *server.results) for server in servers
    ]
    rows = tuple(_stacked(column) for column in zip(*states, strict=True))
    _serve(servers[0].batches, arrival_s, demand_s, until_s, turn, servers[0].rules, rows)
    for number, server in enumerate(servers):
        clock, place, tag, first, *queue, latency_s, completed_at_s = (column[number] for column in rows)
        server.clock, server.place, server.in_service = clock, place, (tag, first)
        server.queue, server.results = tuple(queue), (latency_s, completed_at_s)


def _stacked(columns: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Arrays of different length as the rows of one; what is beyond a row's end means nothing."""
    stacked = np.zeros((len(columns), max(map(len, columns))), dtype=columns[0].dtype)
    for row, column in zip(stacked, columns, strict=True):
        row[: len(column)] = column
    return stacked
