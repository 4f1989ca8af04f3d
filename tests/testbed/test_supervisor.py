"""The supervisor with real servers: what changes in place, what is forked, and that no request is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from saved_models import dense
from server_process import CALL_TIMEOUT_S, ROOT, environment, gone, predict_request, wait_until_gone

from serving.errors import UsageError
from testbed.local_server import LocalServer
from testbed.supervisor import LocalSupervisor
from testbed.zygote import Zygote

X = np.ones((2, 4), np.float32)
CHOICES = ("--request_choices=1,2,8", "--inter_op_choices=1,2")


def cpu(request: int, inter: int, intra: int) -> dict[str, int]:
    return {
        "request_parallelism": request,
        "inter_op_parallelism": inter,
        "intra_op_parallelism": intra,
    }


def flags(exported: Path) -> list[str]:
    return ["--model_name=tf2", f"--model_base_path={exported / 'tf2'}", *CHOICES]


@pytest.fixture(scope="module")
def supervisor(exported: Path) -> Iterator[LocalSupervisor]:
    with LocalSupervisor(flags(exported), warm=2) as one:
        yield one


def predict(address: str) -> Any:
    """One request on a connection of its own."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        return call(predict_request("tf2", {"x": X}).SerializeToString(), CALL_TIMEOUT_S)


def answer(address: str) -> np.ndarray:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    return tf.make_ndarray(PredictResponse.FromString(predict(address)).outputs["y"])


def test_a_server_that_is_killed_while_it_starts_is_started_once_more(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, killed = LocalServer.wait_until_ready, []

    def wait_or_kill(server: LocalServer, timeout_s: float = 120.0) -> None:
        if len(killed) < deaths:
            os.kill(server.pid, signal.SIGKILL)
            killed.append(server.pid)
        wait(server, timeout_s)

    monkeypatch.setattr(LocalServer, "wait_until_ready", wait_or_kill)
    for deaths in (1, 2):
        killed.clear()
        with LocalSupervisor(flags(exported), warm=1) as one:
            if deaths == 1:
                (address,) = one.apply(cpu(1, 1, 1))
                np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)
            else:
                with pytest.raises(OSError, match="ended by SIGKILL at its start"):
                    one.apply(cpu(1, 1, 1))


def test_what_is_asked_for_is_what_the_server_runs_with(supervisor: LocalSupervisor) -> None:
    for request, inter, intra in [(1, 1, 1), (8, 2, 1), (2, 1, 2)]:
        (address,) = supervisor.apply(cpu(request, inter, intra))
        (model,) = supervisor.report()
        assert model["plan"]["threads"] == request
        assert model["inter_op_threads"] == inter
        assert model["intra_op_threads"] == intra
        np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)


def test_only_another_intra_op_value_needs_another_process_and_a_warm_one_is_used_again(supervisor):
    supervisor.apply(cpu(1, 1, 1))
    (first,) = supervisor.process_ids
    supervisor.apply(cpu(2, 2, 1))
    assert supervisor.process_ids == (first,)
    supervisor.apply(cpu(2, 2, 2))
    (second,) = supervisor.process_ids
    supervisor.retire()
    supervisor.apply(cpu(2, 2, 1))
    assert supervisor.process_ids == (first,)
    supervisor.apply(cpu(2, 2, 3))  # the third value: the second is retired
    supervisor.retire()
    wait_until_gone(second)
    assert not gone(first)


def test_no_request_is_lost_over_changes_under_load(supervisor: LocalSupervisor) -> None:
    failures: list[Exception] = []
    answered = [0]
    done = threading.Event()
    supervisor.apply(cpu(2, 2, 1))

    def keep_asking() -> None:
        while not done.is_set():
            try:
                predict(supervisor.addresses[0])
                answered[0] += 1
            except Exception as error:
                failures.append(error)

    clients = [threading.Thread(target=keep_asking) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for number in range(15):
            supervisor.apply(cpu((1, 2, 8)[number % 3], 1 + number % 2, 1 + number % 4 % 3))
            time.sleep(0.05)
            supervisor.retire()
    finally:
        done.set()
        for client in clients:
            client.join()
    assert failures == []
    assert answered[0] > 15


def test_a_server_that_was_killed_is_replaced(supervisor: LocalSupervisor) -> None:
    supervisor.apply(cpu(1, 1, 1))
    (before,) = supervisor.process_ids
    os.kill(before, signal.SIGKILL)
    wait_until_gone(before)
    (address,) = supervisor.apply(cpu(1, 1, 1))
    assert supervisor.process_ids != (before,)
    np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)


def test_a_value_it_was_not_started_with_is_refused_and_the_server_goes_on(supervisor):
    (address,) = supervisor.apply(cpu(1, 1, 1))
    with pytest.raises(UsageError, match="inter_op_parallelism=7, this server was started with"):
        supervisor.apply(cpu(1, 7, 1))
    with pytest.raises(UsageError, match=r"knobs \['speed'\], expected"):
        supervisor.apply({"speed": 1})
    assert supervisor.addresses == (address,)
    np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)


def test_several_servers_under_one_configuration_and_the_batching_knobs(exported: Path) -> None:
    with LocalSupervisor(flags(exported)[:2], servers=2, warm=1) as supervisor:
        addresses = supervisor.apply({"batch_threads": 2, "batch_size": 8, "batch_timeout_us": 500})
        assert len(set(addresses)) == 2
        for model in supervisor.report():
            assert (model["plan"]["threads"], model["plan"]["size"], model["plan"]["timeout_us"]) == (
                2,
                8,
                500,
            )
        for address in addresses:
            np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)
        before = supervisor.process_ids
        supervisor.apply({"batch_threads": 1, "batch_size": 4, "batch_timeout_us": 0})
        supervisor.retire()
        wait_until_gone(*before)
        supervisor.apply({"batch_threads": 0, "batch_size": 0, "batch_timeout_us": 0})
        assert {model["plan"]["size"] for model in supervisor.report()} == {1}  # batching is off
        last = supervisor.process_ids
    wait_until_gone(*last)
    supervisor.close()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"this is no model")
    with LocalSupervisor([f"--model_base_path={tmp_path / 'model'}", *CHOICES]) as supervisor:
        with pytest.raises(UsageError, match=r"ended with code 1 at its start: .*cannot be loaded"):
            supervisor.apply(cpu(1, 1, 1))
        assert supervisor.addresses == ()


def test_nothing_is_left_when_the_caller_is_killed(exported: Path) -> None:
    script = (
        "import sys, time\n"
        "from testbed.supervisor import LocalSupervisor\n"
        "supervisor = LocalSupervisor(sys.argv[1:])\n"
        "supervisor.apply(dict(request_parallelism=1, inter_op_parallelism=1, intra_op_parallelism=1))\n"
        "print(supervisor._zygote._process.pid, *supervisor.process_ids, flush=True)\n"
        "time.sleep(600)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script, *flags(exported)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert caller.stdout
    pids = [int(word) for word in caller.stdout.readline().split()]
    caller.kill()
    caller.wait()
    caller.stdout.close()
    assert len(pids) == 2
    wait_until_gone(*pids)


def test_a_zygote_that_is_gone_is_an_error_not_a_hang(tmp_path: Path) -> None:
    zygote = Zygote(tmp_path / "zygote.log")
    zygote._process.kill()
    zygote._process.wait()
    with pytest.raises(OSError, match="the process that starts servers has ended"):
        zygote.start(["--help"], tmp_path / "log")
    zygote.close()
