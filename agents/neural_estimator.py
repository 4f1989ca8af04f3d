"""f(c, r_t) from a network g(load, c) that keeps learning from slot to slot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import Network
from agents.network_optimizers import make_optimizer
from agents.neural_samples import Samples
from serving.configuration import ConfigurationSpace, ZeroDistance
from serving.errors import UsageError

SMALLEST_COST = 1e-3  # 1 ms: what a smaller cost counts as before its logarithm is taken
LONGEST_REACH = np.log(2.0)
"""How far a predicted logarithm may leave the observed range: exp() of a wild one would fill the Q table."""


def scaled_knobs(space: ConfigurationSpace, zero_distance: ZeroDistance) -> NDArray[np.float64]:
    """Grid position of every knob of every configuration, scaled to [0, 1]; shape (size, knobs).

    ``zero_distance=effective`` puts the value 0 ("system default") where the value that the system then uses
    stands, as in the region's distance; ``raw`` takes it as the grid's first point.
    """
    if zero_distance not in ("raw", "effective"):
        raise UsageError(f"zero_distance={zero_distance!r}, choose from ['effective', 'raw']")
    columns = []
    for knob, values in zip(space.knobs, space.values.T, strict=True):
        raw = np.arange(len(knob.values), dtype=float)
        positions = knob.effective_positions if zero_distance == "effective" else raw
        columns.append(positions[np.searchsorted(knob.values, values)] / max(len(raw) - 1, 1))
    return np.stack(columns, axis=1)


class NetworkEstimator:
    """f(c, r_t) = g(load, c): the network's cost, wherever the agent does not pin the observation itself.

    The network sees the load over ``max_load_rps`` and the scaled knobs, and predicts the logarithm of the
    cost (our choice: costs span three orders of magnitude). Every observed slot adds a sample and ``steps``
    gradient steps on minibatches drawn from all samples.

    Args:
        space: the configurations.
        rng: draws weights and minibatches.
        max_load_rps: upper end of the loads, for scaling.
        steps: gradient steps per slot.
        batch: samples per step, drawn with replacement.
        optimizer: ``ftrl`` (paper, Sec. V-A) or ``adam``.
        learning_rate: of the optimizer; its default where None.
        initial_accumulator: of FTRL; its default where None.
        centred: of FTRL; its default where None.
        zero_distance: where the knob value 0 stands, see ``scaled_knobs``.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        max_load_rps: float | None,
        *,
        steps: int = 40,
        batch: int = 64,
        optimizer: str = "ftrl",
        learning_rate: float | None = None,
        initial_accumulator: float | None = None,
        centred: bool | None = None,
        zero_distance: ZeroDistance = "effective",
    ) -> None:
        for key, value in (("steps", steps), ("batch", batch)):
            if value < 1:
                raise UsageError(f"{key}={value}, expected an integer >= 1")
        if max_load_rps is None or not max_load_rps > 0:
            raise UsageError(
                f"max_load_rps={max_load_rps}, expected a number > 0 with a network as estimator"
            )
        self._rng = rng
        self._max_load_rps = max_load_rps
        self._shape = (steps, batch)
        self._knobs = scaled_knobs(space, zero_distance)
        self._samples = Samples(1 + self._knobs.shape[1])
        self.loss = float("nan")  # mean over the last minibatches, each before its step
        self.network = Network(
            1 + self._knobs.shape[1],
            make_optimizer(
                optimizer,
                learning_rate=learning_rate,
                initial_accumulator=initial_accumulator,
                centred=centred,
            ),
            rng,
        )

    def learn(self, load_rps: float, configuration: int, cost: float) -> None:
        """Add the slot to the samples, and train."""
        features = self.features(load_rps, np.array([configuration]))[0]
        self._samples.append(features, np.log(max(cost, SMALLEST_COST)))
        drawn = self._rng.integers(len(self._samples), size=self._shape)
        self.loss = float(self.network.fit(self._samples.x[drawn], self._samples.y[drawn]).mean())

    def estimate(
        self,
        load_rps: float,
        configuration: int,  # noqa: ARG002 - the protocol's
        cost: float,  # noqa: ARG002
        region: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """The network's cost of every configuration of the region."""
        return np.exp(self.log_costs(load_rps, region))

    def log_costs(self, load_rps: float, configurations: NDArray[np.int64]) -> NDArray[np.float64]:
        """Logarithm of the predicted costs, same shape; at most ``LONGEST_REACH`` beyond those observed."""
        predicted = self.network.predict(self.features(load_rps, configurations))
        observed = self._samples.y
        return np.clip(predicted, observed.min() - LONGEST_REACH, observed.max() + LONGEST_REACH)

    def features(self, load_rps: float, configurations: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the network sees of configurations at a load, shape (len(configurations), 1 + knobs)."""
        load = np.full(len(configurations), load_rps / self._max_load_rps)
        return np.column_stack((load, self._knobs[configurations]))

    def state_dict(self) -> dict[str, Any]:
        """Network and samples; the generator is the agent's to keep."""
        return {
            "network": self.network.state_dict(),
            "samples": self._samples.state_dict(),
            "loss": self.loss,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        self._samples.load_state_dict(state["samples"])
        self.loss = state["loss"]


class AnchoredNetworkEstimator(NetworkEstimator):
    """f(c, r_t) = r_t g(load, c) / g(load, c_t): the observation, carried over by the network's ratios.

    Meets f(c_t, r_t) = r_t (Eq. 1) exactly, and uses r_t at every configuration of the region.
    """

    def estimate(
        self, load_rps: float, configuration: int, cost: float, region: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The observed cost times the ratio that the network predicts."""
        log_costs = self.log_costs(load_rps, np.append(region, configuration))
        # One row's prediction may differ in the last bit between places in a batch: the observed is set.
        ratios = np.exp(log_costs[:-1] - log_costs[-1])
        return np.where(region == configuration, cost, cost * ratios)
