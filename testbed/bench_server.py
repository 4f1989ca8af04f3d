"""What the server costs: latency over gRPC with one client, against the same session called in process.

``python -m testbed.bench_server`` prints one JSON object. The kinds of call alternate in short rounds, so
that a noisy minute on the machine hurts all alike. The client is a process of its own, as clients are. What
gRPC itself costs shows in ``bare_grpc``: the same session behind a handler that looks at nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_WARM_UP_ROUNDS = 2
_ANSWER = bytes(4096)  # about as much as 1000 classes

_CLIENT = """
import json, sys, time
import grpc
payload = open(sys.argv[2], "rb").read()
call = grpc.insecure_channel(sys.argv[1]).unary_unary("/tensorflow.serving.PredictionService/Predict")
for line in sys.stdin:
    latency_s = []
    for _ in range(int(line)):
        start_s = time.perf_counter()
        call(payload)
        latency_s.append(time.perf_counter() - start_s)
    print(json.dumps(latency_s), flush=True)
"""


def measure(name: str, rounds: int, calls: int) -> dict[str, Any]:
    """Latencies of one model, ``rounds`` rounds of ``calls`` calls each way."""
    import tempfile

    from testbed.batching import request_plan
    from testbed.models.payload import predict_payload
    from testbed.server.app import Server
    from testbed.server.model_settings import ModelSettings
    from testbed.server.parallelism import ParallelismChoices
    from testbed.server.settings import ServerSettings

    base = _export(name)
    with tempfile.TemporaryDirectory() as folder:
        payload, address = Path(folder) / "payload", f"{folder}/grpc"
        payload.write_bytes(predict_payload(name))
        settings = ServerSettings(
            models={name: ModelSettings(name, base)},
            choices=ParallelismChoices(intra_op=0, inter_op=(0,), plans=(request_plan(1),)),
            port=0,
            grpc_socket=address,
            version_poll_s=0,
        )
        with Server(settings) as server:
            call = _in_process(server, payload.read_bytes())
            with (
                _bare_server(call, f"unix:{folder}/bare"),
                _client(f"unix:{address}", str(payload)) as client,
                _client(f"unix:{folder}/bare", str(payload)) as bare_client,
            ):
                ways = {
                    "in_process": lambda: [call() for _ in range(calls)],
                    "grpc": lambda: _ask(client, calls),
                    "bare_grpc": lambda: _ask(bare_client, calls),
                }
                latency_s = _alternate(ways, rounds)
                for one in (client, bare_client):
                    assert one.stdin
                    one.stdin.close()
    mean_s = {way: float(np.mean(latency_s[way])) for way in ways}
    median_s = {way: float(np.median(latency_s[way])) for way in ways}
    return {
        "benchmark": "server_overhead",
        "model": name,
        "calls": rounds * calls,
        **{f"{way}_mean_ms": 1e3 * value for way, value in mean_s.items()},
        **{f"{way}_median_ms": 1e3 * value for way, value in median_s.items()},
        "ratio_of_means": mean_s["grpc"] / mean_s["in_process"],
        "ratio_of_medians": median_s["grpc"] / median_s["in_process"],
        "bare_ratio_of_means": mean_s["bare_grpc"] / mean_s["in_process"],
        "bare_ratio_of_medians": median_s["bare_grpc"] / median_s["in_process"],
        "load_average": os.getloadavg()[0],
    }


def _alternate(ways: Mapping[str, Callable[[], list[float]]], rounds: int) -> dict[str, list[float]]:
    """Latencies of every way to call, from so many rounds after two that warm up."""
    latency_s: dict[str, list[float]] = {way: [] for way in ways}
    for index in range(rounds + _WARM_UP_ROUNDS):
        for way, ask in ways.items():
            found = ask()
            if index >= _WARM_UP_ROUNDS:
                latency_s[way] += found
    return latency_s


@contextmanager
def _bare_server(call: Callable[[], object], address: str) -> Iterator[None]:
    """A gRPC server that makes a call whatever it is asked, and answers with as many bytes as the model."""
    import grpc

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(self.answer)

        def answer(self, _request: bytes, _context: Any) -> bytes:
            call()
            return _ANSWER

    server = grpc.server(
        ThreadPoolExecutor(1), handlers=[Handler()], options=[("grpc.max_receive_message_length", -1)]
    )
    server.add_insecure_port(address)
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def _export(name: str) -> Path:
    """Export in another process: exporting runs operations, which would fix this process's threads."""
    command = [sys.executable, "-m", "testbed.models", "export", name]
    return Path(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL).splitlines()[-1])


def _in_process(server: Any, payload: bytes) -> Callable[[], float]:
    """Times one plain ``session.run`` of the model's own tensors, without the batch scheduler."""
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from testbed.server.tensors import to_array

    request = PredictRequest.FromString(payload)
    model = server.models.find(request.model_spec)
    signature, graph = model.signatures["serving_default"], model.session.graph
    feeds = {
        graph.get_tensor_by_name(spec.tensor_name): to_array(
            alias, request.inputs[alias], spec.data_type, 2**31
        )
        for alias, spec in signature.inputs.items()
    }
    fetches = [graph.get_tensor_by_name(spec.tensor_name) for spec in signature.outputs.values()]

    def call() -> float:
        start_s = time.perf_counter()
        model.session.run(fetches, feeds)
        return time.perf_counter() - start_s

    return call


def _client(address: str, payload: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", _CLIENT, address, payload], stdin=pipe, stdout=pipe, text=True
    )


def _ask(client: subprocess.Popen[str], calls: int) -> list[float]:
    assert client.stdin
    assert client.stdout
    client.stdin.write(f"{calls}\n")
    client.stdin.flush()
    latency_s: list[float] = json.loads(client.stdout.readline())
    return latency_s


def main(arguments: list[str]) -> int:
    """Run the benchmark."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(prog="python -m testbed.bench_server", description=__doc__)
    parser.add_argument("--model", default="mobilenet_v2")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=5, help="in a round")
    flags = parser.parse_args(arguments)
    print(json.dumps(measure(flags.model, flags.rounds, flags.calls)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
