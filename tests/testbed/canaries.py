"""Run as a program: one check for each thing in testbed/tensorflow_internals.py, results as JSON.

The parent imports TensorFlow and gRPC and the server, then forks a child for each intra-op value.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import grpc  # noqa: F401 - as a zygote does
import numpy as np
import tensorflow as tf
from server_process import WORK_S

import testbed.server.app
import testbed.server.grpc_services
import testbed.server.rest_server  # noqa: F401
from serving.errors import UsageError
from testbed import tensorflow_internals as internals
from testbed.batching import request_plan
from testbed.models.payload import predict_payload
from testbed.threads import count_by_name, threads


def main(models: Path) -> None:
    predict_payload("deepspeech2", size=0.1)
    before_fork = {name: count for name, count in count_by_name().items() if name.startswith("tf_")}
    children = {intra_op: in_child(models, intra_op) for intra_op in (1, 3)}
    print(json.dumps({"threads_before_fork": before_fork, "children": children}))


def in_child(models: Path, intra_op: int) -> dict[str, object]:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        with os.fdopen(writing, "w") as out:
            json.dump(canaries(models, intra_op), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as source:
        text = source.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def canaries(models: Path, intra_op: int) -> dict[str, object]:
    graph = tf.Graph()
    with graph.as_default():
        session = internals.open_session(graph, intra_op, (1, 4))
        meta_graph = internals.load_saved_model(session, ["serve"], models / "tf2" / "1")
        which = tf.compat.v1.placeholder(tf.int32, [])
        plans = [request_plan(1), request_plan(3)]

        def batched(name: str):
            signature = meta_graph.signature_def[name]
            inputs, outputs = (
                {alias: graph.get_tensor_by_name(info.name) for alias, info in sorted(infos.items())}
                for infos in (signature.inputs, signature.outputs)
            )
            function = internals.as_function(graph, inputs, outputs)
            return inputs, internals.batch_function(
                function, list(inputs.values()), plans, which, "one", name
            )

        dense_in, dense_out = batched("serving_default")
        burn_in, burn_out = batched("burn")
    nodes = [node for function in graph.as_graph_def().library.function for node in function.node_def]
    batches = [node for node in nodes if node.op == "BatchFunction"]

    def burn(plan: int, pool: int, steps: int = 60):
        return session.run(
            burn_out[0], {burn_in["steps"]: [steps], which: plan}, options=internals.run_options(pool)
        )

    def most_at_once(plan: int, pool: int, wanted: int) -> int:
        """Over bursts until it is that many or more: on a busy machine one may never overlap in full."""
        most = 0
        for _ in range(10):
            with ThreadPoolExecutor(6) as clients:
                spans = np.concatenate(list(clients.map(lambda _: burn(plan, pool), range(18))))
            changes = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
            most = max(most, int(np.max(np.cumsum([change for _, change in changes]))))
            if most >= wanted:
                break
        return most

    def busy_pools(pool: int) -> list[str]:
        before = {one.thread_id: one.cpu_s for one in threads()}
        burn(0, pool, 2000)
        return sorted(
            {
                one.name
                for one in threads()
                if one.name[:10] == "tf_Compute" and one.cpu_s > before.get(one.thread_id, 0) + WORK_S
            }
        )

    def second_session() -> str:
        try:
            internals.open_session(tf.Graph(), intra_op + 1, (1, 4)).close()
            internals.check_pools(intra_op + 1, (1, 4))
        except UsageError as error:
            return str(error)
        return ""

    def prepared() -> list[object]:
        run = internals.PreparedRun(session, [*dense_in.values(), which], {"first": dense_out[0]})
        row, options, answers = np.array([[1, 0, 0, 0]], np.float32), internals.run_options(1), []
        for value in (row, row[0]):
            try:
                fed = {dense_in["x"].name: value, which.name: 1}
                answers.append(run(fed, options)["first"].tolist())
            except ValueError as error:
                answers.append(str(error))
        return answers

    return {
        "prepared": prepared(),
        "intra_op": internals.check_pools(intra_op, (1, 4)).intra_op,
        "second_session": second_session(),
        "answer": session.run(dense_out[0], {dense_in["x"]: [[1, 0, 0, 0]], which: 1}).tolist(),
        "captured": sum(len(node.attr["Tcaptured"].list.type) for node in batches),
        "at_once": [most_at_once(0, 1, 1), most_at_once(1, 1, 3), most_at_once(1, 0, 1)],
        "pools": [busy_pools(0), busy_pools(1)],
        "records": len(
            list(internals.read_records(models / "speech/1/assets.extra/tf_serving_warmup_requests"))
        ),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
