"""The knobs are real: what was asked for is seen in threads, in overlapping work and in batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from server_process import CALL_TIMEOUT_S, WORK_S, ServerProcess, predict_request, running_server

from serving.errors import UsageError
from testbed.server.admin import ask
from testbed.threads import count_by_name, threads

BUSY_STEPS = 100


@pytest.fixture(scope="module")
def tunable(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("tunable")
    flags = (
        "--model_name=tf2",
        f"--model_base_path={exported / 'tf2'}",
        "--tensorflow_intra_op_parallelism=3",
        "--inter_op_choices=1,4",
        "--request_choices=1,2,4,0",
        "--queue_limit=5",
        f"--admin_socket_path={folder / 'admin.sock'}",
    )
    with running_server(folder, *flags) as process:
        yield process


def admin(server: ServerProcess) -> str:
    return str(server.log.parent / "admin.sock")


def burn(server: ServerProcess, clients: int, requests: int, steps: int = BUSY_STEPS) -> np.ndarray:
    """When each request began and ended to be worked on, shape (requests, 2)."""
    with ThreadPoolExecutor(clients) as pool:
        spans = pool.map(
            lambda _: server.predict("tf2", {"steps": np.array([steps], np.int32)}, "burn"), range(requests)
        )
        return np.concatenate([found["span"] for found in spans])


def most_at_once(server: ServerProcess, wanted: int) -> int:
    """How many of five clients' requests were worked on at once; further bursts until it is enough."""
    most = 0
    for _ in range(10):  # on a busy machine a single burst may never overlap in full
        spans = burn(server, clients=5, requests=20)
        changes = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
        most = max(most, int(np.max(np.cumsum([change for _, change in changes]))))
        if most >= wanted:
            break
    return most


@pytest.mark.parametrize(("request_parallelism", "at_once"), [(1, 1), (2, 2), (4, 4)])
def test_request_parallelism_is_how_many_are_served_at_once(
    tunable: ServerProcess, request_parallelism: int, at_once: int
) -> None:
    applied = ask(
        admin(tunable), command="configure", request_parallelism=request_parallelism, inter_op_parallelism=4
    )
    assert applied[0]["plan"]["threads"] == request_parallelism
    assert most_at_once(tunable, at_once) == at_once


@pytest.mark.parametrize("inter_op", [1, 4])
def test_inter_op_parallelism_is_how_many_threads_run_operations(
    tunable: ServerProcess, inter_op: int
) -> None:
    ask(admin(tunable), command="configure", request_parallelism=4, inter_op_parallelism=inter_op)
    pid = tunable.process.pid
    before = {thread.thread_id: thread.cpu_s for thread in threads(pid)}
    most = most_at_once(tunable, inter_op)
    busy = [
        one.name
        for one in threads(pid)
        if one.cpu_s > before.get(one.thread_id, 0) + WORK_S and one.name.startswith("tf_Compute")
    ]
    assert len(set(busy)) == 1, "operations ran in more than one pool"
    assert len(busy) <= inter_op
    assert most == inter_op


def test_what_is_reported_is_what_the_process_has(tunable: ServerProcess) -> None:
    report = ask(admin(tunable), command="configure", inter_op_parallelism=4)[0]
    names = count_by_name(tunable.process.pid)
    assert report["intra_op_threads"] == names["tf_intra_op"] == 3
    assert report["inter_op_threads"] == names["tf_Compute2"] == 4  # pools: 0 (the default), 1, 4
    assert names["tf_Compute1"] == 1
    assert names["tf_Compute0"] == len(os.sched_getaffinity(0))


def test_intra_op_threads_share_one_operation(tunable: ServerProcess) -> None:
    pid = tunable.process.pid
    before = {thread.thread_id: thread.cpu_s for thread in threads(pid)}
    for _ in range(5):
        tunable.predict("tf2", {"size": np.array([10_000_000], np.int32)}, "wide")
    used = [
        thread.cpu_s - before[thread.thread_id] for thread in threads(pid) if thread.name == "tf_intra_op"
    ]
    assert sum(second > WORK_S for second in used) >= 2


def test_a_choice_that_was_not_given_at_the_start_is_refused(tunable: ServerProcess) -> None:
    before = ask(admin(tunable), command="report")
    for wrong, says in (
        ({"request_parallelism": 3}, r"\(3, 1, 0\)"),
        ({"inter_op_parallelism": 2}, "inter_op_parallelism=2"),
        ({"intra_op_parallelism": 2}, "intra_op_parallelism"),
        ({"model": "nobody"}, "nobody"),
        ({"zz": 1}, "zz is not a key of configure, choose from"),
        ({"batching": {"threads": 1}}, "batching lacks size"),
        ({"batching": []}, r"batching=\[\], expected a JSON object"),
        ({"request_parallelism": "2"}, "request_parallelism='2', expected an integer"),
    ):
        with pytest.raises(UsageError, match=says):
            ask(admin(tunable), command="configure", **wrong)
    with pytest.raises(UsageError, match="choose from"):
        ask(admin(tunable), command="reset")
    assert ask(admin(tunable), command="report") == before


def test_switching_under_load_loses_nothing(tunable: ServerProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(burn, tunable, 4, 100, 20)
        switches = 0
        while not load.done():
            ask(
                admin(tunable),
                command="configure",
                request_parallelism=(1, 2, 4, 0)[switches % 4],
                inter_op_parallelism=(1, 4)[switches // 4 % 2],
            )
            switches += 1
        assert len(load.result()) == 100
    assert switches > 8


def test_overload_is_refused_at_the_queue_limit_and_passes(tunable: ServerProcess) -> None:
    ask(admin(tunable), command="configure", request_parallelism=1, inter_op_parallelism=1)

    def attempt(_: int) -> grpc.StatusCode:
        try:
            burn(tunable, 1, 1, 5 * BUSY_STEPS)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    with ThreadPoolExecutor(30) as clients:
        codes = list(clients.map(attempt, range(30)))
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes.count(grpc.StatusCode.OK) >= 6  # one in service, five waiting
    assert attempt(0) is grpc.StatusCode.OK
    assert ask(admin(tunable), command="report")[0]["in_flight"] == 0


def test_the_admin_socket_is_its_owners(tunable: ServerProcess) -> None:
    assert Path(admin(tunable)).stat().st_mode & 0o077 == 0


def test_requests_share_batches(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "batching").write_text(
        "max_batch_size { value: 4 } batch_timeout_micros { value: 10000000 } num_batch_threads { value: 2 }"
        " max_enqueued_batches { value: 10 } allowed_batch_sizes: 2 allowed_batch_sizes: 4"
    )
    (tmp_path / "monitoring").write_text('prometheus_config { enable: true path: "/numbers" }')
    flags = (
        "--model_name=tf2",
        f"--model_base_path={exported / 'tf2'}",
        "--enable_batching=true",
        f"--batching_parameters_file={tmp_path / 'batching'}",
        f"--monitoring_config_file={tmp_path / 'monitoring'}",
        "--rest_api_timeout_in_ms=500",
        "--tensorflow_session_parallelism=1",
    )
    with running_server(tmp_path, *flags) as server:

        def rows(number: float) -> float:
            return float(server.predict("tf2", {"x": np.array([number], np.float32)}, "rows")["rows"][0])

        with ThreadPoolExecutor(8) as clients:  # the timeout is long, so only full batches leave
            assert list(clients.map(rows, range(8))) == [4] * 8
        assert server.rest("/v1/models/tf2:predict", {"signature_name": "rows", "instances": [1.0]})[0] == 504
        large = predict_request("tf2", {"x": np.zeros(5, np.float32)}, "rows")
        with pytest.raises(grpc.RpcError) as caught:
            server.prediction.Predict(large, CALL_TIMEOUT_S)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert ":testbed:batch_size" in server_text(server, "/numbers")


def server_text(server: ServerProcess, path: str) -> str:
    import urllib.request

    with urllib.request.urlopen(
        f"http://127.0.0.1:{server.rest_port}{path}", timeout=CALL_TIMEOUT_S
    ) as response:
        return response.read().decode()
