"""A small feed-forward regressor, trained by many gradient steps in one call of one TensorFlow graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network_optimizers import Array, Optimizer
from agents.one_thread import tensorflow

HIDDEN = (256, 64)
"""Units of the hidden layers (paper, Sec. V-A)."""


class Network:
    """Fully connected, ReLU in the hidden layers, one linear output (paper, Sec. V-A).

    The graph is traced once for data of any length. The loss is the mean Huber loss
    ``c (|e| - c / 2)``, c = min(|e|, huber_delta), of the error e: half the squared error up to
    ``huber_delta``, linear beyond.

    Args:
        inputs: number of features.
        optimizer: takes the steps.
        rng: draws the weights (Glorot uniform; biases are 0).
        hidden: units of each hidden layer.
        huber_delta: see above, in the unit of the targets; infinite means the squared error.
    """

    def __init__(
        self,
        inputs: int,
        optimizer: Optimizer,
        rng: np.random.Generator,
        hidden: Sequence[int] = HIDDEN,
        huber_delta: float = np.inf,
    ) -> None:
        tf = tensorflow()
        self._widths = (inputs, *hidden, 1)
        self._optimizer = optimizer
        self._huber_delta = huber_delta
        self._steps = 0
        weights = self._draw(rng)
        self._weights = [tf.Variable(array) for array in weights]
        self._slots = [[tf.Variable(slot) for slot in optimizer.slots(array)] for array in weights]
        rows = tf.TensorSpec([None, inputs], tf.float32)
        batches = tf.TensorSpec([None, None, inputs], tf.float32)
        targets = tf.TensorSpec([None, None], tf.float32)
        first_step = tf.TensorSpec([], tf.float32)
        self._graphs = (
            tf.function(self._descend, input_signature=[batches, targets, first_step], autograph=False),
            tf.function(self._forward, input_signature=[rows], autograph=False),
        )
        # Calling the traced functions themselves halves the cost of a call.
        self._fit, self._predict = (graph.get_concrete_function() for graph in self._graphs)

    def reset(self, rng: np.random.Generator) -> None:
        """Draw new weights and forget what the optimizer remembers."""
        weights = self._draw(rng)
        slots = [self._optimizer.slots(array) for array in weights]
        self.load_state_dict({"weights": weights, "slots": slots, "steps": 0})

    def fit(self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> Array:
        """Take one gradient step per minibatch, in order.

        Args:
            x: features, shape (steps, batch, inputs).
            y: targets, shape (steps, batch).

        Returns:
            The loss of each minibatch before its step, shape (steps,).
        """
        losses: Array = self._fit(_tensor(x), _tensor(y), _tensor(self._steps + 1)).numpy()
        self._steps += len(losses)
        return losses

    def predict(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Outputs for features of shape (rows, inputs), shape (rows,)."""
        outputs: NDArray[np.float64] = self._predict(_tensor(x)).numpy().astype(np.float64)
        return outputs

    @property
    def traces(self) -> int:
        """How often TensorFlow built the graphs of ``fit`` and ``predict``: the larger of both numbers."""
        return max(int(graph.experimental_get_tracing_count()) for graph in self._graphs)

    def state_dict(self) -> dict[str, Any]:
        """Weights, the optimizer's slots, and the number of steps taken."""
        return {
            "weights": [weights.numpy() for weights in self._weights],
            "slots": [[slot.numpy() for slot in slots] for slots in self._slots],
            "steps": self._steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._steps = int(state["steps"])
        for variable, array in zip(self._weights, state["weights"], strict=True):
            variable.assign(array)
        for variables, arrays in zip(self._slots, state["slots"], strict=True):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)

    def _draw(self, rng: np.random.Generator) -> list[Array]:
        """Weights and biases, layer by layer."""
        arrays: list[Array] = []
        for fan_in, fan_out in zip(self._widths[:-1], self._widths[1:], strict=True):
            limit = np.sqrt(6.0 / (fan_in + fan_out))
            arrays.append(rng.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32))
            arrays.append(np.zeros(fan_out, np.float32))
        return arrays

    def _forward(self, x: Any) -> Any:
        tf = tensorflow()
        for weights, biases in zip(self._weights[:-2:2], self._weights[1:-2:2], strict=True):
            x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, weights), biases))
        return tf.nn.bias_add(tf.matmul(x, self._weights[-2]), self._weights[-1])[:, 0]

    def _descend(self, x: Any, y: Any, first_step: Any) -> Any:
        """The loop over the minibatches, inside the graph."""
        tf = tensorflow()
        steps = tf.shape(x)[0]

        def take(index: Any, errors: Any) -> Any:
            error, gradients = self._gradients(tf.gather(x, index), tf.gather(y, index))
            now = first_step + tf.cast(index, tf.float32)
            for weights, slots, gradient in zip(self._weights, self._slots, gradients, strict=True):
                self._optimizer.update(weights, slots, gradient, now)
            return index + 1, errors.write(index, error)

        recorded = tf.TensorArray(tf.float32, size=steps)
        _, recorded = tf.while_loop(
            lambda index, _: index < steps, take, (0, recorded), parallel_iterations=1
        )
        error = tf.abs(recorded.stack())
        clipped = tf.minimum(error, self._huber_delta)
        return tf.reduce_mean(clipped * (error - clipped / 2), axis=1)

    def _gradients(self, x: Any, y: Any) -> tuple[Any, list[Any]]:
        """Errors, shape (batch,), and the gradient of the mean loss in every weight array.

        Written out, because the graph that a gradient tape builds takes a third more time.
        """
        tf = tensorflow()
        read = [variable.read_value() for variable in self._weights]
        matrices, biases = read[::2], read[1::2]
        layers = [x]
        for matrix, bias in zip(matrices[:-1], biases[:-1], strict=True):
            layers.append(tf.nn.relu(tf.nn.bias_add(tf.matmul(layers[-1], matrix), bias)))
        error = tf.nn.bias_add(tf.matmul(layers[-1], matrices[-1]), biases[-1])[:, 0] - y
        clipped = tf.clip_by_value(error, -self._huber_delta, self._huber_delta)
        delta = (clipped / tf.cast(tf.size(y), tf.float32))[:, None]
        gradients: list[Any] = []
        for layer, matrix in zip(reversed(layers), reversed(matrices), strict=True):
            gradients = [tf.matmul(layer, delta, transpose_a=True), tf.reduce_sum(delta, axis=0), *gradients]
            if layer is not x:
                back = tf.matmul(delta, matrix, transpose_b=True)
                delta = tf.raw_ops.ReluGrad(gradients=back, features=layer)
        return error, gradients


def _tensor(array: Any) -> Any:
    return tensorflow().constant(np.asarray(array, np.float32))
