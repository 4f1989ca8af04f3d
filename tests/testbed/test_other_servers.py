"""Servers that are not ours to fork: an executable with TensorFlow Serving's flags, servers of others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from saved_models import dense
from server_process import (
    CALL_TIMEOUT_S,
    ROOT,
    ServerProcess,
    free_port,
    predict_request,
    running_server,
    wait_until_gone,
)

from serving.configuration import ConfigurationSpace, batching_space, parallelism_space
from serving.errors import UsageError
from testbed.remote_supervisor import RemoteSupervisor
from testbed.server.admin import ask
from testbed.supervisor import LocalSupervisor

X = np.ones((2, 4), np.float32)


def cpu(request: int, inter: int, intra: int) -> dict[str, int]:
    return {"request_parallelism": request, "inter_op_parallelism": inter, "intra_op_parallelism": intra}


def answer(address: str) -> np.ndarray:
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        content = call(predict_request("tf2", {"x": X}).SerializeToString(), CALL_TIMEOUT_S)
    return tf.make_ndarray(PredictResponse.FromString(content).outputs["y"])


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """Our server as an executable that takes only flags, and an admin socket to look at it."""
    program = tmp_path / "tensorflow_model_server"
    program.write_text(
        "#!/bin/sh\n"
        "unset PYTHONDONTWRITEBYTECODE\n"
        f'echo "$@" >> {tmp_path}/flags\n'
        f"cd {ROOT}\n"
        f'exec {sys.executable} -m testbed.server "$@" --admin_socket_path={tmp_path}/admin-$$\n'
    )
    program.chmod(0o755)
    return program


def test_an_executable_is_started_anew_for_every_configuration(exported: Path, binary: Path) -> None:
    flags = ["--model_name=tf2", f"--model_base_path={exported / 'tf2'}"]
    with LocalSupervisor(flags, warm=1, binary=str(binary)) as supervisor:
        (first,) = supervisor.apply(cpu(2, 1, 1))
        (pid,) = supervisor.process_ids
        (model,) = ask(str(binary.with_name(f"admin-{pid}")), command="report")
        assert (model["plan"]["threads"], model["plan"]["size"]) == (2, 1)
        assert (model["inter_op_threads"], model["intra_op_threads"]) == (1, 1)
        np.testing.assert_allclose(answer(first), dense(X), rtol=1e-6)
        (second,) = supervisor.apply(cpu(0, 1, 1))
        np.testing.assert_allclose(answer(first), dense(X), rtol=1e-6)  # until it is retired
        np.testing.assert_allclose(answer(second), dense(X), rtol=1e-6)
        supervisor.retire()
        wait_until_gone(pid)
        assert supervisor.process_ids != (pid,)
        last = supervisor.process_ids
    wait_until_gone(*last)
    batched, unbatched = (binary.parent / "flags").read_text().splitlines()
    assert "--enable_batching" in batched
    assert "--enable_batching" not in unbatched


def test_an_executable_that_is_nowhere_is_refused(exported: Path) -> None:
    with pytest.raises(UsageError, match="binary=no_such_server, expected an executable"):
        LocalSupervisor(["--model_name=tf2"], binary="no_such_server")


@pytest.fixture(scope="module")
def others(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, str]]:
    """A server on a port, run by somebody else, with the path of its admin socket."""
    folder = tmp_path_factory.mktemp("others")
    admin = str(folder / "admin.sock")
    flags = (
        "--model_name=tf2", f"--model_base_path={exported / 'tf2'}", "--request_choices=1,2",
        "--inter_op_choices=1,2", "--tensorflow_intra_op_parallelism=1", f"--admin_socket_path={admin}",
    )  # fmt: skip
    with running_server(folder, *flags) as server:
        yield server, admin


def remote(server: ServerProcess, space: ConfigurationSpace, **settings: Any) -> RemoteSupervisor:
    return RemoteSupervisor([f"127.0.0.1:{server.port}"], "tf2", space, **settings)


def test_servers_of_others_are_used_as_they_are(others: tuple[ServerProcess, str]) -> None:
    server, _ = others
    supervisor = remote(server, parallelism_space([1], [1], [1]))
    (address,) = supervisor.apply(cpu(1, 1, 1))
    np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)
    with pytest.raises(UsageError):
        supervisor.apply(cpu(2, 1, 1))
    supervisor.close()
    np.testing.assert_allclose(answer(address), dense(X), rtol=1e-6)


def test_a_knob_that_cannot_be_set_there_has_one_value(others: tuple[ServerProcess, str]) -> None:
    server, admin = others
    with pytest.raises(UsageError, match=r"request_parallelism=\[1, 2\], expected the one value"):
        remote(server, parallelism_space([1, 2], [1], [1]))
    with pytest.raises(UsageError, match=r"intra_op_parallelism=\[1, 2\], expected the one value"):
        remote(server, parallelism_space([1, 2], [1], [1, 2]), admin_sockets=[admin])
    with pytest.raises(UsageError, match=r"batch_size=\[1, 8\], expected the one value"):
        remote(server, batching_space([2], [1, 8], [0]), admin_sockets=[admin])


def test_with_admin_sockets_what_changes_in_place_is_changed(others: tuple[ServerProcess, str]) -> None:
    server, admin = others
    supervisor = remote(server, parallelism_space([1, 2], [1, 2], [1]), admin_sockets=[admin])
    for request, inter in [(2, 2), (1, 1)]:
        supervisor.apply(cpu(request, inter, 1))
        (model,) = ask(admin, command="report")
        assert (model["plan"]["threads"], model["inter_op_threads"]) == (request, inter)
    wrong = remote(server, parallelism_space([1], [1], [4]), admin_sockets=[admin])
    with pytest.raises(UsageError, match=r"intra_op_parallelism=4, but .* runs with 1"):
        wrong.apply(cpu(1, 1, 4))


def test_nobody_at_the_address_or_not_with_this_model(others: tuple[ServerProcess, str]) -> None:
    server, admin = others
    space = parallelism_space([1], [1], [1])
    with pytest.raises(UsageError, match="nobody there serves tf2"):
        RemoteSupervisor([f"127.0.0.1:{free_port()}"], "tf2", space)
    with pytest.raises(UsageError, match="nobody there serves other"):
        RemoteSupervisor([f"127.0.0.1:{server.port}"], "other", space)
    with pytest.raises(UsageError, match="expected one for each of addresses"):
        remote(server, space, admin_sockets=[admin, admin])
