"""What the server costs: latency over gRPC with one client, against the same session called in process.

``python -m testbed.bench_server`` prints one JSON object. The two kinds of call alternate in short rounds, so
that a noisy minute on the machine hurts both alike. The client is a process of its own, as clients are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
        with Server(settings) as server, _client(f"unix:{address}", str(payload)) as client:
            call = _in_process(server, payload.read_bytes())
            direct, remote = [], []
            for index in range(rounds + 1):
                inside, outside = [call() for _ in range(calls)], _ask(client, calls)
                if index:  # the first round warms up
                    direct.append(inside)
                    remote.append(outside)
            assert client.stdin
            client.stdin.close()
    direct_s, remote_s = float(np.mean(direct)), float(np.mean(remote))
    return {
        "benchmark": "server_overhead",
        "model": name,
        "calls": rounds * calls,
        "in_process_mean_ms": direct_s * 1e3,
        "grpc_mean_ms": remote_s * 1e3,
        "ratio_of_means": remote_s / direct_s,
        "ratio_of_medians": float(np.median(remote) / np.median(direct)),
        "load_average": os.getloadavg()[0],
    }


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
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=20, help="in a round")
    flags = parser.parse_args(arguments)
    print(json.dumps(measure(flags.model, flags.rounds, flags.calls)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
