"""Sweeps as commands: few of them for many arms, printed, and carried out one after the other."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence

from experiments.arguments import INTERRUPTED, exit_code

Overrides = tuple[str, ...]
"""Of hydra, one for each setting: what makes the runs of an arm."""

_STOP = (2, INTERRUPTED)
_FIRST = ("agent", "workload")  # merged before all other settings: most arms differ in these


def key_of(override: str) -> str:
    """The setting that an override changes."""
    return override.partition("=")[0].lstrip("+")


def products(arms: Iterable[Overrides]) -> list[Overrides]:
    """Sweeps (``key=value,value``) that have exactly these arms, few of them.

    A sweep runs every combination of its values: two sweeps become one where they differ in the values of a
    single setting. That setting comes last, so that neighbouring runs differ in it: runs side by side then
    want different exhaustive tables.
    """
    sweeps: list[dict[str, Overrides]] = [{key_of(one): (one,) for one in arm} for arm in arms]
    keys = {key for sweep in sweeps for key in sweep}
    for key in (*_FIRST, *sorted(keys - set(_FIRST))):
        alike: dict[tuple[object, ...], list[dict[str, Overrides]]] = defaultdict(list)
        for sweep in sweeps:
            rest = sorted((name, values) for name, values in sweep.items() if name != key)
            alike[key in sweep, *rest].append(sweep)
        sweeps = []
        for group in alike.values():
            merged = dict(group[0])
            if key in merged:
                values = merged.pop(key)
                merged[key] = values if len(group) == 1 else tuple(v for sweep in group for v in sweep[key])
            sweeps.append(merged)
    return [tuple(map(_choices, sweep.values())) for sweep in sweeps]


def _choices(alternatives: Overrides) -> str:
    start, _, _ = alternatives[0].partition("=")
    return f"{start}=" + ",".join(one.partition("=")[2] for one in alternatives)


def commands(arms: Iterable[Overrides], seeds: int, launcher: str = "joblib") -> list[list[str]]:
    """The arguments of ``python`` for every sweep; settings with several values come last."""
    program = ["-m", "experiments.run", "--multirun"]
    shared = [f"seed=range(0,{seeds})", f"hydra/launcher={launcher}", "progress=false"]
    return [
        [*program, *(one for one in sweep if "," not in one), *shared, *(one for one in sweep if "," in one)]
        for sweep in products(arms)
    ]


def carry_out(wanted: Sequence[Sequence[str]], run: bool) -> int:
    """Print every command, and run it if asked to; returns the exit code.

    One in which runs failed (1) does not stop the others; wrong usage (2) and an interruption (130) do.
    """
    codes: dict[str, int] = {}
    code = exit_code(lambda: _carry_out(wanted, run, codes))
    for line in codes:
        print(f"failed: {line}", file=sys.stderr)
    stopped = [one for one in codes.values() if one in _STOP]
    return code or (stopped[0] if stopped else min(len(codes), 1))


def _carry_out(wanted: Sequence[Sequence[str]], run: bool, codes: dict[str, int]) -> None:
    """Note in ``codes`` the exit code of those that fail."""
    for number, command in enumerate(wanted, start=1):
        line = shlex.join(["python", *command])
        print(line, flush=True)
        if run:
            print(f"command {number} of {len(wanted)}", file=sys.stderr)
            code = _run(command)
            codes |= {line: code} if code else {}
            if code in _STOP:
                return


def _run(command: Sequence[str]) -> int:
    """Run one; returns its exit code. An interruption is passed on, and waits until it has wound up."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # Ctrl-C has reached it already, kill -INT has not
            process.wait()
            raise
