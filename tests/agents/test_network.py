"""The network against its own definition in numpy, and what must hold of any regressor."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from agents.network import Network
from agents.network_optimizers import Adam, Ftrl, Optimizer, make_optimizer
from serving.errors import UsageError

RNG = np.random.default_rng(7)
X, Y = RNG.random((30, 16, 3)), 3 * RNG.random((30, 16))


class NumpyNetwork:
    """The same regressor in double precision: layers, Huber loss, FTRL (as TensorFlow states it), Adam."""

    def __init__(self, optimizer: Optimizer, seed: int, hidden: tuple[int, ...], delta: float) -> None:
        rng = np.random.default_rng(seed)
        self.weights: list[np.ndarray] = []
        for fan_in, fan_out in zip((3, *hidden), (*hidden, 1), strict=True):
            limit = np.sqrt(6 / (fan_in + fan_out))
            self.weights += [rng.uniform(-limit, limit, (fan_in, fan_out)), np.zeros(fan_out)]
        self.optimizer, self.delta = optimizer, delta
        if isinstance(optimizer, Ftrl):
            scale = np.sqrt(optimizer.initial_accumulator) / optimizer.learning_rate
            self.n = [np.full(w.shape, optimizer.initial_accumulator) for w in self.weights]
            self.z = [-scale * w if optimizer.centred else 0 * w for w in self.weights]
        else:
            self.n, self.z = [0 * w for w in self.weights], [0 * w for w in self.weights]

    def layers(self, x: np.ndarray) -> list[np.ndarray]:
        outputs = [x]
        for matrix, bias in zip(self.weights[:-2:2], self.weights[1:-2:2], strict=True):
            outputs.append(np.maximum(outputs[-1] @ matrix + bias, 0))
        return [*outputs, outputs[-1] @ self.weights[-2] + self.weights[-1]]

    def fit(self, x: np.ndarray, y: np.ndarray) -> list[float]:
        losses = []
        for step, (rows, targets) in enumerate(zip(x, y, strict=True), 1):
            *layers, output = self.layers(rows)
            error = output[:, 0] - targets
            quadratic = np.abs(error) <= self.delta
            linear = self.delta * (np.abs(error) - self.delta / 2)
            losses.append(float(np.where(quadratic, error**2 / 2, linear).mean()))
            back = (np.where(quadratic, error, self.delta * np.sign(error)) / len(error))[:, None]
            for layer in reversed(range(len(layers))):
                gradients = layers[layer].T @ back, back.sum(axis=0)
                back = (back @ self.weights[2 * layer].T) * (layers[layer] > 0)
                for part, gradient in enumerate(gradients):
                    self.step(2 * layer + part, gradient, step)
        return losses

    def step(self, k: int, g: np.ndarray, step: int) -> None:
        rate = self.optimizer.learning_rate
        if isinstance(self.optimizer, Ftrl):
            more = self.n[k] + g**2
            self.z[k] = self.z[k] + g - (np.sqrt(more) - np.sqrt(self.n[k])) / rate * self.weights[k]
            self.n[k] = more
            self.weights[k] = -rate * self.z[k] / np.sqrt(more)
        else:
            self.n[k] = 0.9 * self.n[k] + 0.1 * g
            self.z[k] = 0.999 * self.z[k] + 0.001 * g**2
            mean, square = self.n[k] / (1 - 0.9**step), self.z[k] / (1 - 0.999**step)
            self.weights[k] = self.weights[k] - rate * mean / (np.sqrt(square) + 1e-7)


@pytest.mark.parametrize("delta", [np.inf, 0.5])
@pytest.mark.parametrize("hidden", [(8,), (12, 6)])
@pytest.mark.parametrize("optimizer", [Ftrl(0.1, 0.1), Ftrl(0.1, 0.01, centred=False), Adam(0.01)])
def test_agrees_with_its_definition_in_numpy(optimizer, hidden, delta):
    ours = Network(3, optimizer, np.random.default_rng(3), hidden, delta)
    theirs = NumpyNetwork(optimizer, 3, hidden, delta)
    rows = RNG.random((50, 3))
    np.testing.assert_allclose(ours.predict(rows), theirs.layers(rows)[-1][:, 0], atol=1e-5)
    losses = np.concatenate((ours.fit(X[:20], Y[:20]), ours.fit(X[20:], Y[20:])))  # slots of Adam go on
    np.testing.assert_allclose(losses, theirs.fit(X, Y), rtol=1e-3)
    np.testing.assert_allclose(ours.predict(rows), theirs.layers(rows)[-1][:, 0], rtol=1e-2, atol=1e-3)
    assert losses[-5:].mean() < losses[:5].mean()


def test_the_graph_is_traced_once_for_data_of_any_length():
    network = Network(3, Ftrl(), np.random.default_rng(0))
    for steps, batch in ((1, 1), (2, 7), (40, 64), (3, 500)):
        losses = network.fit(np.ones((steps, batch, 3)), np.zeros((steps, batch)))
        assert losses.shape == (steps,)
        assert network.predict(np.ones((batch, 3))).shape == (batch,)
    network.reset(np.random.default_rng(1))
    network.fit(X, Y)
    assert network.traces == 1


@pytest.mark.parametrize("optimizer", [Ftrl(), Adam()])
def test_a_saved_network_goes_on_as_if_never_stopped(optimizer):
    one = Network(3, optimizer, np.random.default_rng(0))
    one.fit(X, Y)
    other = Network(3, optimizer, np.random.default_rng(1))
    other.load_state_dict(pickle.loads(pickle.dumps(one.state_dict())))
    for network in (one, other):
        network.fit(X, Y)
    np.testing.assert_array_equal(one.predict(X[0]), other.predict(X[0]))


def test_reset_is_a_new_network():
    used, new = (Network(3, Adam(), np.random.default_rng(seed)) for seed in (0, 5))
    used.fit(X, Y)
    used.reset(np.random.default_rng(5))
    np.testing.assert_array_equal(used.fit(X, Y), new.fit(X, Y))


@pytest.mark.parametrize("centred", [True, False])
def test_ftrl_loses_the_weights_that_see_no_gradient_at_first_unless_it_is_centred(centred):
    network = Network(3, Ftrl(0.1, 0.1, centred), np.random.default_rng(0))
    drawn = network.state_dict()["weights"][0]
    unseen = np.array([[[0.0, 0.0, 1.0]]])  # two inputs are 0: no gradient in their weights
    network.fit(unseen, np.ones((1, 1)))
    left = network.state_dict()["weights"][0][:2]
    np.testing.assert_allclose(left, drawn[:2] if centred else 0 * drawn[:2], rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "sgd"}, r"optimizer='sgd', choose from \['adam', 'ftrl'\]"),
        ({"name": "ftrl", "learning_rate": 0.0}, "learning_rate=0.0"),
        ({"name": "ftrl", "initial_accumulator": -1.0}, "initial_accumulator=-1.0"),
        ({"name": "adam", "learning_rate": float("nan")}, "learning_rate=nan"),
        ({"name": "adam", "centred": True}, "centred=True, expected none with optimizer=adam"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(settings, says):
    with pytest.raises(UsageError, match=says):
        make_optimizer(**settings)
