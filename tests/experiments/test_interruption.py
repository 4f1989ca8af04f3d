"""Ctrl-C and SIGTERM: raised, remembered, raised again where they were lost, and no trace left."""

import signal
import sys
import time
from contextlib import suppress

import pytest

from experiments.interruption import Interruption

LONG_S = 5.0  # longer than anything takes here; a sleep of that length has to be cut short


class Finalised:
    """Its finaliser is what a signal happens to interrupt."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


def hear(body, patience_s=10.0):
    """Whether what hears signals was interrupted, in time."""
    start = time.monotonic()
    with Interruption(patience_s) as interruption:
        try:
            with interruption.heard():
                body()
        except KeyboardInterrupt:
            assert interruption.happened
            return time.monotonic() - start < LONG_S
    return False


def send(number):
    signal.raise_signal(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_what_hears_it(number):
    assert hear(lambda: (send(number), time.sleep(LONG_S)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_a_finaliser_drops_comes_again_without_a_word(capfd, number):
    def drop():
        Finalised(number)
        time.sleep(LONG_S)

    assert hear(drop)
    assert capfd.readouterr().err == ""


def swallow():
    with suppress(BaseException):
        send(signal.SIGINT)


def test_one_that_a_library_swallows_comes_again_when_patience_ends():
    assert hear(lambda: (swallow(), time.sleep(LONG_S)), patience_s=0.3)


def test_one_that_was_swallowed_counts_when_all_is_done_before_it_comes_again():
    assert hear(swallow)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_it_counts_whatever_a_launcher_makes_of_it(error):
    def launcher():
        swallow()
        raise error

    assert hear(launcher)


def test_a_launcher_may_have_its_own_answer():
    assert hear(sys.exit)


def test_the_impatient_do_not_disturb_what_winds_up():
    wound_up = []

    def launcher():
        try:
            send(signal.SIGINT)
        finally:
            send(signal.SIGINT)
            wound_up.append(True)

    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt), interruption.heard():
            launcher()
        send(signal.SIGTERM)
    assert wound_up


def test_one_that_comes_before_is_heard_first():
    with Interruption() as interruption:
        send(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), interruption.heard():
            pytest.fail("nothing was to begin")


def test_without_a_signal_nothing_is_changed():
    with Interruption() as interruption:
        with interruption.heard():
            pass
        with pytest.raises(ValueError, match="mine"), interruption.heard():
            raise ValueError("mine")
        interruption.check()
    assert not interruption.happened


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN])
def test_what_was_there_before_is_there_again(before):
    hook, earlier = sys.unraisablehook, signal.signal(signal.SIGINT, before)
    try:
        assert hear(lambda: send(signal.SIGINT))
        assert signal.getsignal(signal.SIGINT) is before
        assert sys.unraisablehook is hook
    finally:
        signal.signal(signal.SIGINT, earlier)
