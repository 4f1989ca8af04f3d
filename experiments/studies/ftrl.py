"""FTRL against Adam with few samples: ``python -m experiments.studies.ftrl [seeds=10] [steps=500]``.

The paper (Sec. V-A) trains its network with FTRL because samples are few, and calls it insensitive to its
settings. Here its network (256 and 64 units) learns from slots of WiKi served under random configurations,
and is asked for slots that it has not seen: in the authors' set-up (raw features, milliseconds, Huber loss)
and in that of preset rrl_nn (scaled features, logarithm of the cost). Writes ftrl.png, .pdf, .csv and .txt to
target=results/figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from agents.network import Network
from agents.network_optimizers import Adam, Ftrl, Optimizer
from agents.neural_estimator import NetworkEstimator
from agents.neural_scratch import ScratchNetworkEstimator
from experiments.arguments import parse, refuse
from experiments.build import build_env
from experiments.settings import compose_settings
from experiments.sweep_worker import joblib_workers_follow
from experiments.truth import cost_table
from serving.configuration import ConfigurationSpace
from serving.cost_table import CostTable
from serving.environment import ServingEnv
from serving.errors import UsageError

SAMPLES = (10, 30, 100, 300)
SLOTS = 600  # served per seed; those not learned from are asked for
BATCH = 64
ACCUMULATORS = (0.1, 0.01, 1.0)  # 0.1 is TensorFlow's default, and the authors'
RATES: dict[str, dict[str, tuple[float, ...]]] = {
    "authors": {
        "ftrl": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 0.7, 2.0),
        "adam": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0),
    },
    "scaled": {
        "ftrl": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 0.7),
        "adam": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    },
}
"""Learning rates by set-up: the authors' 0.7 and that of preset rrl_nn are among FTRL's; as many for Adam."""


@dataclass(frozen=True)
class Variant:
    """An optimizer with its settings, in a set-up."""

    setup: str
    name: str
    optimizer: Optimizer
    learning_rate: float
    initial_accumulator: float | None = None


def variants(setup: str) -> list[Variant]:
    """What is compared in a set-up."""
    accumulators = ACCUMULATORS if setup == "authors" else ACCUMULATORS[:1]
    ftrl, adam = RATES[setup]["ftrl"], RATES[setup]["adam"]
    made = [Variant(setup, "ftrl", Ftrl(r, n, centred=False), r, n) for n in accumulators for r in ftrl]
    made += [Variant(setup, "ftrl_centred", Ftrl(r, 0.1), r, 0.1) for r in ftrl if setup == "scaled"]
    return made + [Variant(setup, "adam", Adam(r), r) for r in adam]


@dataclass(frozen=True)
class Slots:
    """What one seed served.

    Attributes:
        seen_rps: load of the agent's observation, shape (slots,); likewise all others.
        true_rps: true mean load of the slot.
        configuration: flat index.
        cost: as measured, in seconds.
        truth: noise-free, in seconds.
    """

    seen_rps: NDArray[np.float64]
    true_rps: NDArray[np.float64]
    configuration: NDArray[np.int64]
    cost: NDArray[np.float64]
    truth: NDArray[np.float64]


def serve(env: ServingEnv, table: CostTable, seed: int) -> Slots:
    """Serve a run under configurations drawn uniformly; slots outside the table are left out."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    rows: list[tuple[float, float, int, float, float]] = []
    truncated = False
    while not truncated:
        seen_rps = info["observation"].load_rps
        index = int(rng.integers(env.system.space.size))
        _, _, _, truncated, info = env.step(index)
        true_rps = info["slot"].true_load_rps
        if info["cost"] is not None and table.covers(true_rps):
            rows.append((seen_rps, true_rps, index, info["cost"], float(table.at(true_rps)[index])))
    return Slots(*(np.array(column) for column in zip(*rows, strict=True)))


@dataclass(frozen=True)
class Setup:
    """How loads, configurations and costs become features and targets, as in one of our estimators."""

    features: Callable[[float, NDArray[np.int64]], NDArray[np.float64]]
    target: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    cost: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    huber_delta: float

    def rows(self, load_rps: NDArray[np.float64], configuration: NDArray[np.int64]) -> NDArray[np.float64]:
        """Features of every (load, configuration), shape (slots, features)."""
        pairs = zip(load_rps.tolist(), configuration[:, None], strict=True)
        return np.concatenate([self.features(load, index) for load, index in pairs])


def make_setup(name: str, space: ConfigurationSpace, max_load_rps: float) -> Setup:
    """The authors' set-up, or that of preset rrl_nn."""
    rng = np.random.default_rng(0)
    if name == "authors":
        scratch = ScratchNetworkEstimator(space, rng)
        return Setup(scratch.features, lambda cost: 1000 * cost, lambda ms: np.maximum(ms, 1.0) / 1000, 100.0)
    scaled = NetworkEstimator(space, rng, max_load_rps)
    return Setup(scaled.features, np.log, lambda log: np.exp(np.minimum(log, 20.0)), np.inf)


def errors(
    network: Network, setup: Setup, slots: Slots, steps: int, samples: Sequence[int], seed: int
) -> Iterator[tuple[int, float]]:
    """(samples, median relative error on the rest) of a network trained anew for each number of samples."""
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(slots.truth))
    seen, asked = order[: max(samples)], order[max(samples) :]
    x, y = setup.rows(slots.seen_rps[seen], slots.configuration[seen]), setup.target(slots.cost[seen])
    questions, truth = setup.rows(slots.true_rps[asked], slots.configuration[asked]), slots.truth[asked]
    for count in samples:
        network.reset(rng)
        drawn = rng.integers(count, size=(steps, BATCH))
        network.fit(x[drawn], y[drawn])
        guess = setup.cost(network.predict(questions))
        yield count, float(np.median(np.abs(guess - truth) / truth))


def measure(
    overrides: Sequence[str], seeds: int, steps: int, samples: Sequence[int] = SAMPLES, workers: int = -1
) -> pd.DataFrame:
    """One row per variant, number of samples and seed; ``workers`` processes, -1 for one on every core."""
    plain = compose_settings(["workload=wiki", f"slots={SLOTS}", *overrides])
    table, env = cost_table(plain), build_env(plain)
    if table is None:
        raise UsageError("system: the study needs a simulated system, whose exhaustive table is the truth")
    served = [serve(env, table, seed) for seed in range(seeds)]
    all_variants = [one for name in RATES for one in variants(name)]
    world = env.system.space, env.workload.max_load_rps
    jobs = (delayed(_trained)(one, *world, served, steps, samples) for one in all_variants)
    with joblib_workers_follow():
        trained = Parallel(n_jobs=workers, return_as="generator")(jobs)
        rows = [row for rows in tqdm(trained, desc="variants", total=len(all_variants)) for row in rows]
    return pd.DataFrame(rows).rename(columns={"name": "optimizer"})


def _trained(
    variant: Variant,
    space: ConfigurationSpace,
    max_load_rps: float,
    served: Sequence[Slots],
    steps: int,
    samples: Sequence[int],
) -> list[dict[str, Any]]:
    """The rows of one variant."""
    setup = make_setup(variant.setup, space, max_load_rps)
    inputs = 1 + len(space.knobs)
    network = Network(inputs, variant.optimizer, np.random.default_rng(0), huber_delta=setup.huber_delta)
    labels = {key: value for key, value in vars(variant).items() if key != "optimizer"}
    return [
        labels | {"samples": count, "seed": seed, "error": error}
        for seed, slots in enumerate(served)
        for count, error in errors(network, setup, slots, steps, samples, seed)
    ]


def main(arguments: Sequence[str], overrides: Sequence[str] = ()) -> int:
    """Measure and draw; returns the exit code. ``overrides`` are of hydra's settings."""
    from experiments.figures import style
    from experiments.studies.ftrl_figure import draw

    defaults = {"seeds": 10, "steps": 500, "workers": -1, "target": Path("results/figures")}
    options = parse(arguments, defaults, __doc__ or "")
    for key in ("seeds", "steps"):
        if options[key] < 1:
            refuse(f"{key}={options[key]}, expected an integer >= 1")
    if options["workers"] == 0:
        refuse("workers=0, expected a number of processes, or -1 for one on every core")
    data = measure(overrides, options["seeds"], options["steps"], workers=options["workers"])
    style.apply()
    for path in style.save(draw(data, options["steps"]), options["target"]):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
