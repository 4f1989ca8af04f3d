"""Fig. 12: arrivals and latency over time, Deep Speech 2 on the CPU, WiKi and Dynamic."""

from __future__ import annotations

from pathlib import Path

from experiments.figures import two_workloads
from experiments.figures.style import Drawing


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig12``."""
    return two_workloads.draw(
        runs,
        name="fig12",
        model="deepspeech2",
        system="sim_cpu",
        title="Fig. 12: latency of Deep Speech 2 on the CPU while the agents learn",
        paper_shows=(
            "The paper shows RRL Plus steady and low although requests differ in length, DeepRM slower to "
            "learn and CAPES varying much; on average RRL Plus has 88.9 % less latency than CAPES and 80.7 % "
            "less than DeepRM under WiKi, 86.0 % and 63.3 % under Dynamic. (Its caption names "
            "Inception, its text DeepSpeech.)"
        ),
    )
