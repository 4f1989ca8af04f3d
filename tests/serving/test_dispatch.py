"""Dispatch policies: fair where they look at nothing, short queues where they look."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.dispatch import at_random, checked_dispatch, least_loaded, round_robin, round_robin_shares
from serving.errors import UsageError


def test_round_robin_goes_on_where_the_slot_before_ended() -> None:
    assert round_robin(np.arange(4), 3).tolist() == [0, 1, 2, 0]
    assert round_robin(4 + np.arange(3), 3).tolist() == [1, 2, 0]


@given(st.integers(0, 100), st.integers(1, 12), st.integers(0, 40))
def test_shares_are_what_round_robin_gives_each_server(turn: int, servers: int, requests: int) -> None:
    numbers = np.arange(requests)
    chosen = round_robin(turn + numbers, servers)
    for server, share in enumerate(round_robin_shares(turn, servers)):
        assert numbers[share].tolist() == np.flatnonzero(chosen == server).tolist()


def test_random_is_uniform_over_the_servers() -> None:
    chosen = at_random(np.random.default_rng(1).random(30_000), 3)
    assert np.bincount(chosen).tolist() == pytest.approx([10_000] * 3, rel=0.03)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 100))
def test_least_loaded_finds_the_minimum_and_ties_take_turns(loads: list[int], turn: int) -> None:
    chosen = least_loaded(np.array(loads), turn)
    assert loads[chosen] == min(loads)
    ties = [server for server, load in enumerate(loads) if load == min(loads)]
    first = turn % len(loads)
    assert chosen == min(ties, key=lambda server: (server - first) % len(loads))


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(UsageError, match=r"system\.dispatch='hash', choose from \['least_loaded', 'random'"):
        checked_dispatch("hash")
