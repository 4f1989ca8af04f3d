"""Tunes an agent: ``python -m experiments.tune agent=capes trials=30`` (needs the extra ``optuna``).

Every agent gets the same number of trials by the same sampler (Optuna's TPE, seeded with ``seed``) on the
same requests. A trial is ``runs`` runs, with ``seed``, ``seed`` + 1, ...; its score is the mean cost of all
their slots, those the agent learned in included. (With one run the best of 30 trials is the luckiest.) The
first trial is the preset as it stands. What is searched stands in conf/tuning/<agent>.yaml; for an agent of
your own write that file and conf/agent/<agent>.yaml, and give your own machine as hardware.file.

Hardware and seeds are set aside for this: no figure uses them (figures have seeds 0 to 9). All trials go to
<target>/<agent>.csv, each as it ends, the best to <target>/<agent>_tuned.yaml, whose path is the last line on
stdout. With target=conf/agent that is a preset, and the trials go to results/tuning. What is there already is
kept: overwrite=1 replaces it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from experiments.arguments import parse, refuse
from experiments.build import agent_class, build_agent, build_env
from experiments.cli import CONF
from experiments.drain import build_drain_rule
from experiments.loop import run_loop
from experiments.search_space import Space, read_space
from experiments.settings import compose_settings
from serving.errors import UsageError
from serving.extras import load_extra

TRIALS = Path("results/tuning")
_DEFAULTS: dict[str, Any] = {
    "agent": "none",
    "trials": 30,
    "slots": 500,
    "seed": 9001,
    "runs": 3,
    "workload": "dynamic",
    "hardware": "admissible/inception_v3_20",
    "hardware.file": "none",
    "target": str(TRIALS),
    "overwrite": 0,
}


@dataclass(frozen=True)
class Trial:
    """One set of values and the mean cost of the runs with them."""

    values: dict[str, Any]
    mean_cost: float


def mean_cost(plain: Mapping[str, Any], values: Mapping[str, Any], run: int = 0) -> float:
    """Mean cost of the slots of one run; ``values`` replace settings of the agent.

    Slots without requests have no cost and do not count; a run of such slots alone costs infinitely much.
    """
    changed = {**plain, "agent": {**plain["agent"], **values}, "seed": plain["seed"] + run}
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
) -> Iterator[Trial]:
    """Trials in order: ``first``, then what the sampler proposes to make ``score`` small."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({key: first[key] for key in space})
    for _ in tqdm(range(trials), desc="trials"):
        asked = study.ask()
        values = {key: dimension.suggest(asked, key) for key, dimension in space.items()}
        trial = Trial(values, score(values))
        study.tell(asked, trial.mean_cost)
        yield trial


def preset_text(
    agent: Mapping[str, Any], first: Mapping[str, Any], best: Mapping[str, Any], header: list[str]
) -> str:
    """The tuned preset as YAML: the settings of ``agent``, those that were searched replaced and marked."""
    base = agent["preset"]
    labels = {"preset": f"{base}_tuned", "settings": "tuned"}
    lines = [*(f"# {line}" for line in header), f"# What has no remark is as in {base}.yaml."]
    for key, value in {**agent, **best, **labels}.items():
        remark = f" # tuned; {base} has {_word(first[key])}" if key in best else ""
        lines.append(f"{key}: {_word(value)}{remark}")
    return "\n".join(lines) + "\n"


def _word(value: Any) -> str:
    """A value as it stands on one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def _all_settings(plain: dict[str, Any]) -> dict[str, Any]:
    """The agent's settings, and the defaults of its constructor where the preset leaves them."""
    agent: dict[str, Any] = plain["agent"]
    parameters = inspect.signature(agent_class(plain)).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    return defaults | agent


def tune(options: Mapping[str, Any]) -> Path:
    """Search, write what was found, and return the path of the tuned preset.

    Raises:
        UsageError: naming the setting that makes no sense and what is allowed.
    """
    name, trials = options["agent"], options["trials"]
    for key in ("trials", "runs"):
        if options[key] < 1:
            raise UsageError(f"{key}={options[key]}, expected an integer >= 1")
    own = options["hardware.file"]
    machine = f"hardware={options['hardware']}" if own == "none" else f"hardware.file={own}"
    common = [*(f"{key}={options[key]}" for key in ("slots", "seed", "workload")), machine]
    command = f"agent={name} trials={trials} runs={options['runs']} {' '.join(common)} overwrite=1"
    plain = compose_settings([f"agent={name}", *common, "truth=false"])
    first = _all_settings(plain)
    space = read_space(CONF / "tuning" / f"{name}.yaml", first)
    optuna = load_extra("optuna", "optuna", "tuning")

    def score(values: dict[str, Any]) -> float:
        return float(np.mean([mean_cost(plain, values, run) for run in range(options["runs"])]))

    target = Path(options["target"])
    log_folder = TRIALS if target.resolve() == CONF / "agent" else target
    log, path = log_folder / f"{name}.csv", target / f"{name}_tuned.yaml"
    _make_room(log, path, bool(options["overwrite"]))
    done: list[Trial] = []
    for trial in search(space, first, score, trials, plain["seed"]):
        done.append(trial)
        rows = [{"trial": i, "mean_cost": t.mean_cost, **t.values} for i, t in enumerate(done)]
        pd.DataFrame(rows).to_csv(log, index=False, float_format="%.6g", na_rep="null")
    best = min(done, key=lambda trial: trial.mean_cost)
    header = [
        "Found by",
        f"  python -m experiments.tune {command}",
        f"with Optuna {optuna.__version__}: mean cost {best.mean_cost:.4f}, learning included "
        f"({name} as it stands: {done[0].mean_cost:.4f}).",
        f"All trials: {log}.",
    ]
    path.write_text(preset_text(plain["agent"], first, best.values, header))
    return path


def _make_room(log: Path, preset: Path, overwrite: bool) -> None:
    """Before hours of work: both files can be written, and nobody's results are lost by it."""
    for file in (log, preset):
        if file.exists() and not overwrite:
            raise UsageError(f"{file} is there already, expected overwrite=1 to replace it")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"target={file.parent}: {error.strerror}, expected a folder") from None


def main(arguments: list[str]) -> int:
    """Tune the agent that the arguments name; the exit code."""
    try:
        print(tune(parse(arguments, _DEFAULTS, __doc__ or "")))
    except UsageError as error:
        refuse(str(error))
    except KeyboardInterrupt:
        print("interrupted; the trials so far are kept", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
