"""Tunes an agent: ``python -m experiments.tune agent=capes trials=30`` (needs the extra ``optuna``).

Every agent gets the same number of trials by the same sampler (Optuna's TPE, seeded with ``seed``) on the
same requests, and is scored with the mean cost of all slots, those it learned in included. The first trial is
the preset as it stands. What is searched stands in conf/tuning/<agent>.yaml; for an agent of your own write
that file and conf/agent/<agent>.yaml, and for your own machine give its profile as hardware.file.

Hardware and seed are set aside for this: no figure uses them (figures have seeds 0 to 9). All trials go to
results/tuning/<agent>.csv, the best to <target>/<agent>_tuned.yaml, whose path is the last line on stdout;
with target=conf/agent it is a preset.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from experiments.arguments import parse, refuse
from experiments.build import build_agent, build_env
from experiments.cli import CONF
from experiments.drain import build_drain_rule
from experiments.loop import run_loop
from experiments.search_space import Space, read_space
from experiments.settings import compose_settings
from serving.errors import UsageError

TRIALS = Path("results/tuning")
_DEFAULTS: dict[str, Any] = {
    "agent": "none",
    "trials": 30,
    "slots": 500,
    "seed": 9001,
    "workload": "dynamic",
    "hardware": "admissible/inception_v3_20",
    "hardware.file": "none",
    "target": str(TRIALS),
}


@dataclass(frozen=True)
class Trial:
    """One set of values and the mean cost of the run with them."""

    values: dict[str, Any]
    mean_cost: float


def mean_cost(plain: Mapping[str, Any], values: Mapping[str, Any]) -> float:
    """Mean cost of the slots of one run; ``values`` replace settings of the agent.

    Slots without requests cost nothing and do not count; a run of such slots alone costs infinitely much.
    """
    changed = {**plain, "agent": {**plain["agent"], **values}}
    env = build_env(changed)
    agent = build_agent(changed, env, lambda: None)
    slots = run_loop(env, agent, changed["seed"], drained=build_drain_rule(changed))
    costs = [slot.row["cost"] for slot in slots if slot.row["cost"] is not None]
    env.close()
    return float(np.mean(costs)) if costs else float("inf")


def search(
    space: Space,
    first: Mapping[str, Any],
    score: Callable[[dict[str, Any]], float],
    trials: int,
    seed: int,
) -> list[Trial]:
    """Trials in order: ``first``, then what the sampler proposes to make ``score`` small."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({key: first[key] for key in space})
    done = []
    for _ in tqdm(range(trials), desc="trials"):
        asked = study.ask()
        values = {key: dimension.suggest(asked, key) for key, dimension in space.items()}
        done.append(Trial(values, score(values)))
        study.tell(asked, done[-1].mean_cost)
    return done


def preset_text(agent: Mapping[str, Any], best: Mapping[str, Any], header: list[str]) -> str:
    """The tuned preset as YAML: the settings of ``agent``, those that were searched replaced and marked."""
    base = agent["preset"]
    labels = {"preset": f"{base}_tuned", "settings": "tuned"}
    lines = [*(f"# {line}" for line in header), f"# What has no remark is as in {base}.yaml."]
    for key, value in agent.items():
        remark = f" # tuned; {base} has {_word(value)}" if key in best else ""
        lines.append(f"{key}: {_word(labels.get(key, best.get(key, value)))}{remark}")
    return "\n".join(lines) + "\n"


def _word(value: Any) -> str:
    """A value as it stands on one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def tune(options: Mapping[str, Any]) -> Path:
    """Search, write what was found, and return the path of the tuned preset.

    Raises:
        UsageError: naming the setting that makes no sense and what is allowed.
    """
    name, trials = options["agent"], options["trials"]
    if trials < 1:
        raise UsageError(f"trials={trials}, expected an integer >= 1")
    own = options["hardware.file"]
    machine = f"hardware={options['hardware']}" if own == "none" else f"hardware.file={own}"
    run = [f"{key}={options[key]}" for key in ("slots", "seed", "workload")]
    plain = compose_settings([f"agent={name}", *run, machine, "truth=false"])
    space = read_space(CONF / "tuning" / f"{name}.yaml", plain["agent"])
    try:
        import optuna
    except ImportError:
        raise UsageError("tuning needs Optuna: pip install -e '.[optuna]'") from None
    done = search(space, plain["agent"], lambda values: mean_cost(plain, values), trials, plain["seed"])
    TRIALS.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame([{"trial": i, "mean_cost": t.mean_cost, **t.values} for i, t in enumerate(done)])
    table.to_csv(TRIALS / f"{name}.csv", index=False, float_format="%.6g", na_rep="null")
    best = min(done, key=lambda trial: trial.mean_cost)
    header = [
        "Found by",
        f"  python -m experiments.tune agent={name} trials={trials} {' '.join(run)} {machine}",
        f"with Optuna {optuna.__version__}: mean cost {best.mean_cost:.4f}, learning included "
        f"({name} as it stands: {done[0].mean_cost:.4f}).",
        f"All trials: {TRIALS}/{name}.csv.",
    ]
    path = Path(options["target"]) / f"{name}_tuned.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(preset_text(plain["agent"], best.values, header))
    return path


def main(arguments: list[str]) -> int:
    """Tune the agent that the arguments name; the exit code."""
    try:
        print(tune(parse(arguments, _DEFAULTS, __doc__ or "")))
    except UsageError as error:
        refuse(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
