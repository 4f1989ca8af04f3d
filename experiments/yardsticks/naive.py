"""The model in SimPy as one would first write it: a Resource, and every request re-timed at every change.

Processes are interrupted whenever the number in service changes, so an event costs O(n). One
configuration (a Resource cannot be resized), bounded queue.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import simpy
from numpy.typing import NDArray

from serving.slot import Slot
from sim.speeds import SpeedTable


def serve_naive(
    speeds: SpeedTable,
    configuration: int,
    slots: list[Slot],
    demands_s: list[NDArray[np.float64]],
    queue_limit: int,
) -> tuple[list[float], int]:
    """Serve all slots and then until empty: latencies in seconds in order of completion, and rejections."""
    env = simpy.Environment()
    speed = speeds.speed[configuration].tolist()
    places = simpy.Resource(env, capacity=int(speeds.limit[configuration]))
    in_service: set[simpy.Process] = set()
    latency_s: list[float] = []
    rejections = 0

    def retime_others(me: simpy.Process) -> None:
        for process in in_service:
            if process is not me:
                process.interrupt()

    def request(demand_s: float) -> Generator[simpy.Event, None, None]:
        arrived_s = env.now
        with places.request() as place:
            yield place
            me = env.active_process
            assert me is not None
            in_service.add(me)
            retime_others(me)
            remaining_s, done = demand_s, False
            while not done:
                rate, since_s = speed[len(in_service)], env.now
                try:
                    yield env.timeout(max(0.0, remaining_s) / rate)
                    done = True
                except simpy.Interrupt:
                    remaining_s -= rate * (env.now - since_s)
            in_service.remove(me)
            retime_others(me)
        latency_s.append(env.now - arrived_s)

    def source() -> Generator[simpy.Event, None, None]:
        nonlocal rejections
        for slot, demand_s in zip(slots, demands_s, strict=True):
            for arrival_s, demand in zip(slot.arrival_s.tolist(), demand_s.tolist(), strict=True):
                yield env.timeout(max(0.0, arrival_s - env.now))
                if len(places.queue) < queue_limit:
                    env.process(request(demand))
                else:
                    rejections += 1

    env.process(source())
    env.run()
    return latency_s, rejections
