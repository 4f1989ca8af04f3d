"""DeepRM's parts: image, heads, gradient, baseline, rewards."""

import numpy as np
import pytest

from agents.deeprm_heads import make_head
from agents.deeprm_image import SlotRow, StateImage
from agents.deeprm_network import PolicyNetwork, policy_gradient
from agents.deeprm_reinforce import RewardScale, Step, advantages, reinforce
from serving.configuration import ConfigurationSpace, Knob
from serving.errors import UsageError
from serving.observation import Observation

UNEVEN = ConfigurationSpace(
    (Knob("batch_size", (1, 8, 32, 64)), Knob("timeout_us", (0, 100)), Knob("threads", (1, 2, 4)))
)
HEADS = ["factorised", "increment", "joint"]


def seen(slot=1, **fields):
    return Observation(slot=slot, minute=2.0 * slot, **fields)


def bar(filled, cells=10):
    return [1.0] * filled + [0.0] * (cells - filled)


def test_a_row_shows_load_knobs_latency_and_utilisation():
    row = SlotRow(UNEVEN, load_levels=5, slo_s=0.5)
    drawn = row(
        seen(
            load_bin=3,
            configuration=UNEVEN.index((32, 0, 4)),
            mean_latency_s=0.42,  # of 1 s: cells of 0.1 s
            throughput_rps=9.0,
            utilisation=0.25,
        )
    )
    load = [0.0, 0.0, 0.0, 1.0, 0.0]
    assert drawn.tolist() == load + bar(3, 4) + bar(1, 2) + bar(3, 3) + bar(5) + bar(3)
    assert row.cells == 5 + 4 + 2 + 3 + 20


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        ({"mean_latency_s": 0.0, "throughput_rps": 1.0}, 0),
        ({"mean_latency_s": 0.01, "throughput_rps": 1.0}, 1),
        ({"mean_latency_s": 7.0, "throughput_rps": 1.0}, 10),
        ({"mean_latency_s": 0.0, "throughput_rps": 0.0, "backlog": 3}, 10),  # nothing got through
        ({"mean_latency_s": 0.0, "throughput_rps": 0.0, "backlog": 0}, 0),  # nothing was asked
    ],
)
def test_the_latency_bar_saturates(fields, filled):
    row = SlotRow(UNEVEN, load_levels=1, slo_s=0.5)(seen(**fields))
    assert row[-20:-10].sum() == filled


def test_the_image_holds_the_last_slots_newest_on_top():
    row = SlotRow(UNEVEN, load_levels=9, slo_s=0.5)
    image = StateImage(row, rows=3)
    shown = [image(seen(slot, load_bin=slot)).reshape(3, -1) for slot in range(6)]
    assert not shown[0].any()
    assert [shown[2][at, :9].argmax() for at in (0, 1)] == [2, 1]
    assert not shown[2][2].any()
    assert [shown[5][at, :9].argmax() for at in (0, 1, 2)] == [5, 4, 3]


def test_every_configuration_is_drawn_differently():
    row = SlotRow(UNEVEN, load_levels=1, slo_s=0.5)
    rows = {tuple(row(seen(configuration=index))) for index in range(UNEVEN.size)}
    assert len(rows) == UNEVEN.size


def test_joint_and_factorised_reach_every_configuration_once():
    for name in ("joint", "factorised"):
        head = make_head(name, UNEVEN)
        reached = [head.configuration(choices, 0) for choices in np.ndindex(head.sizes)]
        assert sorted(reached) == list(range(UNEVEN.size))
    values = UNEVEN.configurations[make_head("factorised", UNEVEN).configuration((2, 1, 0), 5)]
    assert values == (32, 100, 1)


def test_increments_move_one_knob_by_one_step_and_stay_on_the_grid():
    head = make_head("increment", UNEVEN)
    assert head.sizes == (7,)
    inside = UNEVEN.index((8, 0, 2))
    to = [UNEVEN.configurations[head.configuration((move,), inside)] for move in range(7)]
    assert to == [(8, 0, 2), (32, 0, 2), (1, 0, 2), (8, 100, 2), (8, 0, 2), (8, 0, 4), (8, 0, 1)]
    corner = UNEVEN.size - 1
    assert [head.configuration((up,), corner) for up in (1, 3, 5)] == [corner] * 3


def test_an_unknown_head_is_named():
    with pytest.raises(UsageError, match=r"head='both', choose from \['factorised', 'increment', 'joint'\]"):
        make_head("both", UNEVEN)


def small_network(sizes, rng, learning_rate=0.01):
    network = PolicyNetwork(12, sizes, rng, hidden=5, learning_rate=learning_rate, decay=0.9, epsilon=1e-9)
    network.weights = [rng.normal(0.0, 0.5, one.shape) for one in network.weights]
    return network


def batch(sizes, rng, count=8):
    images = rng.integers(0, 2, (count, 12)).astype(float)
    return images, rng.integers(0, sizes, (count, len(sizes))), rng.normal(size=count)


@pytest.mark.parametrize("name", HEADS)
def test_the_gradient_agrees_with_finite_differences(name):
    rng = np.random.default_rng(0)
    sizes = make_head(name, UNEVEN).sizes
    network = small_network(sizes, rng)
    images, choices, weights = batch(sizes, rng)

    def objective():
        logs = [
            sum(np.log(part[choice]) for part, choice in zip(network.probabilities(image), row, strict=True))
            for image, row in zip(images, choices, strict=True)
        ]
        return float(np.mean(np.array(logs) * weights))

    mean, gradient = policy_gradient(sizes, network.weights, images, choices, weights)
    assert mean == pytest.approx(objective())
    for array, slope in zip(network.weights, gradient, strict=True):
        for at in rng.choice(array.size, min(12, array.size), replace=False):
            kept, ends = array.flat[at], []
            for change in (1e-6, -1e-6):
                array.flat[at] = kept + change
                ends.append(objective())
            array.flat[at] = kept
            assert slope.flat[at] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_rmsprop_climbs_as_deeprms_code_does():
    rng = np.random.default_rng(1)
    network = small_network((3, 2), rng)
    sample = batch((3, 2), rng)
    squares = [np.zeros_like(one) for one in network.weights]
    for _ in range(3):
        _, gradient = policy_gradient((3, 2), network.weights, *sample)
        squares = [0.9 * s + 0.1 * g * g for s, g in zip(squares, gradient, strict=True)]
        expected = [
            w + 0.01 * g / np.sqrt(s + 1e-9)
            for w, g, s in zip(network.weights, gradient, squares, strict=True)
        ]
        network.ascend(*sample)
        for one, other in zip(network.weights, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


def test_the_baseline_is_the_mean_of_the_episodes_at_each_step():
    rewards = np.array([[-1.0, -2.0, 0.0], [-3.0, -4.0, -2.0]])
    # Returns to go: -3 -2 0 and -9 -6 -2; their means: -6 -4 -1.
    assert advantages(rewards).tolist() == [[3.0, 2.0, 1.0], [-3.0, -2.0, -1.0]]


def test_rewards_are_costs_over_the_median_of_the_first_twenty():
    scale = RewardScale()
    for cost in [*range(1, 20), None, 100.0, 1e9]:
        scale.take_in(cost)
    assert scale.reference == 10.5
    assert scale.reward(21.0) == -2.0
    assert scale.reward(1e6) == -5.0
    assert scale.reward(None) == 0.0


def test_what_was_better_than_the_baseline_becomes_more_probable():
    rng = np.random.default_rng(2)
    network = small_network((4,), rng)
    image = np.ones(12)
    before = network.probabilities(image)[0]
    scale = RewardScale()
    scale.take_in(1.0)
    reinforce(network, scale, [[Step(image, (2,), 0.5)], [Step(image, (0,), 1.5)]])
    after = network.probabilities(image)[0]
    assert after[2] > before[2]
    assert after[0] < before[0]


def test_where_all_costs_the_same_nothing_is_learned():
    rng = np.random.default_rng(3)
    network = small_network((4,), rng)
    before = [one.copy() for one in network.weights]
    scale = RewardScale()
    scale.take_in(2.0)
    images, choices, _ = batch((4,), rng, 6)
    steps = [Step(image, tuple(row), 2.0) for image, row in zip(images, choices, strict=True)]
    reinforce(network, scale, [steps[:3], steps[3:]])
    for one, other in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)
