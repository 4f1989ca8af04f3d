"""Fig. 11: arrivals and latency over time, Inception V3 on the CPU, WiKi and Dynamic."""

from __future__ import annotations

from pathlib import Path

from experiments.figures import two_workloads
from experiments.figures.style import Drawing


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig11``."""
    return two_workloads.draw(
        runs,
        name="fig11",
        model="inception_v3",
        system="sim_cpu",
        title="Fig. 11: latency of Inception V3 on the CPU while the agents learn",
        paper_shows=(
            "The paper shows, under WiKi, RRL Plus near the optimum after about 150 minutes, DeepRM after "
            "about 1400 with some variance, and CAPES not within 2000; over time RRL Plus has 70.1 % less "
            "latency than CAPES on average and 75.2 % less than DeepRM, under Dynamic 71.0 % and 59.9 %."
        ),
    )
