"""The Q-network of CAPES against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from agents.capes_network import Adam, QNetwork, RmsProp

INPUTS, MOVES, HIDDEN, STEPS, MINIBATCH = 3, 5, 4, 3, 6


def make_network(optimizer, gamma=0.9, soft_update=0.1) -> QNetwork:
    rng = np.random.default_rng(1)
    return QNetwork(INPUTS, MOVES, HIDDEN, rng, optimizer, gamma, soft_update, STEPS, MINIBATCH)


def minibatches(seed=2, scale=1.0):
    rng = np.random.default_rng(seed)
    shape = (STEPS, MINIBATCH)
    inputs, next_inputs = rng.normal(size=(2, *shape, INPUTS)).astype(np.float32)
    move = rng.integers(MOVES, size=shape).astype(np.int32)
    return inputs, move, scale * rng.normal(size=shape).astype(np.float32), next_inputs


def forward(weights, inputs):
    first = np.tanh(inputs @ weights[0] + weights[1])
    second = np.tanh(first @ weights[2] + weights[3])
    return first, second, second @ weights[4] + weights[5]


def gradients(weights, target, inputs, move, reward, next_inputs, gamma):
    """Loss and its gradient by the chain rule: mean of (Q(s, a) - r - gamma max Q_target(s'))^2."""
    first, second, q = forward(weights, inputs)
    wanted = reward + gamma * forward(target, next_inputs)[2].max(axis=1)
    error = q[np.arange(len(move)), move] - wanted
    slope = np.zeros_like(q)
    slope[np.arange(len(move)), move] = 2 * error / len(move)
    at_second = (slope @ weights[4].T) * (1 - second**2)
    at_first = (at_second @ weights[2].T) * (1 - first**2)
    return float((error**2).mean()), [
        inputs.T @ at_first, at_first.sum(axis=0), first.T @ at_second, at_second.sum(axis=0),
        second.T @ slope, slope.sum(axis=0),
    ]  # fmt: skip


def adam_by_hand(rate):
    def step(weight, slots, gradient, number):
        slots[0] = 0.9 * slots[0] + 0.1 * gradient
        slots[1] = 0.999 * slots[1] + 0.001 * gradient**2
        unbiased = slots[0] / (1 - 0.9**number), slots[1] / (1 - 0.999**number)
        return weight - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)

    return step


def rmsprop_by_hand(rate):
    def step(weight, slots, gradient, number):
        clipped = gradient * min(1.0, 5.0 / np.linalg.norm(gradient))
        slots[0] = 0.9 * slots[0] + 0.1 * clipped**2
        return weight - rate * clipped / np.sqrt(slots[0] + 1e-10)

    return step


@pytest.mark.parametrize(
    ("optimizer", "by_hand", "scale"),
    [
        (Adam(0.01), adam_by_hand(0.01), 1.0),
        (RmsProp(0.01), rmsprop_by_hand(0.01), 1.0),
        (RmsProp(0.01), rmsprop_by_hand(0.01), 500.0),  # so that every gradient is clipped
    ],
)
def test_all_steps_of_a_call_agree_with_numpy(optimizer, by_hand, scale):
    network = make_network(optimizer)
    weights = [w.astype(float) for w in network.state_dict()["weights"]]
    target = [w.copy() for w in weights]
    slots = [[np.full_like(w, slot) for slot in optimizer.slots] for w in weights]
    batches = minibatches(scale=scale)
    losses = []
    for number, batch in enumerate(zip(*batches, strict=True), start=1):
        loss, slopes = gradients(weights, target, *batch, gamma=0.9)
        losses.append(loss)
        weights = [by_hand(w, s, g, number) for w, s, g in zip(weights, slots, slopes, strict=True)]
        target = [0.9 * t + 0.1 * w for t, w in zip(target, weights, strict=True)]
    then = np.ones(INPUTS, dtype=np.float32)
    loss, values = network.train(*batches, then)
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)
    trained = network.state_dict()
    for ours, theirs in zip(trained["weights"] + trained["target"], weights + target, strict=True):
        # A step is 0.01; where a gradient is nearly 0, float32 decides on a few per cent of it.
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=3e-4)
    np.testing.assert_allclose(values, forward(weights, then)[2], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(values, network.values(then))


def test_the_target_follows_softly():
    network = make_network(Adam(0.01), soft_update=0.25)
    start = network.state_dict()["weights"][0]
    one_step = QNetwork(INPUTS, MOVES, HIDDEN, np.random.default_rng(1), Adam(0.01), 0.9, 0.25, 1, MINIBATCH)
    one_step.train(*(array[:1] for array in minibatches()), np.ones(INPUTS, dtype=np.float32))
    after = one_step.state_dict()
    assert np.abs(after["weights"][0] - start).min() > 1e-3
    np.testing.assert_allclose(after["target"][0], 0.75 * start + 0.25 * after["weights"][0], atol=1e-6)


def test_the_graph_is_traced_once_however_often_it_trains():
    network = make_network(Adam())
    then = np.ones(INPUTS, dtype=np.float32)
    for seed in range(5):
        network.train(*minibatches(seed), then)
        network.values(then)
    assert network._training.experimental_get_tracing_count() == 1
    assert network._valuing.experimental_get_tracing_count() == 1
    assert network.state_dict()["step"][0] == 5 * STEPS


def test_first_weights_follow_the_rule_and_the_generator():
    weights = make_network(Adam()).state_dict()["weights"]
    for weight, fan_in in zip(weights[::2], (INPUTS, HIDDEN, HIDDEN), strict=True):
        assert 0 < np.abs(weight).max() <= fan_in**-0.5
    assert not np.concatenate(weights[1::2]).any()
    for one, other in zip(weights, make_network(Adam()).state_dict()["weights"], strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_learns_the_value_of_a_known_chain():
    # One state, reward 1 for move 2 and 0 else: Q = 1 + gamma / (1 - gamma) * 1 for move 2, gamma less else.
    rng = np.random.default_rng(0)
    network = QNetwork(1, MOVES, 16, rng, Adam(3e-3), gamma=0.5, soft_update=0.05, steps=20, minibatch=16)
    shape = (20, 16)
    ones = np.ones((*shape, 1), dtype=np.float32)
    for _ in range(60):
        move = rng.integers(MOVES, size=shape).astype(np.int32)
        network.train(ones, move, (move == 2).astype(np.float32), ones, ones[0, 0])
    expected = np.where(np.arange(MOVES) == 2, 2.0, 1.0)
    np.testing.assert_allclose(network.values(ones[0, 0]), expected, atol=0.03)
