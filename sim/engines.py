"""The engines by name."""

from __future__ import annotations

from typing import get_args

from serving.errors import UsageError
from sim.engine import Boundary, Engine
from sim.speeds import SpeedTable


def make_engine(
    name: str, speeds: SpeedTable, boundary: Boundary = "bounded", queue_limit: int | None = 50
) -> Engine:
    """Make an engine by name.

    Args:
        name: ``simpy``, the readable reference, or ``compiled``, the same to the last bit and much faster.
        speeds: limits, speeds and busy shares of every configuration.
        boundary: what happens to the queue where slots meet; see ``SlotwiseEngine``.
        queue_limit: at most this many requests wait, None for no limit; ``bounded`` and ``drop`` only.

    Raises:
        UsageError: for an unknown name or boundary, or a negative limit.
    """
    if boundary not in get_args(Boundary):
        raise UsageError(f"boundary={boundary!r}, choose from {sorted(get_args(Boundary))}")
    if queue_limit is not None and queue_limit < 0:
        raise UsageError(f"queue_limit={queue_limit}, expected an integer >= 0 or null")
    # Imported here, so that numba loads only where it is asked for.
    if name == "simpy":
        from sim.engine_simpy import SimpyEngine

        return SimpyEngine(speeds, boundary, queue_limit)
    if name == "compiled":
        from sim.engine_compiled import CompiledEngine

        return CompiledEngine(speeds, boundary, queue_limit)
    raise UsageError(f"engine={name!r}, choose from ['compiled', 'simpy']")
