"""Interference curves: how fast requests progress under a configuration, and how busy the cores are.

Three families for CPU servers. ``nested`` is the paper's picture (Fig. 1): every request in service has its
own inter-op x intra-op threads. ``shared_pool`` is what a TensorFlow process does: one inter-op pool and one
intra-op pool, shared by all requests. ``run_to_completion`` is the same where a request that has got an
inter-op thread keeps it: TensorFlow's executor runs an operation that is ready in the thread that made it
ready, so a model that is a chain of operations never gives the thread back, and further requests wait.

All functions broadcast: ``inter_op`` and ``intra_op`` are effective values (0 already replaced),
``in_service`` is the number of requests in service, and a speed of 1 is sequential execution with the
machine to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Family = Literal["nested", "run_to_completion", "shared_pool"]


@dataclass(frozen=True)
class CpuInterference:
    """Parameters of the CPU curves; every one is a physical quantity with a range in ``sim.services_cpu``.

    Attributes:
        family: ``nested``, ``run_to_completion`` or ``shared_pool``.
        cores: physical cores.
        inter_op_fraction: share of the work that can run beside other operations of the same request
            (Amdahl's parallel fraction over operations), 0..1.
        intra_op_fraction: share of an operation's work that its threads can split, 0..1.
        synchronisation: slow-down per further thread of a request (waiting for each other), >= 0.
        memory_contention: slow-down per further busy core (shared caches and memory bandwidth), >= 0.
        oversubscription: slow-down per runnable thread and core beyond one (context switches, cold caches).
        spinning: share of their idle time that waiting threads spend busy-waiting, 0..1; it costs
            utilisation, not speed.
    """

    family: Family
    cores: int
    inter_op_fraction: float
    intra_op_fraction: float
    synchronisation: float
    memory_contention: float
    oversubscription: float
    spinning: float

    def at_once(self, request: NDArray[np.int64], inter_op: Array) -> NDArray[np.int64]:
        """How many requests are in service at most, of so many that may be inside."""
        if self.family != "run_to_completion":
            return request
        limit: NDArray[np.int64] = np.minimum(request, inter_op).astype(np.int64)
        return limit

    def curves(self, inter_op: Array, intra_op: Array, in_service: Array) -> tuple[Array, Array]:
        """Speed of each request, and busy share of the processor (0..1), for ``in_service`` >= 1."""
        family = _nested if self.family == "nested" else _shared_pool
        speed_up, share, threads = family(self, inter_op, intra_op, in_service)
        wanted = in_service * share * speed_up  # cores that all requests together could keep busy
        granted = np.minimum(1.0, self.cores / wanted)
        working = np.minimum(wanted, self.cores)
        speed = (
            share
            * speed_up
            * granted
            / (1 + self.memory_contention * np.maximum(0.0, working - 1))
            / (1 + self.oversubscription * np.maximum(0.0, threads / self.cores - 1))
        )
        waiting = np.maximum(0.0, np.minimum(threads, self.cores) - working)
        busy = (working + self.spinning * waiting) / self.cores
        return speed, busy


def _amdahl(fraction: float, workers: Array) -> Array:
    speed_up: Array = 1.0 / (1.0 - fraction + fraction / workers)
    return speed_up


def _request_speed_up(curves: CpuInterference, inter_op: Array, intra_op: Array, threads: Array) -> Array:
    """Speed-up of one request: Amdahl over operations and within them, less what its threads lose waiting."""
    parallel = _amdahl(curves.inter_op_fraction, inter_op) * _amdahl(curves.intra_op_fraction, intra_op)
    speed_up: Array = parallel / (1 + curves.synchronisation * (threads - 1))
    return speed_up


def _nested(
    curves: CpuInterference, inter_op: Array, intra_op: Array, in_service: Array
) -> tuple[Array, Array, Array]:
    """Each request has inter_op x intra_op threads of its own: nothing is shared but the cores."""
    speed_up = _request_speed_up(curves, inter_op, intra_op, inter_op * intra_op)
    return speed_up, np.ones_like(in_service * speed_up), in_service * inter_op * intra_op


def _shared_pool(
    curves: CpuInterference, inter_op: Array, intra_op: Array, in_service: Array
) -> tuple[Array, Array, Array]:
    """The pools are shared: a request gets its part of each, and waits where requests outnumber threads."""
    share = np.minimum(1.0, inter_op / in_service)
    running = np.minimum(in_service, inter_op)
    own_inter_op, own_intra_op = np.maximum(1.0, inter_op / in_service), np.maximum(1.0, intra_op / running)
    # The thread that runs an operation works on it too: pools of i and a threads keep i + a - 1 busy at most.
    speed_up = _request_speed_up(curves, own_inter_op, own_intra_op, own_inter_op + own_intra_op - 1)
    threads = (inter_op + intra_op - 1) * np.ones_like(in_service * speed_up)
    return speed_up, share, threads
