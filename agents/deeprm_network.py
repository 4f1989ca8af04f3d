"""DeepRM's policy network: image, one hidden layer, softmax outputs; trained by policy gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.one_thread import tensorflow
from agents.policy import softmax

Arrays = list[NDArray[np.float64]]

_WEIGHT_SCALE = 0.01  # standard deviation of the first weights, as in DeepRM's code


class PolicyNetwork:
    """Softmax probabilities of every choice, given an image.

    Acting is a forward pass in numpy (a TensorFlow call would cost more than the sums themselves);
    gradients come from TensorFlow.

    Args:
        inputs: cells of the flattened image.
        sizes: number of alternatives of every softmax.
        rng: draws the first weights, N(0, 0.01); biases start at 0.
        hidden: ReLU units of the hidden layer.
        learning_rate: of RMSProp; likewise ``decay`` of its mean of squares, and ``epsilon`` under its root.

    Attributes:
        weights: hidden weights and biases, output weights and biases.
        squares: RMSProp's running mean of the squared gradient, same shapes.
    """

    def __init__(
        self,
        inputs: int,
        sizes: tuple[int, ...],
        rng: np.random.Generator,
        *,
        hidden: int,
        learning_rate: float,
        decay: float,
        epsilon: float,
    ) -> None:
        outputs = sum(sizes)
        self.weights: Arrays = [
            rng.normal(0.0, _WEIGHT_SCALE, (inputs, hidden)),
            np.zeros(hidden),
            rng.normal(0.0, _WEIGHT_SCALE, (hidden, outputs)),
            np.zeros(outputs),
        ]
        self.squares: Arrays = [np.zeros_like(one) for one in self.weights]
        self._sizes = sizes
        self._ends = np.cumsum(sizes)[:-1]
        self._learning_rate = learning_rate
        self._decay = decay
        self._epsilon = epsilon

    def probabilities(self, image: NDArray[np.float64]) -> Arrays:
        """Probabilities of each softmax, given one flattened image."""
        hidden_weights, hidden_bias, weights, bias = self.weights
        logits = np.maximum(image @ hidden_weights + hidden_bias, 0.0) @ weights + bias
        return [softmax(part) for part in np.split(logits, self._ends)]

    def ascend(
        self, images: NDArray[np.float64], choices: NDArray[np.int64], advantages: NDArray[np.float64]
    ) -> float:
        """One RMSProp step up the gradient of the mean of log pi(choices | image) x advantage.

        Returns the mean before the step.

        Args:
            images: shape (N, inputs).
            choices: what was chosen in each softmax, shape (N, number of softmaxes).
            advantages: how much better than expected it turned out, shape (N,).
        """
        mean, gradients = policy_gradient(self._sizes, self.weights, images, choices, advantages)
        for index, gradient in enumerate(gradients):
            self.squares[index] = self._decay * self.squares[index] + (1 - self._decay) * gradient**2
            step = gradient / np.sqrt(self.squares[index] + self._epsilon)
            self.weights[index] = self.weights[index] + self._learning_rate * step
        return mean

    def state_dict(self) -> dict[str, Any]:
        """Weights and RMSProp's squares."""
        return {"weights": [w.copy() for w in self.weights], "squares": [s.copy() for s in self.squares]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved weights."""
        self.weights = [np.array(one, dtype=np.float64) for one in state["weights"]]
        self.squares = [np.array(one, dtype=np.float64) for one in state["squares"]]


def policy_gradient(
    sizes: tuple[int, ...],
    weights: Sequence[NDArray[np.float64]],
    images: NDArray[np.float64],
    choices: NDArray[np.int64],
    advantages: NDArray[np.float64],
) -> tuple[float, Arrays]:
    """The mean of log pi(choices | image) x advantage, and its gradient with respect to the weights."""
    mean, gradients = _traced_gradient(sizes)(list(weights), images, choices, advantages)
    return float(mean), [one.numpy() for one in gradients]


@cache
def _traced_gradient(sizes: tuple[int, ...]) -> Callable[..., tuple[Any, list[Any]]]:
    """The gradient as one graph, traced once for all networks with these softmaxes and any batch size."""
    tf = tensorflow()
    numbers = [tf.TensorSpec([None] * rank, tf.float64) for rank in (2, 1, 2, 1)]
    signature = [
        numbers,
        tf.TensorSpec([None, None], tf.float64),
        tf.TensorSpec([None, len(sizes)], tf.int64),
        tf.TensorSpec([None], tf.float64),
    ]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def gradient(weights: Any, images: Any, choices: Any, advantages: Any) -> Any:
        hidden_weights, hidden_bias, output_weights, output_bias = weights
        hidden = tf.nn.relu(images @ hidden_weights + hidden_bias)
        logits = tf.split(hidden @ output_weights + output_bias, sizes, axis=1)
        log_probability = -tf.add_n(
            [
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=choices[:, index], logits=part)
                for index, part in enumerate(logits)
            ]
        )
        mean = tf.reduce_mean(log_probability * advantages)
        return mean, tf.gradients(mean, weights)

    return gradient  # type: ignore[no-any-return]
