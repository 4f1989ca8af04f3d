"""f(c, r_t) as in the authors' released code: a network trained anew, from nothing, in every slot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import Network
from agents.network_optimizers import Ftrl
from agents.neural_samples import Samples
from serving.configuration import ConfigurationSpace
from serving.errors import UsageError

MS_PER_S = 1000.0
_LONGEST_GAP_S = 1.0  # mean gap that stands for no measured load (1/0), our choice: near that of 1 request/s


class ScratchNetworkEstimator:
    """f(c, r_t) = g(gap, c), fitted to all samples of all loads in every slot, weights drawn anew.

    As the authors' code: features as they are (mean gap between requests in seconds, then the knobs from the
    second on, then the first: inter-op, intra-op, request), targets in milliseconds, full-batch FTRL with
    TensorFlow's start, Huber loss. Every ``check_steps`` steps the loss is compared with the best so far;
    training ends after ``patience`` checks without improvement. Predictions below 1 ms count as 1 ms (our
    guard: the code has none, and its policy divides by them).

    Costs are in seconds, as everywhere; the milliseconds stay inside.

    Args:
        space: the configurations.
        rng: draws the weights.
        max_load_rps: not used, the features are not scaled.
        max_steps: gradient steps per slot at most. The authors' 30000 take tens of seconds a slot: results
            must state the cap.
        check_steps: gradient steps between two looks at the loss.
        patience: checks without improvement until training ends.
        learning_rate: of FTRL.
        initial_accumulator: of FTRL.
        huber_delta_ms: error beyond which the loss is linear, in milliseconds.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        max_load_rps: float | None = None,  # noqa: ARG002 - every estimator is offered it
        *,
        max_steps: int = 1500,
        check_steps: int = 100,
        patience: int = 10,
        learning_rate: float = 0.7,
        initial_accumulator: float = 0.1,
        huber_delta_ms: float = 100.0,
    ) -> None:
        for key, value in (("max_steps", max_steps), ("check_steps", check_steps), ("patience", patience)):
            if value < 1:
                raise UsageError(f"{key}={value}, expected an integer >= 1")
        if not huber_delta_ms > 0:
            raise UsageError(f"huber_delta_ms={huber_delta_ms}, expected a number > 0")
        self._rng = rng
        self._max_steps = max_steps
        self._check_steps = check_steps
        self._patience = patience
        self._knobs = np.roll(space.values, -1, axis=1).astype(float)
        self._samples = Samples(1 + len(space.knobs))
        self.loss = float("nan")  # at the end of the last training
        optimizer = Ftrl(learning_rate, initial_accumulator, centred=False)
        self.network = Network(1 + len(space.knobs), optimizer, rng, huber_delta=huber_delta_ms)

    def learn(self, load_rps: float, configuration: int, cost: float) -> None:
        """Add the slot to the samples."""
        features = self.features(load_rps, np.array([configuration]))[0]
        self._samples.append(features, MS_PER_S * cost)

    def estimate(
        self,
        load_rps: float,
        configuration: int,  # noqa: ARG002 - the protocol's
        cost: float,  # noqa: ARG002
        region: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Train a new network, and return what it predicts in the region."""
        self._train()
        predicted_ms = self.network.predict(self.features(load_rps, region))
        return np.maximum(predicted_ms, 1.0) / MS_PER_S

    def _train(self) -> None:
        self.network.reset(self._rng)
        x, y = self._samples.x, self._samples.y
        best, checks_left, steps_left = np.inf, self._patience, self._max_steps
        while steps_left > 0 and checks_left > 0:
            steps = min(self._check_steps, steps_left)
            self.loss = float(self.network.fit(np.tile(x, (steps, 1, 1)), np.tile(y, (steps, 1)))[-1])
            steps_left -= steps
            checks_left = self._patience if self.loss < best else checks_left - 1
            best = min(best, self.loss)

    def features(self, load_rps: float, configurations: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the network sees of configurations at a load, shape (len(configurations), 1 + knobs)."""
        gap_s = min(1 / load_rps, _LONGEST_GAP_S) if load_rps > 0 else _LONGEST_GAP_S
        return np.column_stack((np.full(len(configurations), gap_s), self._knobs[configurations]))

    def state_dict(self) -> dict[str, Any]:
        """The samples, and the last loss: the network is trained anew before it is used again."""
        return {"samples": self._samples.state_dict(), "loss": self.loss}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._samples.load_state_dict(state["samples"])
        self.loss = state["loss"]
