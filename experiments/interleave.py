"""Runs that take turns on one real system: ``python -m experiments.interleave agent=rrl,rrl_plus ...``.

Settings are those of ``experiments.run --multirun``, but that agents learn between slots unless
``learning=background`` is given: what learns beside serving takes cores from the servers of this machine, the
more the heavier the agent, which a comparison of choices should not measure.

Every run serves ``turn=10`` slots, then the next one has its turn, so that an hour in which the machine is
slow hurts all alike. A turn begins with nobody waiting. What was measured is kept: started again after an
interruption, the runs go on where they were. The folders of the finished runs are printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments.arguments import exit_code
from experiments.build import build_env, build_system, row_settings
from experiments.loop import SlotRecord
from experiments.records import content_hash, is_finished
from experiments.remember import RememberedSystem
from experiments.run import steps
from experiments.settings import compose_settings, jobs
from serving.errors import UsageError
from serving.system import ServingSystem

_TURN = 10


@dataclass(frozen=True)
class Turns:
    """A run that is served in turns.

    Attributes:
        folder: where it ends up.
        plain: its settings.
        system: what it is served by, and what that remembers.
        records: its slots, each served when it is asked for.
    """

    folder: Path
    plain: dict[str, Any]
    system: RememberedSystem
    records: Iterator[SlotRecord]

    def take(self, turn: int, bar: Any) -> bool:
        """Serve the slots that are remembered, and on to the end of a turn; whether the run goes on."""
        self.system.settle(self.plain["seed"])
        for record in self.records:
            bar.update()
            if not self.system.left and (record.row["slot"] + 1) % turn == 0:
                return True
        self.system.forget()
        return False


def interleave(settings: Sequence[dict[str, Any]], turn: int) -> list[Path]:
    """Serve runs in turns of so many slots until all are finished; their folders, in the order given.

    Runs whose systems are set alike share one. Learning in the background, too, depends on no timing (see
    ``agents.background``), and waits at the end of a slot: it reaches into no other run's turn.
    """
    systems: dict[str, ServingSystem] = {}
    try:
        runs = [_run(plain, systems) for plain in settings]
        waiting = [run for run in runs if run.plain["fresh"] or not is_finished(run.folder)]
        total = sum(run.plain["slots"] for run in waiting)
        quiet = not all(plain["progress"] for plain in settings)
        with tqdm(total=total, unit="slot", disable=quiet) as bar:
            while waiting:
                waiting = [run for run in waiting if run.take(turn, bar)]
    finally:
        for system in systems.values():
            system.close()
    return [run.folder for run in runs]


def _run(plain: dict[str, Any], systems: dict[str, ServingSystem]) -> Turns:
    key = json.dumps([plain["system"], plain["hardware"], plain["model"], plain["objective"]], sort_keys=True)
    if key not in systems:
        systems[key] = build_system(plain)
    env = build_env(plain, systems[key])
    run_id = content_hash(row_settings(plain, env))
    folder = Path(plain["output_dir"]) / plain["experiment_name"] / run_id
    system = RememberedSystem(systems[key], folder.with_suffix(".slots"))
    if plain["fresh"]:
        system.forget()
    env.system = system
    return Turns(folder, plain, system, steps(plain | {"progress": False}, env, run_id, folder))


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments describe; returns the exit code."""
    if "--help" in arguments or "-h" in arguments:
        print((__doc__ or "").strip())
        return 0
    turns = [one.removeprefix("turn=") for one in arguments if one.startswith("turn=")] or [str(_TURN)]
    overrides = [one for one in arguments if not one.startswith("turn=")]

    def serve() -> None:
        if not turns[-1].isdigit() or int(turns[-1]) < 1:
            raise UsageError(f"turn={turns[-1]}, expected an integer >= 1 (slots)")
        settings = [compose_settings(["learning=inline", *job]) for job in jobs(overrides)]
        for folder in interleave(settings, int(turns[-1])):
            print(folder)

    return exit_code(serve)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
