"""What switching costs, and what it does to those who wait meanwhile."""

import numpy as np
import pytest

from serving.errors import UsageError
from serving.slot import Slot
from sim.engines import make_engine
from sim.reconfiguration import AT_ONCE, Reconfiguration, Switch
from sim.speeds import SpeedTable

KNOBS = ("request_parallelism", "inter_op_parallelism", "intra_op_parallelism")


def test_the_first_configuration_and_the_same_one_cost_nothing() -> None:
    costs = Reconfiguration(KNOBS, pause_s=dict.fromkeys(KNOBS, 2.0))
    assert costs.switch_to((1, 1, 1)) is AT_ONCE
    assert costs.switch_to((1, 1, 1)) is AT_ONCE
    assert costs.switch_to((1, 1, 2)) == Switch(0.0, 2.0)


def test_knobs_that_change_together_cost_the_dearest() -> None:
    delay_s = dict(zip(KNOBS, (1.0, 2.0, 3.0), strict=True))
    costs = Reconfiguration(KNOBS, delay_s, keep_warm=False)
    costs.switch_to((1, 1, 1))
    assert costs.switch_to((2, 2, 1)) == Switch(2.0)
    assert costs.switch_to((1, 1, 2)) == Switch(3.0)


def test_a_warm_value_costs_nothing_until_the_run_is_reset() -> None:
    for keep_warm, again in ((True, AT_ONCE), (False, Switch(3.0))):
        costs = Reconfiguration(KNOBS, {"intra_op_parallelism": 3.0}, keep_warm=keep_warm)
        costs.switch_to((1, 1, 1))
        assert costs.switch_to((1, 1, 2)) == Switch(3.0)
        assert costs.switch_to((5, 5, 1)) == again
        costs.reset()
        assert costs.switch_to((1, 1, 2)) is AT_ONCE
        assert costs.switch_to((1, 1, 1)) == Switch(3.0)


@pytest.mark.parametrize(
    "given", [{"cores": 1.0}, {"inter_op_parallelism": -1.0}, {"inter_op_parallelism": "x"}]
)
def test_a_wrong_cost_is_refused(given: dict[str, float]) -> None:
    (key,) = given
    with pytest.raises(UsageError, match=rf"system\.reconfiguration\.pause_s\.{key}"):
        Reconfiguration(KNOBS, pause_s=given)


@pytest.mark.parametrize("name", ["simpy", "compiled"])
def test_what_happens_while_a_configuration_takes_its_time(name: str) -> None:
    """Row 0 takes one at a time, row 1 two, both at speed 1."""
    speeds = SpeedTable(np.array([1, 2]), np.array([[0.0, 1.0, 1.0]] * 2), np.array([[0.0, 0.5, 1.0]] * 2))
    slot = Slot(0, 0.0, 10.0, np.zeros(3), np.ones(3), 1.0)

    def completed(switch: Switch) -> list[float]:
        return make_engine(name, speeds).serve(1, slot, np.full(3, 2.0), switch).completed_at_s.tolist()

    assert completed(AT_ONCE) == [2.0, 2.0, 4.0]
    # One at a time until 3; then the second, which has 1 to go, is joined by the third.
    assert completed(Switch(delay_s=3.0)) == [2.0, 4.0, 5.0]
    assert completed(Switch(pause_s=3.0)) == [5.0, 5.0, 7.0]
    # The first is served until 1 and then stands still until 3.
    assert completed(Switch(delay_s=1.0, pause_s=2.0)) == [4.0, 5.0, 6.0]
    assert completed(Switch(pause_s=20.0)) == []


@pytest.mark.parametrize("name", ["simpy", "compiled"])
def test_a_pause_turns_away_what_the_queue_cannot_hold(name: str) -> None:
    speeds = SpeedTable(np.array([1]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]))
    slot = Slot(0, 0.0, 10.0, np.arange(5.0), np.ones(5), 1.0)
    engine = make_engine(name, speeds, "bounded", 2)
    tally = engine.serve(0, slot, np.full(5, 0.1), Switch(pause_s=3.5))
    assert tally.rejections == 2
    assert len(tally.latency_s) == 3
    assert tally.busy_s == pytest.approx(0.3)


def test_a_cost_without_a_knob_is_refused() -> None:
    with pytest.raises(UsageError, match=r"system\.reconfiguration\.delay_s=5, expected seconds for each of"):
        Reconfiguration(KNOBS, 5)  # type: ignore[arg-type]
