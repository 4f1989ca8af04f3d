"""Versions come and go while the server serves."""

from __future__ import annotations

import ctypes
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from saved_models import dense
from server_process import CALL_TIMEOUT_S, ServerProcess, running_server

X = np.ones((1, 4), np.float32)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CALL_TIMEOUT_S
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


@pytest.fixture
def extra(server: ServerProcess, exported: Path, tmp_path: Path) -> Iterator[Path]:
    """The base path of one more model, put into the config file of the running server."""
    config = server.log.parent / "models.config"
    before = config.read_text()
    shutil.copytree(exported / "tf2" / "1", tmp_path / "extra" / "1")
    config.write_text(
        before.replace(
            "model_config_list {",
            f"model_config_list {{ config {{ name: 'extra' base_path: '{tmp_path}/extra' }}",
        )
    )
    wait_for(lambda: states(server) == {1: "AVAILABLE"})
    yield tmp_path / "extra"
    config.write_text("this is no configuration")
    time.sleep(1.5)
    assert server.predict("extra", {"x": X})
    config.write_text(before)
    wait_for(lambda: states(server) == {1: "END", 2: "END", 3: "END"})
    with pytest.raises(grpc.RpcError) as caught:
        server.predict("extra", {"x": X})
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def states(server: ServerProcess) -> dict[int, str]:
    status, answer = server.rest("/v1/models/extra")
    if status == 404:
        return {}
    return {int(one["version"]): one["state"] for one in answer["model_version_status"]}


def add_version(base: Path, number: int) -> None:
    shutil.copytree(base / "1", base / "copying")
    (base / "copying").rename(base / str(number))


def test_versions_are_followed_and_none_is_missing_in_between(server: ServerProcess, extra: Path) -> None:
    failures: list[Exception] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.wait(0.02):
            try:
                np.testing.assert_allclose(server.predict("extra", {"x": X})["y"], dense(X), rtol=1e-6)
            except Exception as error:
                failures.append(error)

    client = threading.Thread(target=keep_asking)
    client.start()
    try:
        add_version(extra, 2)
        wait_for(lambda: states(server) == {1: "END", 2: "AVAILABLE"})
        (extra / "3").mkdir()
        (extra / "3" / "saved_model.pb").write_bytes(b"this is no model")
        wait_for(lambda: states(server) == {1: "END", 2: "AVAILABLE", 3: "END"})
        broken = server.rest("/v1/models/extra/versions/3")[1]["model_version_status"][0]["status"]
        assert broken["error_code"] != "OK"
        assert broken["error_message"]
        time.sleep(0.3)
    finally:
        done.set()
        client.join()
    assert failures == []


def test_a_server_told_to_stop_finishes_what_it_has_begun(exported: Path, tmp_path: Path) -> None:
    flags = ("--model_name=tf2", f"--model_base_path={exported / 'tf2'}", "--request_choices=1")
    with running_server(tmp_path, *flags) as server:
        answers = []
        steps = np.array([2000], np.int32)
        client = threading.Thread(
            target=lambda: answers.append(server.predict("tf2", {"steps": steps}, "burn"))
        )
        client.start()
        wait_for(lambda: 'requests_in_flight{model_name="tf2",version="1"} 1' in server_metrics(server))
        server.process.terminate()
        client.join(CALL_TIMEOUT_S)
        assert len(answers) == 1
        assert server.process.wait(CALL_TIMEOUT_S) == 0
        assert "Traceback" not in server.log.read_text()


def test_a_signal_that_reaches_another_thread_stops_the_server_too(exported: Path, tmp_path: Path) -> None:
    with running_server(tmp_path, "--model_name=tf2", f"--model_base_path={exported / 'tf2'}") as server:
        number = server.process.pid
        others = [int(task.name) for task in Path(f"/proc/{number}/task").iterdir()]
        others.remove(number)
        send = ctypes.CDLL(None).tgkill
        assert any(
            send(number, other, signal.SIGTERM) == 0 for other in others
        )  # a thread may just have ended
        assert server.process.wait(CALL_TIMEOUT_S) == 0


def server_metrics(server: ServerProcess) -> str:
    import urllib.request

    url = f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=CALL_TIMEOUT_S) as response:
        return response.read().decode()
