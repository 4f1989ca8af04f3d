"""Replay through a real Locust against a real gRPC server that does as it is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from server_process import CALL_TIMEOUT_S, ROOT, environment, wait_until_gone

from serving.errors import UsageError
from testbed.replay import Answers, Replay
from testbed.replay_protocol import CLOSED_LOOP, FAILED, OK, REFUSED, TIMED_OUT

KINDS = [b"at once", b"sleep:0.3", b"refuse", b"fail", b"sleep:5"]
AT_ONCE, SLOWLY, REFUSE, FAIL, TOO_SLOWLY = range(len(KINDS))


@contextmanager
def server(path: Path) -> Iterator[str]:
    address = f"unix:{path}"
    command = [sys.executable, "-m", "testbed.noop_server", address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), cwd=ROOT)
    try:
        assert process.stdout
        assert process.stdout.readline()
        yield address
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("noop") / "grpc.sock") as one:
        yield one


@pytest.fixture(scope="module")
def replay(address: str) -> Iterator[Replay]:
    with Replay(KINDS, timeout_s=2.0) as one:
        one.send_to([address])
        yield one


def collect(replay: Replay, count: int) -> Answers:
    """All answers, however many looks it takes."""
    deadline = time.monotonic() + CALL_TIMEOUT_S
    parts = [replay.collect()]
    while sum(len(part.number) for part in parts) < count:
        assert time.monotonic() < deadline, f"{parts} of {count}"
        time.sleep(0.05)
        parts.append(replay.collect())
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("number", "lateness_s", "latency_s", "outcome")
    ]
    return Answers(*columns, parts[-1].waiting, sum(part.network_bytes for part in parts))


def at_once(count: int) -> np.ndarray:
    return np.full(count, AT_ONCE)


def test_every_request_is_sent_when_it_is_due_and_answered_once(replay: Replay) -> None:
    offset_s = np.sort(np.random.default_rng(1).uniform(0, 1.0, 60))
    begin_s, number = replay.begin(offset_s, at_once(60))
    answers = collect(replay, 60)
    assert sorted(answers.number) == list(number)
    assert (answers.outcome == OK).all()
    assert answers.waiting == 0
    assert (answers.lateness_s >= -1e-3).all()
    # In order of completion: the moments of the answers, from the due times and the latencies, ascend.
    answered_s = begin_s + offset_s[answers.number - number[0]] + answers.latency_s
    assert (np.diff(answered_s) > -1e-3).all()


def test_the_load_is_open_slow_answers_delay_no_request(replay: Replay) -> None:
    replay.begin(np.zeros(20), np.full(20, SLOWLY))
    answers = collect(replay, 20)
    # One after the other would take 20 x 0.3 s; latency counts from the moment a request was due.
    assert answers.latency_s.min() >= 0.3
    assert answers.latency_s.max() < 3.0
    assert (answers.latency_s >= answers.lateness_s).all()


def test_refusals_errors_and_time_outs_are_told_apart(replay: Replay) -> None:
    _, number = replay.begin(np.zeros(5), np.array([AT_ONCE, SLOWLY, REFUSE, FAIL, TOO_SLOWLY]))
    time.sleep(1.2)
    early = replay.collect()
    assert early.waiting == 1
    late = collect(replay, 1)
    outcomes = dict(zip(early.number, early.outcome, strict=True)) | {late.number[0]: late.outcome[0]}
    assert [outcomes[one] for one in number] == [OK, OK, REFUSED, FAILED, TIMED_OUT]
    assert 2.0 <= late.latency_s[0] < 4.0


def test_answers_of_the_server_before_still_count_and_a_dead_one_refuses(replay, address, tmp_path) -> None:
    with server(tmp_path / "other.sock") as other:
        replay.send_to([other])
        replay.begin(np.zeros(4), np.full(4, SLOWLY))
        time.sleep(0.15)
        replay.send_to([address])
        replay.begin(np.zeros(4), at_once(4))
        assert (collect(replay, 8).outcome == OK).all()
    replay.send_to([other])
    replay.begin(np.zeros(2), at_once(2))
    assert (collect(replay, 2).outcome == REFUSED).all()
    replay.send_to([address])


def test_several_workers_share_the_requests_and_several_servers_get_their_part(address, tmp_path) -> None:
    with server(tmp_path / "second.sock") as second, Replay(KINDS, workers=2) as replay:
        replay.send_to([address, second])
        _, number = replay.begin(np.linspace(0, 0.5, 40), at_once(40))
        answers = collect(replay, 40)
        assert sorted(answers.number) == list(number)
        assert (answers.outcome == OK).all()
        first = psutil.Process(replay.process_id)
        senders = first.children(recursive=True)
        assert len(senders) == 2
    wait_until_gone(first.pid, *(sender.pid for sender in senders))


@pytest.mark.parametrize("dispatch", ["random", "least_loaded", "round_robin"])
def test_every_policy_reaches_every_server_that_is_free(address, tmp_path, dispatch) -> None:
    # The second address is nobody's: whoever is sent there is refused.
    with Replay(KINDS, dispatch=dispatch) as replay:
        replay.send_to([address, f"unix:{tmp_path / 'nobody.sock'}"])
        replay.begin(np.linspace(0, 0.5, 30), at_once(30))
        outcome = collect(replay, 30).outcome
        assert set(outcome) == {OK, REFUSED}


def test_nothing_is_left_when_the_driver_hangs_up(address: str) -> None:
    replay = Replay(KINDS)
    first = psutil.Process(replay.process_id)
    replay._stream.close()  # as the system does for a driver that is killed
    assert first.wait(CALL_TIMEOUT_S) is not None or not first.is_running()
    replay.close()


def test_a_locust_that_has_died_is_an_error_not_a_hang(address: str) -> None:
    with Replay(KINDS) as replay:
        process = psutil.Process(replay.process_id)
        process.kill()
        process.wait()
        with pytest.raises(OSError, match="Locust has ended"):
            replay.collect()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "workers=0, expected an integer >= 1"),
        ({"timeout_s": 0}, "timeout_s=0, expected a number > 0"),
        ({"dispatch": "fair"}, "system.dispatch='fair', choose from"),
    ],
)
def test_bad_settings_are_one_line(settings, message) -> None:
    with pytest.raises(UsageError, match=message):
        Replay(KINDS, **settings)


def test_clients_of_a_closed_loop_ask_again_when_they_are_answered_until_their_time_is_over(
    replay: Replay,
) -> None:
    sleeping = np.array([KINDS.index(b"sleep:0.3")])
    replay.collect()
    begin_s = replay.closed_loop(2, 1.0, sleeping)
    time.sleep(max(0.0, begin_s + 1.0 - time.time()))
    answers = replay.collect()
    assert (answers.number == CLOSED_LOOP).all()
    assert len(answers.number) == 2 * 3
    assert answers.waiting == 2
    assert (answers.outcome == OK).all()
    later = collect(replay, 2)
    assert later.waiting == 0
    time.sleep(0.5)
    assert len(replay.collect().number) == 0
