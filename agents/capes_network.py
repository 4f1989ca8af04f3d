"""The Q-network of CAPES: two hidden layers, a slowly following target network, many steps in one call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.one_thread import tensorflow
from serving.errors import UsageError

_Weights = list[NDArray[np.float32]]


class Optimizer(Protocol):
    """One gradient step of all variables."""

    @property
    def slots(self) -> tuple[float, float]:
        """Start values of the two running averages that belong to every weight."""

    def apply(self, weights: list[Any], slots: list[list[Any]], gradients: list[Any], step: Any) -> None:
        """Add the operations to the graph; ``step`` counts from 1."""


@dataclass(frozen=True)
class Adam:
    """Adam with its usual constants; CAPES' paper trains with it at 1e-4."""

    learning_rate: float = 1e-4
    slots: tuple[float, float] = (0.0, 0.0)

    def apply(self, weights: list[Any], slots: list[list[Any]], gradients: list[Any], step: Any) -> None:
        """See ``Optimizer``; TensorFlow's fused kernel costs half of Keras' optimizer."""
        tf = tensorflow()
        beta1_power, beta2_power = 0.9**step, 0.999**step
        for weight, (m, v), gradient in zip(weights, slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.handle, m=m.handle, v=v.handle, grad=gradient, lr=self.learning_rate,
                beta1=0.9, beta2=0.999, epsilon=1e-8, beta1_power=beta1_power, beta2_power=beta2_power,
            )  # fmt: skip


@dataclass(frozen=True)
class RmsProp:
    """RMSProp on gradients clipped to norm 5, tensor by tensor, as CAPES' released code.

    The running mean of squares starts at 1, as TensorFlow 1 had it: the first steps are small.
    """

    learning_rate: float = 1e-3
    slots: tuple[float, float] = (1.0, 0.0)

    def apply(
        self,
        weights: list[Any],
        slots: list[list[Any]],
        gradients: list[Any],
        step: Any,  # noqa: ARG002 - the protocol's
    ) -> None:
        """See ``Optimizer``."""
        tf = tensorflow()
        for weight, (mean_square, momentum), gradient in zip(weights, slots, gradients, strict=True):
            tf.raw_ops.ResourceApplyRMSProp(
                var=weight.handle, ms=mean_square.handle, mom=momentum.handle,
                grad=tf.clip_by_norm(gradient, 5.0), lr=self.learning_rate,
                rho=0.9, momentum=0.0, epsilon=1e-10,
            )  # fmt: skip


def make_optimizer(name: str, learning_rate: float | None = None) -> Optimizer:
    """``adam`` or ``rmsprop``, at its published learning rate unless given.

    Raises:
        UsageError: on another name or a rate that is not positive.
    """
    kinds: dict[str, type[Adam] | type[RmsProp]] = {"adam": Adam, "rmsprop": RmsProp}
    if name not in kinds:
        raise UsageError(f"optimizer={name!r}, choose from {sorted(kinds)}")
    if learning_rate is None:
        return kinds[name]()
    if not learning_rate > 0:
        raise UsageError(f"learning_rate={learning_rate}, expected a number > 0")
    return kinds[name](learning_rate)


class QNetwork:
    """Q of every move, trained on squared TD errors against a target network.

    Two hidden tanh layers of the same size and a linear output; weights uniform within 1 / sqrt(fan-in),
    biases 0 (CAPES' code). One call of ``train`` does all steps of a slot in one graph of fixed signature,
    which is traced once, at the first call.

    Args:
        inputs: number of inputs.
        moves: number of outputs.
        hidden: units of each hidden layer.
        rng: draws the first weights.
        optimizer: how weights follow gradients.
        gamma: discount factor in [0, 1).
        soft_update: share of the way that the target network moves towards the network after every step.
        steps: gradient steps per call of ``train``.
        minibatch: transitions per step.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self,
        inputs: int,
        moves: int,
        hidden: int,
        rng: np.random.Generator,
        optimizer: Optimizer,
        gamma: float = 0.99,
        soft_update: float = 0.01,
        steps: int = 10,
        minibatch: int = 32,
    ) -> None:
        counts = (("hidden", hidden), ("training_steps", steps), ("minibatch", minibatch))
        for name, value in counts:
            if value < 1:
                raise UsageError(f"{name}={value}, expected an integer >= 1")
        if not 0 <= gamma < 1:
            raise UsageError(f"gamma={gamma}, expected a number in [0, 1)")
        if not 0 < soft_update <= 1:
            raise UsageError(f"soft_update={soft_update}, expected a number in (0, 1]")
        tf = tensorflow()
        self._optimizer, self._gamma, self._soft_update, self._steps = optimizer, gamma, soft_update, steps
        first = _first_weights((inputs, hidden, hidden, moves), rng)
        self._weights = [tf.Variable(weight) for weight in first]
        self._target = [tf.Variable(weight) for weight in first]
        self._slots = [[tf.Variable(np.full_like(w, slot)) for slot in optimizer.slots] for w in first]
        self._step = tf.Variable(0.0)
        one = tf.TensorSpec((1, inputs), tf.float32)
        many = tf.TensorSpec((steps, minibatch, inputs), tf.float32)
        moved = tf.TensorSpec((steps, minibatch), tf.int32)
        rewards = tf.TensorSpec((steps, minibatch), tf.float32)
        self._training = tf.function(self._graph, input_signature=[many, moved, rewards, many, one])
        self._valuing = tf.function(self._forward, input_signature=[one])
        self._moves = moves

    @cached_property
    def _train(self) -> Any:
        # The one concrete graph: called directly it costs a millisecond less than by tf.function's dispatch.
        return self._training.get_concrete_function()

    @cached_property
    def _values(self) -> Any:
        return self._valuing.get_concrete_function()

    def values(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Q of every move for one input, shape (moves,)."""
        values: NDArray[np.float32] = self._values(tensorflow().constant(inputs[None])).numpy()[0]
        return values

    def train(
        self,
        inputs: NDArray[np.float32],
        move: NDArray[np.int32],
        reward: NDArray[np.float32],
        next_inputs: NDArray[np.float32],
        then: NDArray[np.float32],
    ) -> tuple[float, NDArray[np.float32]]:
        """Take one step per minibatch, arrays of shape (steps, minibatch, ...).

        Returns:
            Mean loss of the steps, and Q of every move for the input ``then`` afterwards, which spares the
            next decision a call.
        """
        arrays = (inputs, move, reward, next_inputs, then[None])
        loss, values = self._train(*(tensorflow().constant(array) for array in arrays))
        return float(loss), values.numpy()[0]

    def _forward(self, inputs: Any) -> Any:
        return _layers(self._weights, inputs)

    def _graph(self, inputs: Any, move: Any, reward: Any, next_inputs: Any, then: Any) -> tuple[Any, Any]:
        tf = tensorflow()
        taken = tf.one_hot(move, self._moves)

        def step(index: Any, total: Any) -> tuple[Any, Any]:
            batch = (inputs[index], taken[index], reward[index], next_inputs[index])
            return index + 1, total + self._one_step(*batch)

        _, total = tf.while_loop(
            lambda index, _: index < self._steps,
            step,
            (tf.constant(0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        return total / self._steps, self._forward(then)

    def _one_step(self, inputs: Any, taken: Any, reward: Any, next_inputs: Any) -> Any:
        tf = tensorflow()
        wanted = reward + self._gamma * tf.reduce_max(_layers(self._target, next_inputs), axis=1)
        weights = [tf.convert_to_tensor(weight) for weight in self._weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            error = tf.reduce_sum(_layers(weights, inputs) * taken, axis=1) - wanted
            loss = tf.reduce_mean(tf.square(error))
        gradients = tape.gradient(loss, weights)
        self._optimizer.apply(self._weights, self._slots, gradients, self._step.assign_add(1.0))
        for weight, target in zip(self._weights, self._target, strict=True):
            tf.raw_ops.ResourceApplyGradientDescent(
                var=target.handle, alpha=self._soft_update, delta=target - weight
            )
        return loss

    @property
    def _variables(self) -> dict[str, list[Any]]:
        slots = [slot for pair in self._slots for slot in pair]
        return {"weights": self._weights, "target": self._target, "slots": slots, "step": [self._step]}

    def state_dict(self) -> dict[str, Any]:
        """Copies of both networks' weights, of the optimizer's averages, and the number of steps."""
        return {name: [one.numpy().copy() for one in group] for name, group in self._variables.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved weights."""
        for name, group in self._variables.items():
            for variable, value in zip(group, state[name], strict=True):
                variable.assign(value)


def _first_weights(sizes: tuple[int, ...], rng: np.random.Generator) -> _Weights:
    """Weight and bias of every layer, in turn."""
    weights: _Weights = []
    for fan_in, fan_out in pairwise(sizes):
        bound = fan_in**-0.5
        weights.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32))
        weights.append(np.zeros(fan_out, dtype=np.float32))
    return weights


def _layers(weights: list[Any], inputs: Any) -> Any:
    tf = tensorflow()
    first, first_bias, second, second_bias, last, last_bias = weights
    hidden = tf.tanh(tf.nn.bias_add(tf.matmul(inputs, first), first_bias))
    hidden = tf.tanh(tf.nn.bias_add(tf.matmul(hidden, second), second_bias))
    return tf.nn.bias_add(tf.matmul(hidden, last), last_bias)
