"""What became of every run of a sweep, as one small file each in the sweep's folder: ``<number>.<state>``.

The name says the state, so that counting is listing; the content says what, where, by whom and why. Files
work with every launcher: wherever a run is made, it sees the folder that results go to.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.leftovers import this_host

RUNNING, DONE, SKIPPED, FAILED = "running", "done", "skipped", "failed"
LOST = "lost"  # its process was killed; it gets a second chance
STATES = (RUNNING, DONE, SKIPPED, FAILED, LOST)
SETTLED = (DONE, SKIPPED, FAILED)


class JobStatus:
    """The state of one run of a sweep, on disk.

    Args:
        sweep: the sweep's folder.
        number: of the run in the sweep.
        overrides: what makes it this run.
    """

    def __init__(self, sweep: Path, number: int, overrides: Sequence[str]) -> None:
        self._sweep = sweep
        self._number = number
        self.noted: dict[str, Any] = {"number": number, "overrides": list(overrides)}
        self.noted |= {"host": this_host(), "pid": os.getpid()}
        for earlier in read_states(sweep, LOST, str(number)):
            self.noted["deaths"] = earlier["deaths"]

    @classmethod
    def of(cls, sweep: Path, noted: Mapping[str, Any]) -> JobStatus:
        """The state of the run that something is noted of."""
        status = cls(sweep, noted["number"], noted["overrides"])
        status.noted = dict(noted)
        return status

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return any(self._path(state).exists() for state in SETTLED)

    @property
    def was_lost(self) -> bool:
        """Whether its process was killed before."""
        return "deaths" in self.noted

    def set(self, state: str, **details: Any) -> None:
        """Change the state; details are added to what is noted. Nothing happens if the sweep is over."""
        self.noted |= details
        partial = self._path("writing")
        with suppress(FileNotFoundError):
            partial.write_text(json.dumps(self.noted, default=str))
            partial.replace(self._path(state))
            for other in set(STATES) - {state}:
                self._path(other).unlink(missing_ok=True)

    def _path(self, state: str) -> Path:
        return self._sweep / f"{self._number}.{state}"


def count_states(sweep: Path) -> Counter[str]:
    """How many runs are in each state."""
    try:
        suffixes = [path.suffix[1:] for path in sweep.iterdir()]
    except OSError:
        return Counter()
    return Counter(suffix for suffix in suffixes if suffix in STATES)


def read_states(sweep: Path, state: str, number: str = "*") -> list[dict[str, Any]]:
    """What is noted of the runs in one state (of one of them), in the sweep's order."""
    found: list[dict[str, Any]] = []
    for path in sweep.glob(f"{number}.{state}"):
        with suppress(OSError, ValueError):
            found.append(json.loads(path.read_text()))
    return sorted(found, key=lambda noted: int(noted["number"]))
