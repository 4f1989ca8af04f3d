"""FTRL and Adam as TensorFlow's raw operations: half the cost of Keras' optimizers on small networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.one_thread import tensorflow
from serving.errors import UsageError

Array = NDArray[np.float32]


class Optimizer(Protocol):
    """Moves one weight array along its gradient; what it remembers of that array are its slots."""

    def slots(self, weights: Array) -> list[Array]:
        """Initial slots of a weight array, each of its shape."""

    def update(self, weights: Any, slots: Sequence[Any], gradient: Any, step: Any) -> Any:
        """Take one step (inside a graph); ``step`` counts from 1, as a float."""


@dataclass(frozen=True)
class Ftrl:
    """Follow the regularised leader (McMahan et al. 2013) without penalties, as TensorFlow computes it.

    The operation keeps n (sum of squared gradients, from ``initial_accumulator``) and z ("linear") and sets
    ``w = -z rate / sqrt(n)``: weights are recomputed from z, never moved. TensorFlow starts z at 0, which
    belongs to w = 0: whatever was drawn at first is lost, at once where the first gradient is 0, and the
    more the smaller gradients are beside the accumulator. That may leave a constant function.

    Attributes:
        learning_rate: of each weight, divided by sqrt(n).
        initial_accumulator: n at first, in squared units of the gradient.
        centred: start z where it belongs to the drawn weights, so that they are what the regularisation
            pulls to (our choice; the steps are then those of AdaGrad). False is TensorFlow's start.
    """

    learning_rate: float = 0.1
    initial_accumulator: float = 0.1
    centred: bool = True

    def __post_init__(self) -> None:
        _require_positive(learning_rate=self.learning_rate, initial_accumulator=self.initial_accumulator)

    def slots(self, weights: Array) -> list[Array]:
        """The arrays n and z."""
        pull = np.sqrt(self.initial_accumulator) / self.learning_rate if self.centred else 0.0
        return [np.full_like(weights, self.initial_accumulator), np.float32(-pull) * weights]

    def update(self, weights: Any, slots: Sequence[Any], gradient: Any, step: Any) -> Any:  # noqa: ARG002
        """See ``Optimizer``."""
        return tensorflow().raw_ops.ResourceApplyFtrl(
            var=weights.handle,
            accum=slots[0].handle,
            linear=slots[1].handle,
            grad=gradient,
            lr=self.learning_rate,
            l1=0.0,
            l2=0.0,
            lr_power=-0.5,
        )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015) with its usual decay rates.

    Attributes:
        learning_rate: about how far a weight moves in one step.
    """

    learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        _require_positive(learning_rate=self.learning_rate)

    def slots(self, weights: Array) -> list[Array]:
        """First and second moment."""
        return [np.zeros_like(weights), np.zeros_like(weights)]

    def update(self, weights: Any, slots: Sequence[Any], gradient: Any, step: Any) -> Any:
        """See ``Optimizer``."""
        tf = tensorflow()
        beta1, beta2 = 0.9, 0.999
        return tf.raw_ops.ResourceApplyAdam(
            var=weights.handle,
            m=slots[0].handle,
            v=slots[1].handle,
            beta1_power=tf.pow(beta1, step),
            beta2_power=tf.pow(beta2, step),
            lr=self.learning_rate,
            beta1=beta1,
            beta2=beta2,
            epsilon=1e-7,
            grad=gradient,
        )


def _require_positive(**values: float) -> None:
    for key, value in values.items():
        if not 0 < value < np.inf:
            raise UsageError(f"{key}={value}, expected a number > 0")


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"ftrl": Ftrl, "adam": Adam}


def make_optimizer(name: str, **settings: Any) -> Optimizer:
    """The optimizer of that name; settings that are None take its defaults.

    Raises:
        UsageError: on an unknown name, or a setting that this optimizer does not have.
    """
    if name not in OPTIMIZERS:
        raise UsageError(f"optimizer={name!r}, choose from {sorted(OPTIMIZERS)}")
    given = {key: value for key, value in settings.items() if value is not None}
    for key, value in given.items():
        if key not in signature(OPTIMIZERS[name]).parameters:
            raise UsageError(f"{key}={value}, expected none with optimizer={name}")
    return OPTIMIZERS[name](**given)
