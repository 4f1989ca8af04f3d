"""DeepRM (Mao et al., HotNets 2016), brought from job packing to the choice of configurations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.deeprm_heads import make_head
from agents.deeprm_image import SlotRow, StateImage
from agents.deeprm_network import PolicyNetwork
from agents.deeprm_player import Player
from agents.deeprm_pretraining import Pretraining, Simulate
from agents.deeprm_reinforce import RewardScale, Step, reinforce
from serving.configuration import Configuration, ConfigurationSpace
from serving.errors import UsageError
from serving.observation import Observation


class DeepRMAgent:
    """Policy gradient on an image of the recent slots.

    From the published DeepRM: an image as the state, one hidden layer of 20 ReLU and a softmax, REINFORCE
    over episodes of fixed length with a baseline per step of the episode, no discount, no critic, RMSProp.
    The paper says only that it was implemented in its framework; what the image shows, what the actions
    are and what a slot is worth (-cost over a reference, at least -5) is ours. DeepRM's slowdown has no
    counterpart here: agents do not see single requests.

    Online, ``episodes`` consecutive stretches of ``episode_slots`` slots are the group of the baseline.
    With ``pretrain_iterations`` the policy is first trained as DeepRM's was, on simulated runs, before the
    first action; then it goes on learning online, or stays as it is (``frozen``).

    Args:
        space: the configurations.
        rng: source of all randomness.
        load_levels: number of load bins.
        slo_s: latency objective, the scale of the image's latency.
        simulate: makes simulated environments; asked only with ``pretrain_iterations``.
        head: ``factorised``, ``joint`` or ``increment`` (see ``agents.deeprm_heads``).
        history_slots: rows of the image.
        hidden: units of the hidden layer.
        learning_rate: of RMSProp; likewise ``decay`` and ``epsilon``.
        episodes: episodes of a batch, 2 or more: their mean is the baseline.
        episode_slots: slots of an episode.
        start: configuration of the first slot; None leaves it to the policy, and to chance with
            ``increment``. It is not learned from where the policy did not choose it.
        pretrain_iterations: updates before the run; 0 learns online only.
        pretrain_episodes: simulated runs side by side.
        pretrain_episode_slots: slots of a simulated episode.
        frozen: learn nothing in the run itself.

    Raises:
        UsageError: on values outside their range and names that do not exist.
    """

    def __init__(
        self,
        *,
        space: ConfigurationSpace,
        rng: np.random.Generator,
        load_levels: int,
        slo_s: float,
        simulate: Simulate | None = None,
        head: str = "factorised",
        history_slots: int = 20,
        hidden: int = 20,
        learning_rate: float = 1e-3,
        decay: float = 0.9,
        epsilon: float = 1e-9,
        episodes: int = 5,
        episode_slots: int = 10,
        start: Sequence[int] | None = None,
        pretrain_iterations: int = 0,
        pretrain_episodes: int = 20,
        pretrain_episode_slots: int = 50,
        frozen: bool = False,
    ) -> None:
        _check_counts(1, history_slots=history_slots, hidden=hidden, episode_slots=episode_slots)
        _check_counts(1, pretrain_episode_slots=pretrain_episode_slots)
        _check_counts(2, episodes=episodes, pretrain_episodes=pretrain_episodes)
        _check_counts(0, pretrain_iterations=pretrain_iterations)
        if not (learning_rate > 0 and epsilon > 0):
            raise UsageError(f"learning_rate={learning_rate}, epsilon={epsilon}, expected numbers > 0")
        if not 0 <= decay < 1:
            raise UsageError(f"decay={decay}, expected a number in [0, 1)")
        if frozen and not pretrain_iterations:
            raise UsageError("frozen=true, expected with pretrain_iterations > 0 only")
        self._space = space
        self._rng = rng
        self._head = make_head(head, space)
        self._row = SlotRow(space, load_levels, slo_s)
        self._history_slots = history_slots
        self._start = None if start is None else space.index(start)
        self._network = PolicyNetwork(
            history_slots * self._row.cells, self._head.sizes, rng,
            hidden=hidden, learning_rate=learning_rate, decay=decay, epsilon=epsilon,
        )  # fmt: skip
        self._scale = RewardScale()
        self._player = self._new_player()
        self._episodes, self._episode_slots = episodes, episode_slots
        self._decided: dict[int, Step] = {}
        self._batch: list[Step] = []
        self._updates = 0
        self._loss = float("nan")
        self._frozen = frozen
        self._pretrain = (pretrain_iterations, pretrain_episode_slots)
        self._pretraining: Pretraining | None = None
        if pretrain_iterations:
            if simulate is None:
                raise UsageError(
                    f"pretrain_iterations={pretrain_iterations} needs a simulator, expected 0 without one"
                )
            self._pretraining = Pretraining(simulate, pretrain_episodes, self._new_player)

    def _new_player(self) -> Player:
        image = StateImage(self._row, self._history_slots)
        return Player(self._network, self._head, image, self._space.size, self._rng, self._start)

    def act(self, observation: Observation) -> Configuration:
        """Draw from the policy; before the very first draw, train it in the simulator where wanted."""
        if self._pretraining is not None:
            self._pretraining.run(self._network, self._scale, *self._pretrain)
            self._pretraining = None
        index, step = self._player.act(observation)
        if step is not None and not self._frozen:
            self._decided[observation.slot] = step
        return self._space.configurations[index]

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,  # noqa: ARG002 - the policy's own choices are kept
        cost: float,
        next_observation: Observation,  # noqa: ARG002 - REINFORCE looks at returns only
    ) -> None:
        """Take in the cost; at the end of a batch of episodes, improve the policy."""
        step = self._decided.pop(observation.slot, None)
        self._decided = {slot: kept for slot, kept in self._decided.items() if slot > observation.slot}
        self._scale.take_in(cost)
        if step is None:
            return
        self._batch.append(step.at(cost))
        if len(self._batch) == self._episodes * self._episode_slots:
            length = self._episode_slots
            starts = range(0, len(self._batch), length)
            self._loss = reinforce(
                self._network, self._scale, [self._batch[at : at + length] for at in starts]
            )
            self._batch = []
            self._updates += 1

    def diagnostics(self) -> dict[str, Any]:
        """Keys: ``entropy`` of the last policy in nats, ``updates`` online, ``loss`` of the last update.

        And ``cost_reference``, the cost that earns a reward of -1.
        """
        return {
            "loss": self._loss,
            "entropy": self._player.entropy,
            "updates": self._updates,
            "cost_reference": self._scale.reference,
        }

    def state_dict(self) -> dict[str, Any]:
        """Network, image, unfinished batch, generator and counters."""
        return {
            "network": self._network.state_dict(),
            "player": self._player.state_dict(),
            "scale": self._scale.state_dict(),
            "decided": dict(self._decided),
            "batch": list(self._batch),
            "updates": self._updates,
            "loss": self._loss,
            "pretrained": self._pretraining is None,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state: the next actions are those the saved agent would have taken."""
        self._loss = float(state["loss"])
        self._network.load_state_dict(state["network"])
        self._player.load_state_dict(state["player"])
        self._scale.load_state_dict(state["scale"])
        self._decided = dict(state["decided"])
        self._batch = list(state["batch"])
        self._updates = int(state["updates"])
        if state["pretrained"]:
            self._pretraining = None
        self._rng.bit_generator.state = state["rng"]


def _check_counts(least: int, **counts: int) -> None:
    for key, value in counts.items():
        if value < least:
            raise UsageError(f"{key}={value}, expected an integer >= {least}")
