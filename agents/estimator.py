"""Estimators f(c, r_t) of Eq. (1): what a slot would have cost under the neighbours of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.neural_estimator import AnchoredNetworkEstimator, NetworkEstimator
from agents.neural_scratch import ScratchNetworkEstimator
from serving.configuration import ConfigurationSpace
from serving.errors import UsageError


class Estimator(Protocol):
    """Estimates costs near an observed one, and may learn from all that was observed.

    In every slot the agent calls ``learn`` first, then ``estimate``. Configurations are flat indices,
    costs in the objective's unit, loads in requests per second (the load of the agent's observation, that
    is, of state s_t).
    """

    def learn(self, load_rps: float, configuration: int, cost: float) -> None:
        """Take in one observed slot."""

    def estimate(
        self, load_rps: float, configuration: int, cost: float, region: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Cost of every configuration of the region in the slot in which ``configuration`` cost ``cost``.

        Returns:
            Array of shape (len(region),), in the region's order.
        """

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on in another process."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


class ConstantEstimator:
    """f(c, r_t) = r_t: every configuration of the region is taken to cost what was observed.

    The simplest f that meets the paper's condition f(c_t, r_t) = r_t; its error is the Delta of Theorem 1.
    """

    def learn(self, load_rps: float, configuration: int, cost: float) -> None:
        """Nothing to learn."""

    def estimate(
        self,
        load_rps: float,  # noqa: ARG002 - the protocol's
        configuration: int,  # noqa: ARG002
        cost: float,
        region: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """The observed cost, everywhere."""
        return np.full(region.shape, cost)

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


def _constant(
    _space: ConfigurationSpace, _rng: np.random.Generator, _max_load_rps: float | None
) -> Estimator:
    return ConstantEstimator()


EstimatorFactory = Callable[..., Estimator]

ESTIMATORS: dict[str, EstimatorFactory] = {
    "constant": _constant,
    "nn": NetworkEstimator,
    "nn_anchored": AnchoredNetworkEstimator,
    "nn_scratch": ScratchNetworkEstimator,
}
"""Factories ``(space, rng, max_load_rps, **settings) -> Estimator`` by name."""


def make_estimator(
    name: str,
    space: ConfigurationSpace,
    rng: np.random.Generator,
    settings: Mapping[str, Any] | None = None,
    max_load_rps: float | None = None,
) -> Estimator:
    """The estimator of that name, with its own settings.

    Raises:
        UsageError: on an unknown name or setting, ``settings`` that are no mapping, or a missing
            ``max_load_rps`` where it is needed.
    """
    if name not in ESTIMATORS:
        raise UsageError(f"estimator={name!r}, choose from {sorted(ESTIMATORS)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise UsageError(f"estimator_settings={settings}, expected settings of estimator={name!r} or null")
    factory, given = ESTIMATORS[name], dict(settings or {})
    try:
        signature(factory).bind(space, rng, max_load_rps, **given)
    except TypeError as error:
        raise UsageError(f"estimator_settings={given} of estimator={name!r}: {error}") from None
    return factory(space, rng, max_load_rps, **given)
