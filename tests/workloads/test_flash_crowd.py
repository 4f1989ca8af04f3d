"""The crowd comes when it is said to, and is as large."""

import pytest

from serving.errors import UsageError
from workloads.flash_crowd import FlashCrowd


def test_a_crowd_comes_again_and_again():
    workload = FlashCrowd(base_rps=0.5, factor=40, first_s=240, every_s=480, lasts_s=120)
    loads = [slot.true_load_rps for slot in workload.slots(0, 8)]
    assert loads == pytest.approx([0.5, 0.5, 20, 0.5, 0.5, 0.5, 20, 0.5])


def test_a_crowd_leaves_before_the_next_comes():
    with pytest.raises(UsageError, match=r"workload\.lasts_s=9"):
        FlashCrowd(lasts_s=9.0, every_s=8.0)
