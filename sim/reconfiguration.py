"""What changing a knob costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.configuration import Configuration
from serving.errors import UsageError


@dataclass(frozen=True)
class Switch:
    """How one configuration follows another.

    Attributes:
        delay_s: how long the configuration before goes on, while the new one warms up, in seconds.
        pause_s: how long nobody is served after that, in seconds.
    """

    delay_s: float = 0.0
    pause_s: float = 0.0


AT_ONCE = Switch()


class Reconfiguration:
    """Cost of changing each knob; knobs that change together are changed beside each other.

    The testbed (and the default): request and inter-op parallelism change in place; intra-op parallelism is
    fixed for a process, so another server is started while the old one goes on serving, and then takes the
    traffic over. Servers once started are kept warm: the second time the same value costs nothing. A server
    that has to be restarted (the official binary) is a pause, and nothing is kept.

    Args:
        knobs: names of the knobs, in the order of a configuration.
        delay_s: by knob: how long the configuration before goes on serving.
        pause_s: by knob: how long nobody is served.
        keep_warm: a knob's value that was in force before in this run costs nothing.

    Raises:
        UsageError: for a knob that does not exist or a time that is not >= 0.
    """

    def __init__(
        self,
        knobs: Sequence[str],
        delay_s: Mapping[str, float] | None = None,
        pause_s: Mapping[str, float] | None = None,
        keep_warm: bool = True,
    ) -> None:
        self._delay_s = _by_knob(knobs, "delay_s", delay_s or {})
        self._pause_s = _by_knob(knobs, "pause_s", pause_s or {})
        self._keep_warm = keep_warm
        self.reset()

    def reset(self) -> None:
        """Forget what is in force: the first configuration of a run costs nothing."""
        self._before: Configuration | None = None
        self._warm: set[tuple[int, int]] = set()

    def switch_to(self, configuration: Configuration) -> Switch:
        """What it takes to bring a configuration into force after the last one."""
        before, self._before = self._before, configuration
        if before == configuration:
            return AT_ONCE
        known = self._warm
        values = set(enumerate(configuration))
        changed = set() if before is None else values - set(enumerate(before))
        if self._keep_warm:
            changed -= known
            self._warm = known | values
        delay_s = max((self._delay_s[knob] for knob, _ in changed), default=0.0)
        pause_s = max((self._pause_s[knob] for knob, _ in changed), default=0.0)
        return Switch(delay_s, pause_s) if delay_s or pause_s else AT_ONCE


def _by_knob(knobs: Sequence[str], key: str, given: Mapping[str, Any]) -> list[float]:
    if not isinstance(given, Mapping):
        raise UsageError(
            f"system.reconfiguration.{key}={given!r}, expected seconds for each of {list(knobs)}"
        )
    for knob, value in given.items():
        if knob not in knobs:
            raise UsageError(f"system.reconfiguration.{key}.{knob} is not a knob, choose from {list(knobs)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise UsageError(
                f"system.reconfiguration.{key}.{knob}={value!r}, expected a number of seconds >= 0"
            )
    return [float(given.get(knob, 0.0)) for knob in knobs]
