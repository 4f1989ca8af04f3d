"""Runs that a killed worker took along, one at a time."""

import multiprocessing
import os
import signal

from joblib import Parallel, delayed

from experiments.sweep_job import alone
from experiments.sweep_worker import joblib_workers_follow


def test_joblib_hands_out_one_run_at_a_time_however_quick_they_are():
    with joblib_workers_follow():
        parallel = Parallel(n_jobs=2, backend="loky")
        assert parallel(delayed(abs)(-number) for number in range(200)) == list(range(200))
        assert parallel._backend.compute_batch_size() == 1


def test_a_table_is_computed_in_parallel_inside_a_sweeps_own_process_too():
    with joblib_workers_follow(), joblib_workers_follow():
        parallel = Parallel(n_jobs=2, backend="loky")
        assert os.getpid() not in parallel(delayed(os.getpid)() for _ in range(3))


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
