"""Sends the requests of a slot when they are due, whatever the answers do: open loop, by Locust."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.dispatch import Dispatch, checked_dispatch
from serving.errors import UsageError
from serving.record import Record
from testbed.replay_protocol import SOCKET_VARIABLE, WORKERS_VARIABLE

PREDICT = "/tensorflow.serving.PredictionService/Predict"
_START_S = 60.0
_GRACE_S = 5.0
_LEAD_S = 0.05  # commands arrive before the first request is due


@dataclass(frozen=True, eq=False)
class Answers(Record):
    """What came back since the last look; one entry per answered request, in order of completion.

    Attributes:
        number: of the request, counted over all slots; ``CLOSED_LOOP`` of those of a closed loop.
        lateness_s: sent so much after it was due.
        latency_s: answered so much after it was due.
        outcome: ``OK``, ``REFUSED`` (the queue was full), ``TIMED_OUT`` or ``FAILED``.
        waiting: requests sent that are not answered yet.
        network_bytes: of these requests and their answers.
    """

    number: NDArray[np.int64]
    lateness_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    outcome: NDArray[np.int64]
    waiting: int
    network_bytes: int


class Replay:
    """A Locust process with one worker, or several that each send their share.

    Args:
        requests: the bytes that are sent, one for each kind of request.
        workers: Locust processes that send, beside their master if there are several.
        distributed: the workers are started elsewhere (``locust -f testbed/locustfile.py --worker
            --master-host ...``) and connect to the master here.
        dispatch: which of several servers a request goes to; every worker decides by what it sent itself.
        timeout_s: a request that takes longer has timed out.
        method: the gRPC call.
        web_port: where Locust shows its web page, on loopback; None for nowhere.
        seed: of random dispatch.

    Raises:
        UsageError: for settings out of range, or if Locust does not start.
    """

    def __init__(
        self,
        requests: Sequence[bytes],
        workers: int = 1,
        distributed: bool = False,
        dispatch: Dispatch = "round_robin",
        timeout_s: float = 30.0,
        method: str = PREDICT,
        web_port: int | None = None,
        seed: int = 0,
    ) -> None:
        if workers < 1:
            raise UsageError(f"system.workers={workers}, expected an integer >= 1")
        if not timeout_s > 0:
            raise UsageError(f"system.timeout_s={timeout_s}, expected a number > 0 (seconds)")
        if web_port is not None and not 0 < web_port < 65536:
            raise UsageError(f"system.web_port={web_port}, expected a port, 1 to 65535, or null")
        checked_dispatch(dispatch)
        self._sent = 0
        self._round = 0
        self._folder = tempfile.TemporaryDirectory(prefix="rrl-replay-")
        self._log = Path(self._folder.name) / "locust.log"
        self._process, self._stream = self._start(workers, distributed, web_port)
        content = [base64.b64encode(one).decode() for one in requests]
        self._ask("requests", requests=content, method=method, timeout_s=timeout_s, dispatch=dispatch)
        self.seed(seed)

    def _start(self, workers: int, distributed: bool, web_port: int | None) -> tuple[Any, Any]:
        path = str(Path(self._folder.name) / "driver.sock")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment |= {SOCKET_VARIABLE: path, WORKERS_VARIABLE: str(workers)}
        shown = ["--headless"] if web_port is None else ["--autostart", "--web-host=127.0.0.1"]
        shown += [] if web_port is None else [f"--web-port={web_port}"]
        spread = [] if workers == 1 and not distributed else [f"--expect-workers={workers}"]
        spread += ["--master"] if distributed else [] if workers == 1 else [f"--processes={workers}"]
        with socket.socket(socket.AF_UNIX) as listener, self._log.open("wb") as log:
            listener.bind(path)
            listener.listen()
            listener.settimeout(_START_S)
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py")),
                    f"--users={workers}", f"--spawn-rate={workers}", "--loglevel=WARNING", "--only-summary",
                    *shown, *spread,
                ],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                cwd=Path(__file__).resolve().parents[1],
            )  # fmt: skip
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                process.kill()
                process.wait()
                raise UsageError(f"Locust did not start: {self._last_words()}") from None
        connection.settimeout(_START_S)
        stream = connection.makefile("rwb")
        connection.close()  # the stream keeps it open
        if not stream.readline():
            raise UsageError(f"Locust did not start: {self._last_words()}")
        return process, stream

    @property
    def process_id(self) -> int:
        """Of Locust's first process."""
        pid: int = self._process.pid
        return pid

    def seed(self, seed: int) -> None:
        """Choose servers as if nothing had been sent yet."""
        self._ask("seed", seed=seed)

    def send_to(self, addresses: Sequence[str]) -> None:
        """Send to these servers from now on; answers of the servers before still count."""
        self._ask("addresses", addresses=list(addresses))

    def begin(self, offset_s: NDArray[np.float64], kind: NDArray[np.int64]) -> tuple[float, range]:
        """Start to send requests at their offsets from now, each with the bytes of its kind.

        Returns:
            When "now" is, in seconds since the epoch, a moment from the call; and the requests' numbers.
        """
        number = range(self._sent, self._sent + len(offset_s))
        self._sent += len(offset_s)
        begin_s = time.time() + _LEAD_S
        self._ask(
            "replay",
            begin_s=begin_s,
            offset_s=offset_s.tolist(),
            kind=kind.tolist(),
            number=list(number),
        )
        return begin_s, number

    def closed_loop(self, clients: int, duration_s: float, kind: NDArray[np.int64]) -> float:
        """Start clients that ask again as soon as they are answered, from now on for so many seconds.

        Args:
            clients: how many, at least as many as there are workers; the workers share them.
            duration_s: nobody asks after that.
            kind: the bytes of the requests, in turn, whoever asks.

        Returns:
            When "now" is, in seconds since the epoch, a moment from the call.
        """
        begin_s = time.time() + _LEAD_S
        self._ask(
            "closed",
            begin_s=begin_s,
            end_s=begin_s + duration_s,
            client=list(range(clients)),
            kind=np.resize(kind, max(clients, len(kind))).tolist(),
        )
        return begin_s

    def collect(self) -> Answers:
        """What was answered since the last call."""
        self._round += 1
        answer = self._ask("collect", round=self._round)
        columns = list(zip(*answer["records"], strict=True)) or [()] * 4
        return Answers(
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.float64),
            np.array(columns[2], dtype=np.float64),
            np.array(columns[3], dtype=np.int64),
            int(answer["waiting"]),
            int(answer["network_bytes"]),
        )

    def close(self) -> None:
        """End Locust; safe to call twice."""
        if self._stream.closed:
            return
        with suppress(OSError):
            self._stream.close()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its session: also workers that it forked
        self._process.wait()
        self._folder.cleanup()

    def _ask(self, command: str, **data: Any) -> dict[str, Any]:
        try:
            self._stream.write(json.dumps({"command": command, **data}).encode() + b"\n")
            self._stream.flush()
            answer: dict[str, Any] = json.loads(self._stream.readline())
        except (OSError, ValueError):
            raise OSError(f"Locust has ended: {self._last_words()}") from None
        if "error" in answer:
            raise OSError(answer["error"])
        return answer

    def _last_words(self) -> str:
        return " | ".join(self._log.read_text(errors="replace").splitlines()[-3:]) or "it said nothing"

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
