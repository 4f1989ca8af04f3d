"""The runs of the evidence, as hydra sweeps: ``python -m experiments.beyond.sweep [run=1] [seeds=10]``.

Prints one command for each exhaustive table and for each sweep; with ``run=1`` also runs them, one after the
other. Finished runs are not run again: most of them are those of ``make paper``. ``only=gp,oracle`` takes
these agents alone, ``launcher=joblib`` one of hydra's. Stable-Baselines3's agents are left out where it is
not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

from experiments.arguments import parse, refuse
from experiments.beyond.conditions import AGENTS, CASES, STABLE_BASELINES, Case
from experiments.sweep_commands import carry_out, commands

_DEFAULTS = {"seeds": 10, "run": False, "launcher": "joblib", "only": ""}


def tables(cases: Iterable[Case]) -> list[list[str]]:
    """The arguments of ``python`` for every exhaustive table: they come before the runs that want them."""
    wanted = {}
    for case in cases:
        where = case.condition
        told = [f"experiment={where.experiment}", f"model={where.model}", f"system={where.system}"]
        wanted[tuple(told)] = ["-m", "experiments.truth", *told, "progress=false"]
    return list(wanted.values())


def installed() -> tuple[str, ...]:
    """The agents that this environment can make."""
    if find_spec("stable_baselines3"):
        return AGENTS
    print(f"without {', '.join(STABLE_BASELINES)}: they need pip install -e '.[sb3]'", file=sys.stderr)
    return tuple(one for one in AGENTS if one not in STABLE_BASELINES)


def main(arguments: Sequence[str]) -> int:
    """Print, and run if asked to; returns the exit code."""
    options = parse(arguments, _DEFAULTS, __doc__ or "")
    if options["seeds"] < 1:
        refuse(f"seeds={options['seeds']}, expected an integer >= 1")
    chosen = [one.strip() for one in options["only"].split(",")] if options["only"] else installed()
    for one in chosen:
        if one not in AGENTS:
            refuse(f"only={one} is not one of the agents, choose from {list(AGENTS)}")
    arms = [case.overrides(agent) for case in CASES for agent in case.agents if agent in chosen]
    sweeps = commands(arms, options["seeds"], options["launcher"])
    return carry_out([*tables(CASES), *sweeps], options["run"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
