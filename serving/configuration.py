"""Configuration spaces: the knobs of a serving system and the geometry between their settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serving.errors import UsageError

Configuration = tuple[int, ...]
Metric = Literal["euclidean", "manhattan", "chebyshev"]
ZeroDistance = Literal["raw", "effective"]

_NORM_ORDERS: dict[str, float] = {"euclidean": 2, "manhattan": 1, "chebyshev": np.inf}


@dataclass(frozen=True)
class Knob:
    """One tunable setting.

    Attributes:
        name: as in the result rows, e.g. ``inter_op_parallelism``.
        values: the grid, ascending.
        zero_means: the value that 0 ("system default") really has, None where 0 is a plain value.
    """

    name: str
    values: tuple[int, ...]
    zero_means: int | None = None

    def __post_init__(self) -> None:
        if not self.values or list(self.values) != sorted(set(self.values)):
            raise UsageError(f"knob {self.name}: values={self.values}, expected distinct ascending integers")

    @property
    def effective_positions(self) -> NDArray[np.float64]:
        """Grid position of each value, 0 moved to the position of its effective value."""
        positions = np.arange(len(self.values), dtype=float)
        if self.zero_means is not None and 0 in self.values:
            positive = [value > 0 for value in self.values]
            positions[self.values.index(0)] = np.interp(
                self.zero_means, np.array(self.values)[positive], positions[positive]
            )
        return positions


@dataclass(frozen=True)
class ConfigurationSpace:
    """All combinations of the knobs' values, in row-major order (the last knob varies fastest).

    A configuration is a tuple of values, and the flat index of that tuple in ``configurations``.
    """

    knobs: tuple[Knob, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the knobs, in order."""
        return tuple(knob.name for knob in self.knobs)

    @cached_property
    def configurations(self) -> tuple[Configuration, ...]:
        """Every configuration, by flat index."""
        return tuple(product(*(knob.values for knob in self.knobs)))

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """Every configuration as an array, shape (size, number of knobs)."""
        return np.array(self.configurations, dtype=np.int64)

    @property
    def size(self) -> int:
        """Number of configurations."""
        return len(self.configurations)

    @cached_property
    def _index(self) -> dict[Configuration, int]:
        return {configuration: index for index, configuration in enumerate(self.configurations)}

    def index(self, configuration: Sequence[int]) -> int:
        """Flat index of a configuration.

        Raises:
            UsageError: if it is not on the grid.
        """
        try:
            return self._index[tuple(configuration)]
        except (KeyError, TypeError):
            grid = ", ".join(f"{knob.name} in {list(knob.values)}" for knob in self.knobs)
            raise UsageError(f"configuration={configuration} is not on the grid: {grid}") from None

    @cached_property
    def _positions(self) -> dict[str, NDArray[np.float64]]:
        raw = [np.arange(len(knob.values), dtype=float) for knob in self.knobs]
        effective = [knob.effective_positions for knob in self.knobs]
        return {
            "raw": np.array(list(product(*raw))),
            "effective": np.array(list(product(*effective))),
        }

    def distances(
        self, index: int, metric: Metric = "euclidean", zero_distance: ZeroDistance = "raw"
    ) -> NDArray[np.float64]:
        """Distance of every configuration from one, in grid-index space (paper, Sec. IV-B).

        Args:
            index: flat index of the centre.
            metric: ``euclidean`` (the paper's), ``manhattan`` or ``chebyshev``.
            zero_distance: ``raw`` takes the value 0 as the grid's first point; ``effective`` puts it
                where the value that the system then uses stands.

        Returns:
            Array of shape (size,), dimensionless.
        """
        if metric not in _NORM_ORDERS:
            raise UsageError(f"metric={metric!r}, choose from {sorted(_NORM_ORDERS)}")
        if zero_distance not in self._positions:
            raise UsageError(f"zero_distance={zero_distance!r}, choose from {sorted(self._positions)}")
        positions = self._positions[zero_distance]
        norms: NDArray[np.float64] = np.linalg.norm(
            positions - positions[index], ord=_NORM_ORDERS[metric], axis=1
        )
        return norms

    def region(
        self, index: int, radius: float, metric: Metric = "euclidean", zero_distance: ZeroDistance = "raw"
    ) -> NDArray[np.int64]:
        """Flat indices within ``radius`` of a configuration, ascending; radius 0 is always itself alone."""
        if radius == 0:
            return np.array([index])
        return np.flatnonzero(self.distances(index, metric, zero_distance) <= radius + 1e-9)


def cpu_space(
    maximum: int = 10, minimum: int = 0, system_default: int | None = None, request_default: int | None = None
) -> ConfigurationSpace:
    """The paper's CPU space: request, inter-op and intra-op parallelism, each ``minimum``..``maximum``.

    Args:
        maximum: largest value of each knob; 10 gives the authors' 11 x 11 x 11 = 1331 configurations.
        minimum: 0 includes the system defaults (TensorFlow's own choice; batching disabled).
        system_default: what inter- and intra-op 0 stand for; ``maximum`` unless given.
        request_default: what request 0 (batching disabled) stands for in distances; the largest value
            unless given.
    """
    values = tuple(range(minimum, maximum + 1))
    threads = system_default if system_default is not None else maximum
    requests = request_default if request_default is not None else maximum
    return parallelism_space(values, values, values, threads, requests)


def parallelism_space(
    request: Sequence[int],
    inter_op: Sequence[int],
    intra_op: Sequence[int],
    system_default: int | None = None,
    request_default: int | None = None,
) -> ConfigurationSpace:
    """Request, inter-op and intra-op parallelism on grids of their own; the defaults as in ``cpu_space``."""
    return ConfigurationSpace(
        (
            Knob("request_parallelism", tuple(request), request_default or max(request, default=0)),
            Knob("inter_op_parallelism", tuple(inter_op), system_default or max(inter_op, default=0)),
            Knob("intra_op_parallelism", tuple(intra_op), system_default or max(intra_op, default=0)),
        )
    )


def batching_space(
    batch_threads: Sequence[int] = (1, 2, 4, 6, 8, 10),
    batch_size: Sequence[int] = (1, 2, 4, 8, 16, 32, 50, 64),
    batch_timeout_us: Sequence[int] = (0, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000),
) -> ConfigurationSpace:
    """The paper's GPU space: batch threads, batch size, and batch timeout in microseconds.

    The value 0 of batch threads or batch size disables batching; in distances it counts as the largest number
    of threads, and as batch size 1.
    """
    return ConfigurationSpace(
        (
            Knob("batch_threads", tuple(batch_threads), max(batch_threads, default=0)),
            Knob("batch_size", tuple(batch_size), 1),
            Knob("batch_timeout_us", tuple(batch_timeout_us)),
        )
    )
