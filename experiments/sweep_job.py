"""One run of a sweep, wherever the launcher makes it: its failure is noted and ends nothing else."""

from __future__ import annotations

import fcntl
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from experiments.cli import explain, is_usage
from experiments.failures import Failure, write_failure
from experiments.records import other_revision
from experiments.sweep_status import DONE, FAILED, RUNNING, SKIPPED, JobStatus
from experiments.sweep_worker import prepare_worker
from serving.errors import UsageError

ALONE = "alone.lock"
Locate = Callable[[Path, dict[str, Any]], None]


def job_of_sweep(hydra: Any, run: Callable[[Locate], tuple[Path, bool]]) -> None:
    """Make a run and note what became of it in the sweep's folder.

    Args:
        hydra: hydra's own settings of this job.
        run: makes the run, telling before where its folder will be and what its settings are; returns the
            folder and whether anything was to do.
    """
    sweep = Path(hydra.sweep.dir)
    status = JobStatus(sweep, int(hydra.job.num), list(hydra.overrides.task))
    if status.settled:
        return  # the launcher was asked again
    prepare_worker(sweep)
    with alone(sweep) if status.was_lost else nullcontext(True) as fair:
        status.noted["innocent"] = not fair
        _make(hydra, status, run)


@contextmanager
def alone(sweep: Path) -> Iterator[bool]:
    """One at a time of the runs that a killed worker took along: one of them may be the cause.

    Yields whether the run before ended well. If its process was killed, this one's is about to be, too: the
    launcher ends them all, and this run is not to blame.
    """
    with (sweep / ALONE).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the end of the process frees it
        lock.seek(0)
        ended_well = lock.read() == ""
        lock.write("running")
        lock.flush()
        try:
            yield ended_well
        finally:
            lock.truncate(0)


def _make(hydra: Any, status: JobStatus, run: Callable[[Locate], tuple[Path, bool]]) -> None:
    status.set(RUNNING)

    def locate(folder: Path, plain: dict[str, Any]) -> None:
        _refuse_real_systems_at_once(plain, hydra.launcher)
        status.set(RUNNING, folder=str(folder.resolve()), config=plain)

    try:
        folder, made = run(locate)
        if not sys.stdout.isatty():  # there it would break into the live line
            print(folder, flush=True)
    except (Exception, SystemExit) as error:
        reason = explain(error, list(hydra.overrides.task))
        note_failure(status, reason, traceback.format_exc(), usage=is_usage(error))
    else:
        other_code = not made and other_revision(folder) is not None
        status.set(DONE if made else SKIPPED, other_code=other_code)


def note_failure(status: JobStatus, reason: str, trace: str = "", usage: bool = False) -> None:
    """Settle a run as failed, in the sweep's folder and beside the folder where its rows would be."""
    noted = status.noted
    if "folder" in noted:
        folder = Path(noted["folder"])
        write_failure(folder, Failure(folder.name, noted["overrides"], reason, noted["config"], trace))
    status.set(FAILED, reason=reason, usage=usage)


def _refuse_real_systems_at_once(plain: dict[str, Any], launcher: Any) -> None:
    if not str(plain["system"]["_target_"]).startswith("testbed."):
        return
    if "joblib" in launcher["_target_"] and launcher["n_jobs"] != 1:
        raise UsageError(
            "hydra/launcher=joblib: real servers on one machine would measure each other, "
            "expected hydra/launcher=basic (or experiments.interleave)"
        )
