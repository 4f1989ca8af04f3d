"""The arms of the study: which overrides make the runs of an agent in a claim under a condition."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.sensitivity.conditions import Condition
from experiments.sensitivity.headlines import HEADLINES, Player, World
from experiments.sweep_commands import Overrides, key_of


def overrides(world: World, player: Player, condition: Condition, also: Overrides = ()) -> Overrides:
    """All overrides of an arm, one for each setting: a condition's come before a world's and a player's.

    Args:
        world: of the claim.
        player: the agent.
        condition: changes nothing where it does not concern the agent.
        also: for all arms, above everything else.
    """
    given = ["experiment=sensitivity", *world.overrides, f"agent={player.preset}", *player.overrides]
    if condition.changes(player.preset):
        given += [one.format(model=world.model) if "{model}" in one else one for one in condition.overrides]
    return tuple({key_of(one): one for one in (*given, *also)}.values())


def all_arms(conditions: Iterable[Condition], also: Overrides = ()) -> list[Overrides]:
    """The overrides of every arm that the claims need under these conditions, each once, in order."""
    needed = {
        overrides(headline.world, player, condition, also)
        for condition in conditions
        for headline in HEADLINES
        if headline.judged_under(condition)
        for player in (headline.ours, headline.other)
    }
    return sorted(needed)
