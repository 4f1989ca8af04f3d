"""Runs that a killed worker took along, one at a time."""

import multiprocessing
import os
import signal

from experiments.sweep_job import alone


def test_who_follows_a_run_that_was_killed_is_not_to_blame(tmp_path):
    def killed():
        with alone(tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)

    with alone(tmp_path) as ended_well:
        assert ended_well
    process = multiprocessing.get_context("fork").Process(target=killed)
    process.start()
    process.join(10)
    with alone(tmp_path) as ended_well:
        assert not ended_well
    with alone(tmp_path) as ended_well:
        assert ended_well
