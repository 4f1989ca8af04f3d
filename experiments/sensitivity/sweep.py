"""The runs of the sensitivity study, as hydra sweeps: ``python -m experiments.sensitivity.sweep [run=1]``.

Prints one command for each sweep; with ``run=1`` also runs them, one after the other: ``seeds=4`` of each
arm, ``launcher=joblib``. Finished runs are not run again. ``only="slot length,beta"`` varies these choices
alone, ``also="slots=40 truth=false"`` are overrides for all runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from experiments.arguments import parse, refuse
from experiments.sensitivity.arms import all_arms
from experiments.sensitivity.conditions import CONDITIONS, Condition
from experiments.sweep_commands import carry_out, commands

_DEFAULTS = {"seeds": 4, "run": False, "launcher": "joblib", "only": "", "also": ""}


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
    arms = all_arms(_varied(options["only"]), tuple(options["also"].split()))
    return carry_out(commands(arms, options["seeds"], options["launcher"]), options["run"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
