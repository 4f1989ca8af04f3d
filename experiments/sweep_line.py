"""The live line of a sweep: runs done, running, failed and skipped, and the time left.

It is drawn by the process that started the sweep, from the files that the runs leave (``sweep_status``): on
a terminal every second in place, elsewhere as a new line every minute.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from omegaconf import OmegaConf

from experiments.settings import jobs
from experiments.sweep_status import DONE, FAILED, LOST, RUNNING, SKIPPED, count_states

_TERMINAL_S, _FILE_S = 1.0, 60.0
_SHOWN = ((DONE, "done"), (RUNNING, "running"), (FAILED, "failed"), (SKIPPED, "skipped"), (LOST, "lost"))


def line(counts: Mapping[str, int], total: int | None, left_s: float | None) -> str:
    """The line, e.g. ``12 done, 2 running of 40 runs, about 1 min 20 s left``.

    Args:
        counts: runs by state.
        total: how many runs there are; None where that is not known.
        left_s: seconds that the rest will take; None where nothing is known yet.
    """
    states = ", ".join(f"{counts[state]} {word}" for state, word in _SHOWN if counts.get(state)) or "starting"
    of = "" if total is None else f" of {total} runs"
    return f"{states}{of}" + ("" if left_s is None else f", about {duration(left_s)} left")


def duration(seconds: float) -> str:
    """As people say it: ``40 s``, ``1 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    minutes = whole // 60
    if not minutes:
        return f"{whole} s"
    return f"{minutes} min {whole % 60} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@dataclass(frozen=True)
class Plan:
    """What a sweep is going to do.

    Attributes:
        total: number of runs; None where the sweeper decides as it goes.
        shown: whether a live line is wanted (``progress``).
    """

    total: int | None
    shown: bool


def read_plan(sweep: Path) -> Plan | None:
    """From the record that hydra's sweeper keeps of what it was asked for; None while that is not there."""
    try:
        asked: Any = OmegaConf.to_container(OmegaConf.load(sweep / "multirun.yaml"), resolve=False)
        sweeper, overrides = asked["hydra"]["sweeper"], asked["hydra"]["overrides"]["task"]
        params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    except Exception:
        return None  # not there yet, or half written
    try:
        total = len(jobs([*params, *overrides])) if "basic_sweeper" in sweeper["_target_"] else None
    except Exception:  # values that only the sweeper can list, such as glob(*)
        total = None
    return Plan(total, bool(asked.get("progress", True)))


class LiveLine(AbstractContextManager["LiveLine"]):
    """Draws the line in a thread of its own while the sweep goes on.

    Args:
        sweep: the sweep's folder.
        stream: where to, usually stderr.
        every_s: seconds between two lines; None: as suits the stream.
    """

    def __init__(self, sweep: Path, stream: TextIO, every_s: float | None = None) -> None:
        self._sweep = sweep
        self._stream = stream
        self._in_place = stream.isatty()
        self._every_s = every_s or (_TERMINAL_S if self._in_place else _FILE_S)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._draw_on, name="live line", daemon=True)
        self._first_run_s: float | None = None

    def __enter__(self) -> LiveLine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _draw_on(self) -> None:
        plan = None
        while not self._ended.wait(self._every_s):
            plan = plan or read_plan(self._sweep)
            if plan is not None and plan.shown:
                self._draw(plan.total)
        if self._in_place:
            self._write("\r\x1b[K")

    def _draw(self, total: int | None) -> None:
        counts = count_states(self._sweep)
        text = line(counts, total, self._left_s(counts, total))
        columns = shutil.get_terminal_size().columns - 1
        self._write(f"\r{text[:columns]}\x1b[K" if self._in_place else f"{text}\n")

    def _left_s(self, counts: Mapping[str, int], total: int | None) -> float | None:
        """At the pace since the first run began; runs that were finished before do not count."""
        executed = counts.get(DONE, 0) + counts.get(FAILED, 0)
        if self._first_run_s is None and (executed or counts.get(RUNNING)):
            self._first_run_s = time.monotonic() - self._every_s
        if total is None or not executed or self._first_run_s is None:
            return None
        rest = total - executed - counts.get(SKIPPED, 0)
        return rest * (time.monotonic() - self._first_run_s) / executed

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
