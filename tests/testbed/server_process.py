"""A real server in a process of its own, and the clients of the tests: gRPC stubs, urllib and curl."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 180  # a loaded machine imports TensorFlow slowly
CALL_TIMEOUT_S = 60
WORK_S = 0.005  # a thread that only woke up and looked has used less CPU time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ServerProcess:
    process: subprocess.Popen[bytes]
    port: int
    rest_port: int
    log: Path

    def __post_init__(self) -> None:
        from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", [("grpc.max_send_message_length", -1)])
        self.prediction = PredictionServiceStub(self.channel)
        self.model = ModelServiceStub(self.channel)

    def predict(self, name: str, inputs: dict[str, Any], signature: str = "", **spec: Any) -> dict[str, Any]:
        import tensorflow as tf

        response = self.prediction.Predict(predict_request(name, inputs, signature, **spec), CALL_TIMEOUT_S)
        return {alias: tf.make_ndarray(proto) for alias, proto in response.outputs.items()}

    def rest(self, path: str, document: Any = None) -> tuple[int, Any]:
        """Status and JSON of a GET, or of a POST if there is a document."""
        data = (
            None
            if document is None
            else document
            if isinstance(document, bytes)
            else json.dumps(document).encode()
        )
        request = urllib.request.Request(f"http://127.0.0.1:{self.rest_port}{path}", data)
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.channel.close()
        self.process.send_signal(number)
        return self.process.wait(CALL_TIMEOUT_S)


def predict_request(name: str, inputs: dict[str, Any], signature: str = "", **spec: Any) -> Any:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(np.asarray(value)))
    return request


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


@contextmanager
def running_server(folder: Path, *flags: str) -> Iterator[ServerProcess]:
    """A server that listens on free ports and is gone afterwards, come what may."""
    port, rest_port = free_port(), free_port()
    log = folder / f"server-{port}.log"
    command = [
        sys.executable,
        "-m",
        "testbed.server",
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        *flags,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=output, stderr=output)
    try:
        server = ServerProcess(process, port, rest_port, log)
        wait_until_it_listens(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_it_listens(server: ServerProcess) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended:\n{server.log.read_text()}")
        try:
            grpc.channel_ready_future(server.channel).result(0.5)
            urllib.request.urlopen(
                f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics", timeout=5
            ).close()
        except urllib.error.HTTPError:
            return  # it answers, and has its metrics elsewhere
        except (grpc.FutureTimeoutError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the server did not listen:\n{server.log.read_text()}")


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + CALL_TIMEOUT_S
    while not all(map(gone, pids)):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if not gone(pid)]}"
        time.sleep(0.05)
