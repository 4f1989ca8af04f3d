"""Learning beside serving, as the paper's framework does (Sec. III)."""

from __future__ import annotations

from threading import Thread
from time import perf_counter
from typing import Any

from serving.agent import Agent
from serving.configuration import Configuration
from serving.observation import Observation

_Slot = tuple[Observation, Configuration, float, Observation]


class BackgroundAgent:
    """Lets an agent learn from a slot while the next one is being served.

    ``learn`` only stores the slot. The next ``act`` chooses with the policy that has not seen it yet, then
    has it learned in a thread; every later call waits for that thread first. So what an agent does depends
    on no timing: it is the agent that learns one slot late.

    An exception of the thread is raised by the next call.

    Args:
        agent: learns and acts, never at the same time.

    Attributes:
        agent: the same, for what needs no background.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self._stored: list[_Slot] = []
        self._thread: Thread | None = None
        self._failure: BaseException | None = None
        self._learn_s = float("nan")

    def act(self, observation: Observation) -> Configuration:
        """The agent's choice, one slot behind; then start learning what is stored."""
        self._join()
        configuration = self.agent.act(observation)
        slots, self._stored = self._stored, []
        if slots:
            self._thread = Thread(target=self._learn, args=(slots,), name="learning")
            self._thread.start()
        return configuration

    def learn(
        self,
        observation: Observation,
        configuration: Configuration,
        cost: float,
        next_observation: Observation,
    ) -> None:
        """Store the slot."""
        self._join()
        self._stored.append((observation, configuration, cost, next_observation))

    def _learn(self, slots: list[_Slot]) -> None:
        began_s = perf_counter()
        try:
            for slot in slots:
                self.agent.learn(*slot)
            self._learn_s = (perf_counter() - began_s) / len(slots)
        except BaseException as failure:  # handed to the caller's thread
            self._failure = failure

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def diagnostics(self) -> dict[str, Any]:
        """The agent's, and ``background_learn_s``: wall-clock of its last learning, beside serving."""
        self._join()
        own: dict[str, Any] = getattr(self.agent, "diagnostics", dict[str, Any])()
        return own | {"background_learn_s": self._learn_s}

    def state_dict(self) -> dict[str, Any]:
        """The agent's state, and the slot it has not learned from yet."""
        self._join()
        return {"agent": self.agent.state_dict(), "stored": list(self._stored)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._join()
        self.agent.load_state_dict(state["agent"])
        self._stored = list(state["stored"])
