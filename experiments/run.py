"""One run: ``python -m experiments.run agent=rrl workload=wiki seed=1``; ``--multirun`` for sweeps.

The last line on stdout is the run's folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from tqdm import tqdm

from experiments.build import (
    build_agent,
    build_env,
    is_simulated,
    resolve,
    row_settings,
    workload_label,
)
from experiments.cli import hydra_program, once
from experiments.drain import build_drain_rule
from experiments.logger import is_logged, make_logger, require_tensorboard, scalars
from experiments.loop import SlotRecord, run_loop
from experiments.measured_table import measured_table
from experiments.pretraining import pretrain
from experiments.records import RunFolder, content_hash, is_finished, other_revision
from experiments.sweep import asks_for_sweep, drive_sweep
from experiments.sweep_job import Locate, job_of_sweep
from serving.agent import Agent
from serving.configuration import ConfigurationSpace
from serving.cost_table import Truth
from serving.environment import ServingEnv
from serving.errors import UsageError


def main(config: DictConfig) -> None:
    """Run what the settings describe, unless it is finished already, and print its folder."""
    hydra = HydraConfig.get()
    choices = hydra.runtime.choices
    if hydra.mode == RunMode.MULTIRUN:
        job_of_sweep(hydra, lambda locate: run(resolve(config, choices) | {"progress": False}, locate))
        return
    folder, made = run(resolve(config, choices))
    print(folder)
    other = None if made else other_revision(folder)
    if other is not None:
        print(
            f"{folder.name}: finished before, by other code ({other}); "
            "used as it is, fresh=true runs it again",
            file=sys.stderr,
        )


def run(plain: dict[str, Any], locate: Locate | None = None) -> tuple[Path, bool]:
    """Run what the settings describe, unless it is finished already.

    Args:
        plain: the settings.
        locate: told where the run's folder is going to be before anything is made.

    Returns:
        The folder, and whether the run was made now.
    """
    env = build_env(plain)
    run_id = content_hash(row_settings(plain, env))
    folder = Path(plain["output_dir"]) / plain["experiment_name"] / run_id
    if locate is not None:
        locate(folder, plain)
    missing = plain["fresh"] or not is_finished(folder) or not is_logged(plain["logger"], folder)
    if missing:
        execute(plain, env, run_id, folder)
    return folder, missing


def execute(plain: dict[str, Any], env: ServingEnv, run_id: str, folder: Path) -> None:
    """Run the loop and write the records."""
    for _ in steps(plain, env, run_id, folder):
        pass


def steps(plain: dict[str, Any], env: ServingEnv, run_id: str, folder: Path) -> Iterator[SlotRecord]:
    """Run the loop slot by slot; when the last one has been handed out, the records are written."""
    if plain["logger"] == "tensorboard":
        require_tensorboard()
    truth = cache(lambda: _truth(plain, env.system.space))
    agent = build_agent(plain, env, truth)  # before the table: a mistake should not cost minutes
    pretrain(plain, agent)
    if plain["estimates"] and "q" not in getattr(agent, "diagnostics", dict)():
        raise UsageError(f"estimates=true needs an agent with Q values, not {type(agent).__name__}")
    table = truth() if is_simulated(plain) else None  # what was measured is not the truth
    manifest = {"run_id": run_id, "seed": plain["seed"], "config": plain}
    label = f"{plain['agent'].get('preset')} {workload_label(plain)} seed={plain['seed']}"
    with closing(env), RunFolder(folder, manifest) as run_folder:
        with tqdm(total=plain["slots"], desc=label, unit="slot", disable=not plain["progress"]) as bar:
            for record in _record(plain, env, agent, table, run_folder, _labels(plain, env, run_id)):
                bar.update()
                yield record
        run_folder.finish()


def _record(
    plain: dict[str, Any],
    env: ServingEnv,
    agent: Agent,
    table: Truth | None,
    run_folder: RunFolder,
    labels: dict[str, Any],
) -> Iterator[SlotRecord]:
    """Run the loop and write what it leaves, while it goes on."""
    from experiments.tables import RunTables, diagnostics_table

    logger = make_logger(plain["logger"], run_folder.partial)
    tables = RunTables(run_folder.partial, labels)
    estimates: list[Any] = []
    loads_rps: list[float] = []
    for record in run_loop(env, agent, plain["seed"], table, build_drain_rule(plain)):
        tables.add(record)
        if plain["estimates"]:
            estimates.append(np.array(agent.diagnostics()["q"]))
            loads_rps.append(record.row["true_load_rps"])
        if logger is not None:
            beliefs: dict[str, Any] = getattr(agent, "diagnostics", dict)()
            logger.log(
                record.row["slot"], scalars(beliefs) | scalars({"cost": record.row["cost"]}) | _times(record)
            )
        yield record
    tables.close()
    if logger is not None:
        logger.close()
    if plain["estimates"]:
        gamma = float(agent.diagnostics().get("gamma", 0.0))
        run_folder.write("diagnostics", diagnostics_table(estimates, loads_rps, gamma, table))


def _times(record: SlotRecord) -> dict[str, float]:
    return {"act_s": record.timing["agent_act_s"], "learn_s": record.timing["agent_learn_s"]}


def _truth(plain: dict[str, Any], space: ConfigurationSpace) -> Truth | None:
    if not plain["truth"]:
        return None
    if not is_simulated(plain):
        return measured_table(plain, space)
    from experiments.truth import truth

    return truth(plain)


def _labels(plain: dict[str, Any], env: ServingEnv, run_id: str) -> dict[str, Any]:
    """Columns that are the same in every row of the run."""
    agent = plain["agent"]
    return {
        "run_id": run_id,
        "agent": agent["_target_"].rpartition(".")[2],
        "preset": agent.get("preset"),
        "settings": agent.get("settings"),
        "workload": workload_label(plain),
        "system": env.system.name,
        "engine": plain["system"].get("engine"),
        "hardware": plain["hardware"].get("name"),
        "boundary": plain["system"].get("boundary"),
        "model": plain["model"]["name"],
        "objective": env.objective.name,
        "seed": plain["seed"],
    }


if __name__ == "__main__":
    hydra_program(main, drive_sweep if asks_for_sweep(sys.argv) else once)
