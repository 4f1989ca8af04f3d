"""The runs of the sensitivity study, as hydra sweeps: ``python -m experiments.sensitivity.sweep [run=1]``.

Prints one command for each sweep; with ``run=1`` also runs them, one after the other: ``seeds=4`` of each
arm, ``launcher=joblib``. Finished runs are not run again. ``only="slot length,beta"`` varies these choices
alone, ``also="slots=40 truth=false"`` are overrides for all runs.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence

from experiments.arguments import exit_code, parse, refuse
from experiments.sensitivity.arms import Overrides, all_arms, key_of
from experiments.sensitivity.conditions import CONDITIONS, Condition

_DEFAULTS = {"seeds": 4, "run": 0, "launcher": "joblib", "only": "", "also": ""}
_FIRST = ("agent", "workload")  # merged before all other settings: most arms differ in these


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


def commands(
    conditions: Sequence[Condition], seeds: int, launcher: str, also: Overrides = ()
) -> list[list[str]]:
    """The arguments of ``python`` for every sweep; settings with several values come last."""
    program = ["-m", "experiments.run", "--multirun"]
    shared = [f"seed=range(0,{seeds})", f"hydra/launcher={launcher}", "progress=false"]
    return [
        [*program, *(one for one in sweep if "," not in one), *shared, *(one for one in sweep if "," in one)]
        for sweep in products(all_arms(conditions, also))
    ]


def _varied(only: str) -> list[Condition]:
    known = list(dict.fromkeys(condition.choice for condition in CONDITIONS if condition.choice))
    chosen = [one.strip() for one in only.split(",")] if only else known
    for one in chosen:
        if one not in known:
            refuse(f"only={one} is not a choice, choose from {known}")
    return [condition for condition in CONDITIONS if condition.choice in ("", *chosen)]


def main(arguments: Sequence[str]) -> int:
    """Print, and run if asked to; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    if options["seeds"] < 1:
        refuse(f"seeds={options['seeds']}, expected an integer >= 1")
    conditions = _varied(options["only"])
    wanted = commands(conditions, options["seeds"], options["launcher"], tuple(options["also"].split()))
    failed: list[str] = []
    code = exit_code(lambda: _make(wanted, bool(options["run"]), failed))
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return code or (1 if failed else 0)


def _make(wanted: Sequence[Sequence[str]], run: bool, failed: list[str]) -> None:
    """Print every sweep, run it if asked to, and note those that fail."""
    for number, command in enumerate(wanted, start=1):
        line = shlex.join(["python", *command])
        print(line, flush=True)
        if run:
            print(f"sweep {number} of {len(wanted)}", file=sys.stderr)
            failed += [line] if _sweep(command) else []


def _sweep(command: Sequence[str]) -> int:
    """Run one sweep; returns its exit code. An interruption is passed on, and waits until it has wound up."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # Ctrl-C has reached it already, kill -INT has not
            process.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
