"""Processes that make the runs of a sweep: they end with the process that started it, the driver."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from joblib.parallel import BACKENDS, register_parallel_backend
from tqdm import tqdm

from experiments.leftovers import is_running, owner, this_host
from experiments.sweep_settings import compose_seeds_together

_MOST_GROWTH_BYTES = 2 * 10**9


@contextmanager
def joblib_workers_follow() -> Iterator[None]:
    """What joblib starts in here ends with this process, from the worker's first moment on.

    And it gets one run at a time: after many that were finished before, a worker would otherwise be handed
    dozens at once, which may take minutes each. May be entered again inside.
    """
    plain = BACKENDS["loky"]

    def one_by_one(**options: Any) -> Any:
        backend = plain(**options | {"initializer": follow, "initargs": (os.getpid(),)})
        backend.compute_batch_size = lambda: 1
        return backend

    register_parallel_backend("loky", one_by_one)
    try:
        yield
    finally:
        register_parallel_backend("loky", plain)


@cache
def prepare_worker(sweep: Path) -> None:
    """What a process needs once for a sweep: no lock that outlives it, and an end with its driver."""
    loky = sys.modules.get("joblib.externals.loky.process_executor")
    if loky is not None:  # by default it takes TensorFlow's import for a leak and starts a new worker
        vars(loky)["_MAX_MEMORY_LEAK_SIZE"] = _MOST_GROWTH_BYTES
    compose_seeds_together()
    tqdm.set_lock(threading.RLock())  # by default also a semaphore, which a killed process leaves behind
    host, driver = owner(sweep) or ("", 0)
    ancestors = [process.pid for process in psutil.Process().parents()]
    if host == this_host() and driver in ancestors:  # not so where a cluster runs what it was handed
        follow(driver)


@cache
def follow(driver: int) -> None:
    """End this process when the driver is gone, and leave Ctrl-C to it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver ends it, without a traceback
    threading.Thread(target=_end_with, args=(driver,), name="watch", daemon=True).start()


def _end_with(driver: int) -> None:
    while is_running(driver):
        time.sleep(1)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(1)
