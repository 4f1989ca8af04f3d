"""The cost surface of a simulated system at one load, from its exhaustive table, and what its pairs say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.build import build_env
from experiments.settings import compose_settings
from experiments.truth import read_arrays
from serving.configuration import ConfigurationSpace, ZeroDistance
from serving.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """Outcomes of every configuration at one load; every array of shape (configurations,).

    Attributes:
        plain: the settings whose table it is.
        space: the configurations.
        load_rps: requests per second.
        cost: noise-free mean cost, in the objective's unit (seconds for ``mean_latency``).
        standard_error: of the cost.
        capped: whether sampling ended before the wanted precision.
        mean_latency_s: of the requests completed.
    """

    plain: dict[str, Any]
    space: ConfigurationSpace
    load_rps: float
    cost: Floats
    standard_error: Floats
    capped: NDArray[np.bool_]
    mean_latency_s: Floats

    def at(self, *configuration: int) -> float:
        """Cost of one configuration."""
        return float(self.cost[self.space.index(configuration)])

    def table(self) -> pd.DataFrame:
        """One row a configuration."""
        return pd.DataFrame(self.space.values, columns=list(self.space.names)).assign(
            load_rps=self.load_rps,
            cost_s=self.cost,
            standard_error_s=self.standard_error,
            capped=self.capped,
            mean_latency_s=self.mean_latency_s,
        )


def read_surface(experiment: str, load_rps: float, overrides: Sequence[str] = ()) -> Surface | None:
    """The surface under the settings of a recipe; None if its table is not yet computed.

    Raises:
        UsageError: if the table has no such load.
    """
    plain = compose_settings([f"experiment={experiment}", *overrides])
    arrays = read_arrays(plain)
    if arrays is None:
        return None
    if load_rps not in arrays["load_rps"]:
        loads = arrays["load_rps"].tolist()
        raise UsageError(f"table.load_rps={loads}, expected the load {load_rps:g} of {experiment} among them")
    row = int(np.flatnonzero(arrays["load_rps"] == load_rps)[0])
    names = ("cost", "standard_error", "capped", "mean_latency_s")
    space = build_env(plain).system.space
    return Surface(plain, space, load_rps, **{name: arrays[name][row] for name in names})


def pair_distances(space: ConfigurationSpace, zero_distance: ZeroDistance) -> Floats:
    """Euclidean distance of every pair of configurations, in the order of ``np.triu_indices(size, 1)``."""
    rows = [space.distances(index, "euclidean", zero_distance)[index + 1 :] for index in range(space.size)]
    return np.concatenate(rows)


def pair_differences(cost: Floats) -> Floats:
    """By how much the dearer one of every pair costs more, in the same order."""
    return np.concatenate([np.abs(cost[index + 1 :] - cost[index]) for index in range(len(cost))])


def pair_ratios(cost: Floats) -> Floats:
    """Cost of the dearer over that of the cheaper one of every pair, in the same order."""
    ratios: Floats = np.exp(pair_differences(np.log(cost)))
    return ratios


def ranks(values: NDArray[Any]) -> Floats:
    """Ranks with ties at their mean, shifted and scaled to mean 0 and length 1."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    centred = mean_rank[group] - mean_rank[group].mean()
    scaled: Floats = centred / np.linalg.norm(centred)
    return scaled


def rank_correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Spearman's, of two rows of numbers."""
    return float(ranks(one) @ ranks(other))
