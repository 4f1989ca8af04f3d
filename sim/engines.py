"""The engines by name."""

from __future__ import annotations

from functools import partial
from typing import get_args

from serving.dispatch import Dispatch, checked_dispatch
from serving.errors import UsageError
from sim.engine import Boundary, Engine
from sim.server import UNLIMITED, Server
from sim.speeds import SpeedTable


def make_engine(
    name: str,
    speeds: SpeedTable,
    boundary: Boundary = "bounded",
    queue_limit: int | None = 50,
    servers: int = 1,
    dispatch: Dispatch = "round_robin",
) -> Engine:
    """Make an engine by name.

    Args:
        name: ``simpy``, the readable reference, or ``compiled``, the same to the last bit and much faster.
        speeds: limits, speeds and busy shares of every configuration, and how it puts requests together.
        boundary: what happens to the queue where slots meet; see ``Engine``.
        queue_limit: at most this many requests wait at a server, None for no limit; ``bounded`` and ``drop``
            only.
        servers: how many servers, all alike.
        dispatch: which server a request goes to.

    Raises:
        UsageError: for an unknown name, boundary or dispatch, a negative limit, or no server.
    """
    if boundary not in get_args(Boundary):
        raise UsageError(f"system.boundary={boundary!r}, choose from {sorted(get_args(Boundary))}")
    if queue_limit is not None and queue_limit < 0:
        raise UsageError(f"queue_limit={queue_limit}, expected an integer >= 0 or null")
    if servers < 1:
        raise UsageError(f"servers={servers}, expected an integer >= 1")
    checked_dispatch(dispatch)
    limit = queue_limit if queue_limit is not None and boundary in ("bounded", "drop") else UNLIMITED
    # Imported here, so that SimPy or numba loads only where it is asked for.
    if name == "simpy":
        return Engine(_simpy_servers(speeds, limit, servers), speeds.size, boundary, dispatch)
    if name == "compiled":
        from sim.engine_compiled import CompiledServer
        from sim.kernel import orderly

        compiled = [CompiledServer(speeds, limit) for _ in range(servers)]
        least_loaded = None
        if servers > 1 and dispatch == "least_loaded":  # a second to compile
            from sim.fleet import work_least_loaded

            least_loaded = partial(work_least_loaded, compiled)
        return Engine(compiled, speeds.size, boundary, dispatch, orderly, least_loaded)
    raise UsageError(f"system.engine={name!r}, choose from ['compiled', 'simpy']")


def _simpy_servers(speeds: SpeedTable, limit: int, servers: int) -> list[Server]:
    if speeds.batching is not None:
        from sim.batching_simpy import SimpyBatchServer

        return [SimpyBatchServer(speeds, limit) for _ in range(servers)]
    from sim.engine_simpy import SimpyServer

    return [SimpyServer(speeds, limit) for _ in range(servers)]
