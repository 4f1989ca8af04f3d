"""How often CAPES tries a random move, and how it notices that the workload is a new one."""

from __future__ import annotations

from typing import Any

from serving.errors import UsageError


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"{name}={value}, expected a number in [0, 1]")
    return value


class Exploration:
    """Probability of a random move: linear from 1 to ``end``, raised again when a new workload starts.

    The larger of two straight lines: from 1 at the first action to ``end`` after ``anneal_actions``, and from
    ``raised`` at the start of a new workload to ``end`` after ``raised_actions``. Time is counted in actions:
    CAPES' two hours were 7200 of them, but would be 60 slots here.

    Args:
        anneal_actions: length of the first line.
        end: what remains for ever.
        raised: height on a new workload; 0 switches that off.
        raised_actions: length of the second line.

    Raises:
        UsageError: on values outside their range.
    """

    def __init__(
        self, anneal_actions: int = 500, end: float = 0.05, raised: float = 0.2, raised_actions: int = 100
    ) -> None:
        for name, value in (("anneal_actions", anneal_actions), ("new_workload_actions", raised_actions)):
            if value < 1:
                raise UsageError(f"{name}={value}, expected an integer >= 1")
        self._anneal_actions = anneal_actions
        self._end = _share("epsilon_end", end)
        self._raised = _share("new_workload_epsilon", raised)
        self._raised_actions = raised_actions
        self._actions = 0
        self._raised_at: int | None = None

    @property
    def epsilon(self) -> float:
        """Probability that the next move is a random one."""
        first = self._line(1.0, self._actions, self._anneal_actions)
        if self._raised_at is None:
            return first
        return max(first, self._line(self._raised, self._actions - self._raised_at, self._raised_actions))

    def _line(self, height: float, actions: int, length: int) -> float:
        return max(self._end, height - (height - self._end) * actions / length)

    def count(self) -> None:
        """One more action was taken."""
        self._actions += 1

    def new_workload(self) -> None:
        """Explore more from the next action on."""
        self._raised_at = self._actions

    def state_dict(self) -> dict[str, Any]:
        """The counters."""
        return {"actions": self._actions, "raised_at": self._raised_at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from saved counters."""
        self._actions, self._raised_at = state["actions"], state["raised_at"]


class WorkloadChange:
    """A new workload: the load stays in another level for some slots in a row (our reading; 3 slots)."""

    def __init__(self, slots: int = 3) -> None:
        self._slots = slots
        self._level: int | None = None
        self._candidate: int | None = None
        self._seen = 0

    def __call__(self, level: int) -> bool:
        """Whether the load level of this slot makes it the start of a new workload."""
        if self._level is None or level == self._level:
            self._level, self._candidate, self._seen = level, None, 0
            return False
        self._seen = self._seen + 1 if level == self._candidate else 1
        self._candidate = level
        if self._seen < self._slots:
            return False
        self._level, self._candidate, self._seen = level, None, 0
        return True

    def state_dict(self) -> dict[str, Any]:
        """The level in force and the one that may follow."""
        return {"level": self._level, "candidate": self._candidate, "seen": self._seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._level, self._candidate, self._seen = state["level"], state["candidate"], state["seen"]
