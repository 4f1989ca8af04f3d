"""Fig. 13: arrivals and latency over time, Inception V3 on the GPU, WiKi and Dynamic."""

from __future__ import annotations

from pathlib import Path

from experiments.figures import two_workloads
from experiments.figures.style import Drawing


def draw(runs: Path) -> Drawing:
    """Draw from the runs of ``experiment=fig13``."""
    return two_workloads.draw(
        runs,
        name="fig13",
        model="inception_v3",
        system="sim_gpu",
        title="Fig. 13: latency of Inception V3 on the GPU while the agents learn",
        paper_shows=(
            "The paper shows more variance than on the CPU, because batching controls parallelism only "
            "indirectly, and slower adaptation; averaged over time RRL Plus has 56.5 % less latency than "
            "DeepRM and 68.1 % less than CAPES under WiKi (named in this order), 71.5 % less than CAPES and "
            "55.7 % less than DeepRM under Dynamic."
        ),
    )
