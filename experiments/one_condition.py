"""The arms of one condition, and nothing mixed in silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from experiments.arms import Arm, differing
from serving.errors import UsageError

SHARED = ("slots", "slot_s", "servers", "load_seen", "hardware", "objective")
"""Settings that all agents of a condition have in common."""


def by_preset(found: Iterable[Arm], where: str) -> dict[str, Arm]:
    """The arms by their agents' presets.

    Args:
        found: arms of one condition.
        where: which one, for messages.

    Raises:
        UsageError: if a preset has runs of several settings.
    """
    named: dict[str, Arm] = {}
    for arm in found:
        preset = str(arm.agent["preset"])
        if preset in named:
            raise UsageError(
                f"{_folder(arm)} has runs of {preset} under {where} that differ in "
                f"{differing(named[preset], arm)}, expected one setting: remove the older"
            )
        named[preset] = arm
    return named


def refuse_differences(named: Mapping[str, Arm], where: str) -> None:
    """Refuse agents that met other conditions than the first of them.

    Raises:
        UsageError: naming what differs.
    """
    first = next(iter(named.values()), None)
    for preset, arm in named.items():
        for name in SHARED:
            if first is not None and arm.settings[name] != first.settings[name]:
                raise UsageError(
                    f"{_folder(arm)} has {name}={arm.settings[name]} for {preset} and {first.settings[name]} "
                    f"for others under {where}, expected the same for all agents"
                )


def _folder(arm: Arm) -> str:
    return str(next(iter(arm.runs.values())).folder.parent)
