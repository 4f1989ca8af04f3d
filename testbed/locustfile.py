"""What runs inside Locust: every worker sends its share of the requests when their time has come.

``testbed.replay`` starts Locust with this file and talks to the process that is no worker (the only one, or
the master) over a unix socket, a JSON object a line; that process passes commands on as Locust's own messages
and gathers what the workers send back. The workers' clocks must agree (one machine, or NTP).

Commands: ``requests`` (the bytes to send, as base64, and the call), ``seed`` (of random dispatch),
``addresses`` (where to from now on), ``replay`` (when to send which), ``closed`` (how many clients ask again
as soon as they are answered, and until when), ``collect`` (what has been answered since). The last one has an
answer.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gevent
import grpc
import grpc.experimental.gevent
import numpy as np
from gevent import socket
from gevent.queue import Empty, Queue
from locust import User, events, task
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from serving.dispatch import Dispatch, at_random, least_loaded, round_robin
from testbed.replay_protocol import (
    CLOSED_LOOP,
    FAILED,
    OK,
    REFUSED,
    SOCKET_VARIABLE,
    TIMED_OUT,
    WORKERS_VARIABLE,
)

grpc.experimental.gevent.init_gevent()

_ANSWER_S = 10.0
_PRIORITY = -10  # where allowed: a sender that waits for a core is late, and its latencies are wrong
_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_retries", 0),  # a request is sent once
]
_OUTCOMES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: REFUSED,
    grpc.StatusCode.UNAVAILABLE: REFUSED,
    grpc.StatusCode.DEADLINE_EXCEEDED: TIMED_OUT,
}


class Target:
    """A server to send to."""

    def __init__(self, address: str, method: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, _CHANNEL_OPTIONS)
        self.call = self._channel.unary_unary(method)
        self.in_flight = 0
        self.retired = False

    def close_if_idle(self) -> None:
        """Hang up, once nothing goes there any more and all answers have come."""
        if self.retired and not self.in_flight:
            self._channel.close()


class Sender:
    """Sends requests on time and keeps what came of them."""

    def __init__(self, environment: Any) -> None:
        self._fire = environment.events.request.fire
        self._targets: list[Target] = []
        self._requests: list[bytes] = []
        self._records: list[tuple[int, float, float, int]] = []
        self._waiting = 0
        self._network_bytes = 0

    def requests(self, data: dict[str, Any]) -> None:
        """Take the bytes to send, which call they are for, and how servers are chosen."""
        self._requests = [base64.b64decode(one) for one in data["requests"]]
        self._method, self._timeout_s = str(data["method"]), float(data["timeout_s"])
        self._dispatch: Dispatch = data["dispatch"]

    def seed(self, data: dict[str, Any]) -> None:
        """Choose servers as if nothing had been sent yet."""
        self._turn, self._rng = -1, np.random.default_rng(data["seed"])

    def addresses(self, data: dict[str, Any]) -> None:
        """Send to these servers from now on; what is on its way to others comes home all the same."""
        before = {target.address: target for target in self._targets}
        self._targets = [
            before.pop(one) if one in before else Target(one, self._method) for one in data["addresses"]
        ]
        for target in before.values():
            target.retired = True
            target.close_if_idle()

    def replay(self, data: dict[str, Any]) -> None:
        """Send this worker's share: requests by number, seconds after a moment, and which bytes."""
        for number, offset_s, kind in zip(data["number"], data["offset_s"], data["kind"], strict=True):
            at_s = data["begin_s"] + offset_s
            gevent.sleep(max(0.0, at_s - time.time()))
            gevent.spawn(self._send, number, at_s, self._requests[kind])

    def closed(self, data: dict[str, Any]) -> None:
        """Start this worker's share of clients, each of which asks again as soon as it is answered."""
        kinds = itertools.cycle(data["kind"])
        for _ in data["client"]:
            gevent.spawn(self._ask_again, data, kinds)

    def _ask_again(self, data: dict[str, Any], kinds: Iterator[int]) -> None:
        gevent.sleep(max(0.0, data["begin_s"] - time.time()))
        while (now_s := time.time()) < data["end_s"]:
            self._send(CLOSED_LOOP, now_s, self._requests[next(kinds)])

    def collect(self) -> dict[str, Any]:
        """Requests answered since the last call, the bytes that took, and how many are not answered."""
        records, self._records = self._records, []
        network_bytes, self._network_bytes = self._network_bytes, 0
        return {"records": records, "waiting": self._waiting, "network_bytes": network_bytes}

    def _send(self, number: int, at_s: float, request: bytes) -> None:
        target = self._choose()
        target.in_flight += 1
        self._waiting += 1
        outcome, error, answer = OK, None, b""
        sent_s = time.time()
        try:
            answer = target.call(request, timeout=self._timeout_s)
        except grpc.RpcError as raised:
            error = raised
            outcome = _OUTCOMES.get(raised.code(), FAILED)
        done_s = time.time()
        target.in_flight -= 1
        target.close_if_idle()
        self._waiting -= 1
        self._network_bytes += len(request) + len(answer)
        self._records.append((number, sent_s - at_s, done_s - at_s, outcome))
        self._fire(
            request_type="grpc", name=self._method, response_time=1000 * (done_s - at_s),
            response_length=len(answer), exception=error, context={},
        )  # fmt: skip

    def _choose(self) -> Target:
        self._turn += 1
        count = len(self._targets)
        if self._dispatch == "least_loaded":
            loads = np.array([target.in_flight for target in self._targets])
            return self._targets[least_loaded(loads, self._turn)]
        if self._dispatch == "random":
            return self._targets[int(at_random(self._rng.random(1), count)[0])]
        return self._targets[int(round_robin(np.array([self._turn]), count)[0])]


class Replayer(User):  # type: ignore[misc]
    """Locust's user: one per worker, it waits while the messages do the work."""

    @task  # type: ignore[untyped-decorator]
    def wait(self) -> None:
        """Nothing to do by itself."""
        gevent.sleep(3600)


@events.init.add_listener  # type: ignore[untyped-decorator]
def on_init(environment: Any, runner: Any, **_: object) -> None:
    """Set up the worker's part, the master's, or both, once Locust knows which this process is."""
    if not isinstance(runner, MasterRunner):
        _work(Sender(environment), runner)
    if not isinstance(runner, WorkerRunner):
        gevent.spawn(_command, runner)


def _work(sender: Sender, runner: Any) -> None:
    with suppress(PermissionError):
        os.nice(_PRIORITY)

    def collect(msg: Any, **_: object) -> None:
        runner.send_message("collected", sender.collect() | {"round": msg.data["round"]})

    runner.register_message("requests", lambda msg, **_: sender.requests(msg.data))
    runner.register_message("seed", lambda msg, **_: sender.seed(msg.data))
    runner.register_message("addresses", lambda msg, **_: sender.addresses(msg.data))
    runner.register_message("replay", lambda msg, **_: gevent.spawn(sender.replay, msg.data))
    runner.register_message("closed", lambda msg, **_: sender.closed(msg.data))
    runner.register_message("collect", collect)


def _command(runner: Any) -> None:
    """Pass on the driver's commands until it hangs up, then end Locust."""
    answers: Queue[Any] = Queue()
    runner.register_message("collected", lambda msg, **_: answers.put(msg.data))
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ[SOCKET_VARIABLE])
        with connection, connection.makefile("rwb") as stream:
            while len(_workers(runner)) < int(os.environ[WORKERS_VARIABLE]):
                gevent.sleep(0.05)
            stream.write(b"{}\n")
            stream.flush()
            for line in stream:
                stream.write(json.dumps(_pass_on(runner, json.loads(line), answers)).encode() + b"\n")
                stream.flush()
    finally:
        runner.quit()


def _workers(runner: Any) -> list[str | None]:
    """The workers' ids; the process that is master and worker at once has none."""
    if not isinstance(runner, MasterRunner):
        return [None]
    return [name for name, node in runner.clients.items() if node.state != STATE_MISSING]


def _pass_on(runner: Any, command: dict[str, Any], answers: Queue[Any]) -> dict[str, Any]:
    name = command["command"]
    workers = _workers(runner)
    for place, worker in enumerate(workers):
        data = _share(command, place, len(workers)) if name in ("replay", "closed") else command
        runner.send_message(name, data, worker)
    gathered: list[dict[str, Any]] = []
    while name == "collect" and len(gathered) < len(workers):
        try:
            answer = answers.get(timeout=_ANSWER_S)
        except Empty:
            return {"error": f"{len(workers) - len(gathered)} of {len(workers)} Locust workers are gone"}
        if answer["round"] == command["round"]:
            gathered.append(answer)
    return {
        "records": [record for one in gathered for record in one["records"]],
        "waiting": sum(one["waiting"] for one in gathered),
        "network_bytes": sum(one["network_bytes"] for one in gathered),
    }


def _share(data: dict[str, Any], place: int, workers: int) -> dict[str, Any]:
    """Every so many-th request."""
    return data | {key: value[place::workers] for key, value in data.items() if isinstance(value, list)}
