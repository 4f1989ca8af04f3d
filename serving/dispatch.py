"""Dispatch policies: which of several identical servers a request goes to.

Pure functions, shared by the simulator and by the testbed's replayer. ``turn`` counts the requests since the
start of the run.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

Dispatch = Literal["random", "round_robin", "least_loaded"]


def checked_dispatch(dispatch: str) -> str:
    """The same name.

    Raises:
        UsageError: if there is no such policy.
    """
    if dispatch not in get_args(Dispatch):
        raise UsageError(f"system.dispatch={dispatch!r}, choose from {sorted(get_args(Dispatch))}")
    return dispatch


def at_random(uniform: NDArray[np.float64], servers: int) -> NDArray[np.int64]:
    """A server for every request, from one uniform number in [0, 1) each."""
    return np.floor(uniform * servers).astype(np.int64)


def round_robin(turn: NDArray[np.int64], servers: int) -> NDArray[np.int64]:
    """One server after the other."""
    return turn % servers


def round_robin_shares(turn: int, servers: int) -> list[slice]:
    """Which of the coming requests every server gets; the same as ``round_robin``, the first at ``turn``."""
    return [slice((server - turn) % servers, None, servers) for server in range(servers)]


def least_loaded(in_system: NDArray[np.int64], turn: int) -> int:
    """The server with the fewest requests, waiting or in service; of equals the next whose turn it is."""
    servers = len(in_system)
    best = turn % servers
    for step in range(1, servers):
        server = (turn + step) % servers
        if in_system[server] < in_system[best]:
            best = server
    return best
