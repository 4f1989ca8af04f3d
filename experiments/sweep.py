"""Sweeps that survive: ``python -m experiments.run --multirun ...`` under any of hydra's launchers.

A run that fails is noted and the others go on; at the end the failed ones are listed. What finished stays:
after an interruption, or a kill, the same command goes on from there.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from experiments.arguments import INTERRUPTED
from experiments.cli import explain, is_usage
from experiments.failures import forget_failure
from experiments.interruption import Interruption
from experiments.leftovers import is_abandoned, is_running, make_owned, remove_abandoned, this_host
from experiments.sweep_job import ALONE, note_failure
from experiments.sweep_line import LiveLine, duration
from experiments.sweep_settings import compose_seeds_together
from experiments.sweep_status import (
    DONE,
    FAILED,
    LOST,
    RUNNING,
    SKIPPED,
    JobStatus,
    count_states,
    read_states,
)
from experiments.sweep_worker import joblib_workers_follow

_FOLDER = "hydra.sweep.dir="
_FLAGS = ("-m", "--multirun")
_SWEEPS = "results/sweeps"
_CHANCES = 2  # for a run whose process is killed, perhaps because of another one
_DYING_S = 10.0  # that processes get to go away


def asks_for_sweep(arguments: Sequence[str]) -> bool:
    """Whether hydra will make a sweep of these command-line arguments."""
    return any(argument in (*_FLAGS, "hydra.mode=MULTIRUN") for argument in arguments)


def drive_sweep(program: Callable[[], Any]) -> int:
    """Call hydra's program and say at the end what became of the runs; returns the exit code.

    0: every run is there; 1: some failed; 2: all of it was wrong usage; 130: it was interrupted.
    """
    with Interruption() as interruption:
        return _drive(program, interruption)


def _drive(program: Callable[[], Any], interruption: Interruption) -> int:
    started_s = time.monotonic()
    compose_seeds_together()
    sweep = _new_folder()
    flags = [one for one in sys.argv[1:] if one in _FLAGS]  # hydra reads what follows them alone
    others = [one for one in sys.argv[1:] if one not in _FLAGS]
    sys.argv[1:] = [*flags, *others, f"{_FOLDER}{_quoted(sweep)}"]
    try:
        with interruption.heard(), joblib_workers_follow(), LiveLine(sweep, sys.stderr):
            _launch(program, sweep, interruption)
    except KeyboardInterrupt:
        print(_interrupted(sweep), file=sys.stderr)
        _clean_up(sweep)
        return INTERRUPTED
    except SystemExit:  # the command line cannot be read
        shutil.rmtree(sweep)
        raise
    except Exception as error:
        if is_usage(error):
            shutil.rmtree(sweep)
            raise
        (sweep / "launcher.txt").write_text(traceback.format_exc())
        print(f"the launcher stopped: {explain(error, [])} ({sweep / 'launcher.txt'})", file=sys.stderr)
        _note_lost(sweep, chances=1)
        code = max(1, _report(sweep, started_s))
    else:
        code = _report(sweep, started_s)
    _clean_up(sweep, keep=code == 1)
    return code


def _new_folder() -> Path:
    """A folder for this sweep alone, beside those of others; those of killed sweeps go away."""
    asked = [one.removeprefix(_FOLDER).strip("'\"") for one in sys.argv if one.startswith(_FOLDER)]
    parent = Path(asked[-1] if asked else _SWEEPS).resolve()
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob("sweep.*"):
        if is_abandoned(old) and not (old / ".submitit").exists():  # those may be queued still
            shutil.rmtree(old, ignore_errors=True)
    return make_owned(parent, "sweep")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "\\'") + "'"


def _launch(program: Callable[[], Any], sweep: Path, interruption: Interruption) -> None:
    """Launch; when a worker of this machine was killed, launch again what is not settled."""
    while True:
        try:
            program()
        except BrokenProcessPool:
            interruption.check()  # Ctrl-C reaches workers, too
            lost = _note_lost(sweep)
            if not lost:
                raise
            print(f"a worker was killed (out of memory?), {lost} runs in flight were lost", file=sys.stderr)
        else:
            return


def _note_lost(sweep: Path, chances: int = _CHANCES) -> int:
    """Give the runs whose process was killed another chance, or give them up; how many there were."""
    _wait_for_ends(sweep)
    running = read_states(sweep, RUNNING)
    lost = [noted for noted in running if noted["host"] == this_host() and not is_running(noted["pid"])]
    for noted in lost:
        status = JobStatus.of(sweep, noted)
        deaths = noted.get("deaths", 0) + (not noted.get("innocent", False))
        status.set(LOST, deaths=deaths)
        if deaths >= chances:
            times = " twice" if deaths > 1 else ""
            note_failure(status, f"its process was killed{times} (out of memory?)")
    (sweep / ALONE).unlink(missing_ok=True)
    return len(lost)


def _wait_for_ends(sweep: Path) -> None:
    """Wait until no process of this machine makes a run of the sweep, this one aside."""
    end_s = time.monotonic() + _DYING_S
    pids = {noted["pid"] for noted in read_states(sweep, RUNNING) if noted["host"] == this_host()}
    while time.monotonic() < end_s and any(is_running(pid) for pid in pids - {os.getpid()}):
        time.sleep(0.05)


def _interrupted(sweep: Path) -> str:
    counts = count_states(sweep)
    done, failed = counts[DONE] + counts[SKIPPED], counts[FAILED]
    return (
        f"interrupted: {done} runs done" + (f", {failed} failed" if failed else "") + "; "
        "the same command goes on from here"
    )


def _report(sweep: Path, started_s: float) -> int:
    """Print what became of the runs; returns the exit code."""
    counts, failed = count_states(sweep), read_states(sweep, FAILED)
    if not counts:
        return 0
    missing = read_states(sweep, RUNNING) + read_states(sweep, LOST)
    if failed and len(failed) == sum(counts.values()) and all(noted["usage"] for noted in failed):
        print(*dict.fromkeys(noted["reason"] for noted in failed), sep="\n", file=sys.stderr)
        for noted in failed:
            if "folder" in noted:
                forget_failure(Path(noted["folder"]), noted["config"])
        return 2
    states = [f"{counts[state]} {state}" for state in (DONE, SKIPPED, FAILED) if counts[state]]
    states += [f"{len(missing)} not finished"] if missing else []
    took = duration(time.monotonic() - started_s)
    print(f"{sum(counts.values())} runs: {', '.join(states)}; {took}", file=sys.stderr)
    other = sum(bool(noted.get("other_code")) for noted in read_states(sweep, SKIPPED))
    if other:
        print(f"{other} of the skipped runs were made by other code; fresh=true redoes them", file=sys.stderr)
    for noted in failed:
        print(f"failed: {' '.join(noted['overrides'])}: {noted['reason']}", file=sys.stderr)
    for noted in missing:
        print(f"not finished: {' '.join(noted['overrides'])}", file=sys.stderr)
    return 1 if failed or missing else 0


def _clean_up(sweep: Path, keep: bool = False) -> None:
    """Remove what killed workers had begun, and the sweep's folder unless somebody may want to look."""
    _wait_for_ends(sweep)
    begun = [noted for state in (RUNNING, LOST, FAILED) for noted in read_states(sweep, state)]
    for parent in {Path(noted["folder"]).parent for noted in begun if "folder" in noted}:
        remove_abandoned(parent)
    if not keep:
        shutil.rmtree(sweep, ignore_errors=True)
