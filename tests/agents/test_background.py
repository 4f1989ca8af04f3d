"""Learning beside serving: one slot late, whatever the timing."""

import threading

import numpy as np
import pytest
from agent_worlds import Surface, make_agent

from agents.background import BackgroundAgent
from agents.fixed import RandomAgent
from serving.observation import Observation


class OneSlotLate:
    """The definition, without a thread: after every choice, learn what came before it."""

    def __init__(self, agent):
        self.agent = agent
        self.waiting = None

    def act(self, observation):
        configuration = self.agent.act(observation)
        if self.waiting is not None:
            self.agent.learn(*self.waiting)
        return configuration

    def learn(self, *slot):
        self.waiting = slot


class Slow:
    """Learning lasts until it is told to end."""

    def __init__(self):
        self.end, self.learned = threading.Event(), []

    def act(self, observation):
        return (1, 1, 1)

    def learn(self, observation, *_):
        assert self.end.wait(timeout=60)
        self.learned.append((observation.slot, threading.current_thread()))


class Broken(RandomAgent):
    def learn(self, *slot):
        raise ArithmeticError("overflow")


def slot(number):
    return Observation(number, 2.0 * number), (1, 1, 1), 1.0, Observation(number + 1, 2.0 * number + 2.0)


SURFACE = Surface.smooth()


def test_is_the_agent_that_learns_one_slot_late():
    settings = {"gamma": 0.0, "policy": "unit_free"}
    late = SURFACE.run(OneSlotLate(make_agent(SURFACE, **settings)), 200)
    assert SURFACE.run(BackgroundAgent(make_agent(SURFACE, **settings)), 200) == late
    assert SURFACE.run(make_agent(SURFACE, **settings), 200) != late


def test_acting_does_not_wait_for_the_slot_just_served():
    inner = Slow()
    agent = BackgroundAgent(inner)
    agent.learn(*slot(0))
    agent.act(slot(1)[0])  # would never return if it waited
    assert inner.learned == []
    inner.end.set()
    agent.act(slot(2)[0])
    (learned,) = inner.learned
    assert learned[0] == 0
    assert learned[1] is not threading.current_thread()


@pytest.mark.parametrize("call", ["act", "learn", "state_dict", "diagnostics"])
def test_a_failure_surfaces_at_the_next_call_once(call):
    agent = BackgroundAgent(Broken(space=SURFACE.space, rng=np.random.default_rng(0)))
    arguments = {"act": slot(1)[:1], "learn": slot(1)}.get(call, ())
    agent.learn(*slot(0))
    agent.act(slot(1)[0])
    with pytest.raises(ArithmeticError, match="overflow"):
        getattr(agent, call)(*arguments)
    agent.state_dict()


def test_no_thread_stays_behind():
    before = set(threading.enumerate())
    SURFACE.run(BackgroundAgent(make_agent(SURFACE)), 20)
    assert set(threading.enumerate()) == before


def test_a_saved_state_holds_the_slot_that_is_still_to_be_learned():
    whole, half = (BackgroundAgent(make_agent(SURFACE, policy="unit_free")) for _ in range(2))
    SURFACE.run(whole, 30)
    SURFACE.run(half, 30)
    other = BackgroundAgent(make_agent(SURFACE, seed=9, policy="unit_free"))
    other.load_state_dict(half.state_dict())
    assert SURFACE.run(other, 30) == SURFACE.run(whole, 30)
    assert len(half.state_dict()["stored"]) == 1
