"""Real servers as a ``ServingSystem``."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.configuration import Configuration, ConfigurationSpace
from serving.dispatch import Dispatch
from serving.histogram import count_latencies
from serving.measurement import SlotMeasurement, Ticks, summarise
from serving.slot import Slot
from testbed.profiler import Profiler
from testbed.replay import Answers, Replay
from testbed.replay_protocol import CLOSED_LOOP, FAILED, OK, REFUSED, TIMED_OUT
from testbed.supervisor import Supervisor

SIZES = tuple(2.0 ** (step / 2) for step in range(-6, 6))
"""Relative sizes that requests of different size are sent in: the nearest by ratio, at most 19 % off."""

LATE_S = 0.020
SHARED = 0.05
_WATCH_S = 0.05
_GRACE_S = 5.0


class TestbedSystem:
    """Real servers, real requests. The clock stands still between two slots: requests then go on, none comes.

    A configuration that needs another process comes into force when that is ready; what served before goes on
    until then, as in the simulator. Flags of a slot: ``late`` (p99 lateness above 20 ms), ``shared`` (others
    used more than 5 % of the cores), ``faulted`` (a server died, and was replaced).

    Args:
        space: the configurations.
        supervisor: keeps the servers.
        requests: bytes of a request of each of ``SIZES``, or one for all sizes.
        slo_s: service-level objective on which violations are counted.
        dispatch, workers, distributed, timeout_s, web_port: see ``testbed.replay.Replay``.
        ticks: number of sub-slot measurements, 0 for none.
        keep_latencies: hand out raw latencies with every measurement.
        name: as in the result rows.
    """

    __test__ = False  # for pytest, which takes the name for that of a test

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        supervisor: Supervisor,
        requests: Sequence[bytes],
        slo_s: float,
        dispatch: Dispatch = "round_robin",
        workers: int = 1,
        distributed: bool = False,
        timeout_s: float = 30.0,
        web_port: int | None = None,
        ticks: int = 10,
        keep_latencies: bool = False,
        name: str = "testbed",
    ) -> None:
        self.name = name
        self.space = space
        self._supervisor = supervisor
        self._requests = requests
        self._slo_s = slo_s
        self._ticks = ticks
        self._keep_latencies = keep_latencies
        self._replay_settings: dict[str, Any] = {
            "dispatch": dispatch, "workers": workers, "distributed": distributed,
            "timeout_s": timeout_s, "web_port": web_port,
        }  # fmt: skip
        self._replay: Replay | None = None

    def reset(self, seed: int) -> None:
        """Start with nobody waiting, once whoever waits has been answered; the seed is of random dispatch."""
        if self._replay is not None and self._all_answered():
            self._replay.seed(seed)
        else:
            self._close_replay()
            self._replay = Replay(self._requests, seed=seed, **self._replay_settings)
            self._profiler = Profiler([self._replay.process_id])
            if self._supervisor.addresses:
                self._replay.send_to(self._supervisor.addresses)
        self._due_s: dict[int, float] = {}
        self._backlog = 0

    def _all_answered(self) -> bool:
        """Wait until every request has its answer, or has timed out; False if that fails."""
        assert self._replay is not None
        deadline = time.monotonic() + self._replay_settings["timeout_s"] + _GRACE_S
        try:
            while self._due_s and time.monotonic() < deadline:
                for one in self._replay.collect().number:
                    self._due_s.pop(int(one))
                time.sleep(_WATCH_S if self._due_s else 0)
        except OSError:
            return False  # Locust has ended
        return not self._due_s

    def _close_replay(self) -> None:
        if self._replay is not None:
            self._replay.close()

    def serve(self, configuration: Configuration, slot: Slot) -> SlotMeasurement:
        """Serve one slot in real time.

        Raises:
            UsageError: if the servers cannot be brought into this configuration.
        """
        if self._replay is None:
            raise RuntimeError("serve() before reset()")
        knobs = dict(zip(self.space.names, configuration, strict=True))
        change = _Change(self._supervisor, knobs)
        change.wait(None if not self._supervisor.addresses else _WATCH_S)
        if not self._supervisor.addresses or change.done:
            self._replay.send_to(change.addresses())
        self._profiler.begin()
        servers = set(self._supervisor.process_ids)
        begin_s, number = self._replay.begin(slot.arrival_s - slot.start_s, self._kinds(slot.size))
        due_s = begin_s + slot.arrival_s - slot.start_s
        self._due_s.update(zip(number, due_s.tolist(), strict=True))
        faulted = False
        while (left_s := begin_s + slot.duration_s - time.time()) > 0:
            time.sleep(min(left_s, _WATCH_S))
            self._profiler.sample()
            if change.newly_done():
                self._replay.send_to(change.addresses())
                servers |= set(self._supervisor.process_ids)
            elif change.done and self._supervisor.lost():
                faulted = True
                change = _Change(self._supervisor, knobs)
        change_s = change.seconds if change.done else slot.duration_s
        measured = self._measured(slot, begin_s, self._replay.collect(), change_s, servers, faulted)
        change.wait(None)  # if it takes longer than the slot, the next one waits for it
        if change.newly_done():
            self._replay.send_to(change.addresses())
        self._supervisor.retire()
        return measured

    def serve_closed(
        self, configuration: Configuration, clients: int, duration_s: float, size: NDArray[np.float64]
    ) -> SlotMeasurement:
        """Serve so many clients, each of which asks again as soon as it is answered; begins and ends idle.

        Args:
            configuration: is in force before the first request.
            clients: requests that are in the system at any time.
            duration_s: nobody asks after that, and what is answered later does not count.
            size: sizes of the requests, in turn.

        Raises:
            UsageError: if the servers cannot be brought into this configuration.
        """
        if self._replay is None:
            raise RuntimeError("serve_closed() before reset()")
        change = _Change(self._supervisor, dict(zip(self.space.names, configuration, strict=True)))
        change.wait(None)
        self._replay.send_to(change.addresses())
        self._supervisor.retire()
        self._profiler.begin()
        begin_s = self._replay.closed_loop(clients, duration_s, self._kinds(size))
        while (left_s := begin_s + duration_s - time.time()) > 0:
            time.sleep(min(left_s, _WATCH_S))
            self._profiler.sample()
        answers = self._replay.collect()
        asked = np.zeros(len(answers.number))
        slot = Slot(0, 0.0, duration_s, asked, asked, len(asked) / duration_s)
        servers = set(self._supervisor.process_ids)
        measured = self._measured(slot, begin_s, answers, 0.0, servers, self._supervisor.lost())
        while self._replay.collect().waiting:
            time.sleep(_WATCH_S)
        return measured

    def _measured(
        self, slot: Slot, begin_s: float, answers: Answers, change_s: float, servers: set[int], faulted: bool
    ) -> SlotMeasurement:
        fine = answers.outcome == OK
        latency_s = answers.latency_s[fine]
        due_s = np.array(
            [begin_s if one == CLOSED_LOOP else self._due_s.pop(int(one)) for one in answers.number]
        )
        late_s = float(np.quantile(answers.lateness_s, 0.99)) if len(answers.lateness_s) else None
        host, elapsed_s = self._profiler.end(servers, late_s)
        flags = {
            "late": late_s is not None and late_s > LATE_S,
            "shared": bool(servers) and host.other_cpu_s > SHARED * host.cores * elapsed_s,
            "faulted": faulted,
        }
        backlog_start, self._backlog = self._backlog, len(self._due_s)  # whoever was due and has no answer
        completed_s = due_s[fine] + latency_s - begin_s
        return summarise(
            slot,
            histogram=count_latencies(latency_s),
            latency_sum_s=float(latency_s.sum()),
            slo_violations=int((latency_s > self._slo_s).sum()),
            backlog_start=backlog_start,
            backlog_end=self._backlog,
            rejections=int((answers.outcome == REFUSED).sum()),
            timeouts=int((answers.outcome == TIMED_OUT).sum()),
            errors=int((answers.outcome == FAILED).sum()),
            cpu_utilisation=min(1.0, host.server_cpu_s / (host.cores * elapsed_s)) if servers else None,
            reconfiguration_s=min(slot.duration_s, change_s),
            gpu_utilisation=host.gpu_utilisation,
            network_bytes=answers.network_bytes,
            ticks=_ticks(completed_s, latency_s, slot.duration_s, self._ticks),
            latency_s=latency_s if self._keep_latencies else None,
            host=host,
            flags=tuple(flag for flag, raised in flags.items() if raised),
        )

    def _kinds(self, size: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which bytes stand for a request of each size."""
        if len(self._requests) == 1:
            return np.zeros(len(size), dtype=np.int64)
        return _step(size)

    def close(self) -> None:
        """End Locust and the servers; safe to call twice."""
        self._close_replay()
        self._supervisor.close()


def nearest_size(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sizes that requests of these sizes are sent in, where they are not all alike."""
    return np.array(SIZES)[_step(size)]


def _step(size: NDArray[np.float64]) -> NDArray[np.int64]:
    steps = np.rint(2 * np.log2(np.maximum(size, SIZES[0]))) + 6
    kinds: NDArray[np.int64] = np.minimum(steps, len(SIZES) - 1).astype(np.int64)
    return kinds


class _Change:
    """A configuration on its way into force, in a thread of its own."""

    def __init__(self, supervisor: Supervisor, knobs: Mapping[str, int]) -> None:
        self._began_s = time.monotonic()
        self._error: BaseException | None = None
        self._seen = False
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._apply, args=(supervisor, knobs))
        self._thread.start()

    def _apply(self, supervisor: Supervisor, knobs: Mapping[str, int]) -> None:
        try:
            self._addresses = supervisor.apply(knobs)
        except BaseException as error:
            self._error = error
        self.seconds = time.monotonic() - self._began_s

    def wait(self, timeout_s: float | None) -> None:
        self._thread.join(timeout_s)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def newly_done(self) -> bool:
        """Whether it is done and nobody has asked for the addresses yet."""
        return self.done and not self._seen

    def addresses(self) -> tuple[str, ...]:
        """Where it is in force; raises what went wrong."""
        self._seen = True
        if self._error is not None:
            raise self._error
        return self._addresses


def _ticks(
    completed_s: NDArray[np.float64], latency_s: NDArray[np.float64], duration_s: float, count: int
) -> Ticks | None:
    if not count:
        return None
    tick = np.clip((completed_s * count / duration_s).astype(np.int64), 0, count - 1)
    sums_s = np.bincount(tick, latency_s, minlength=count).astype(np.float64)
    return Ticks(np.bincount(tick, minlength=count), sums_s)
