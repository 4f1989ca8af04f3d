"""The Delta of Theorem 1 that the simulated service really has: ``python -m experiments.studies.delta``.

With f(c, r) = r the estimate at a distance is off by the difference of two costs; the paper calls the error
small (footnote 4) for its network. Read from the exhaustive table of ``experiment=fig04``; ``tables=`` says
where tables are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agents.radius import lattice_radii
from experiments.arguments import parse
from experiments.build import build_env
from experiments.figures import style
from experiments.figures.layout import legend_below, lettered, share_x, stacked
from experiments.settings import compose_settings
from experiments.truth import read_arrays
from serving.configuration import ConfigurationSpace, ZeroDistance

LARGEST = 6.0
SHOWN_RPS = (6.0, 14.0, 18.0)
LINES = {"raw": ":", "effective": "--", "without 0": "-"}


def cost_differences(
    cost: NDArray[np.float64], space: ConfigurationSpace, zero_distance: ZeroDistance
) -> pd.DataFrame:
    """|cost(c') - cost(c)| over all pairs of different configurations within each radius above 0.

    Args:
        cost: of every configuration at one load, shape (size,); pairs with a NaN do not count.
        space: the configurations.
        zero_distance: where the value 0 stands.

    Returns:
        One row per radius: radius, pairs, delta (the largest difference, the theorem's Delta), median, and
        median_relative (the median of the difference over the smaller of the two costs).
    """
    one, other = np.triu_indices(space.size, 1)
    distance = np.concatenate(
        [space.distances(index, "euclidean", zero_distance)[index + 1 :] for index in range(space.size)]
    )
    near = (distance <= LARGEST + 1e-9) & np.isfinite(cost[one] - cost[other])
    one, other, distance = one[near], other[near], distance[near]
    difference = np.abs(cost[one] - cost[other])
    relative = difference / np.minimum(cost[one], cost[other])
    rows = []
    for radius in lattice_radii(space, LARGEST, zero_distance=zero_distance)[1:]:
        within = distance <= radius + 1e-9
        rows.append(
            {
                "radius": radius,
                "pairs": int(within.sum()),
                "delta": float(difference[within].max()),
                "median": float(np.median(difference[within])),
                "median_relative": float(np.median(relative[within])),
            }
        )
    return pd.DataFrame(rows)


def study(overrides: Sequence[str]) -> pd.DataFrame:
    """``cost_differences`` at every load of the table, costs in seconds.

    Column ``zero_distance`` has both ways of counting the value 0 ("system default"), and ``without 0``:
    only configurations that leave nothing to the system.

    Raises:
        NotYetComputedError: if the table is not there.
    """
    plain = compose_settings(["experiment=fig04", *overrides])
    arrays = read_arrays(plain)
    if arrays is None:
        raise style.NotYetComputedError("python -m experiments.truth experiment=fig04")
    space = build_env(plain).system.space
    without = (space.values == 0).any(axis=1)
    parts = []
    for load, cost in zip(arrays["load_rps"], arrays["cost"], strict=True):
        labels = {"load_rps": load, "best": cost.min()}
        parts += [
            cost_differences(cost, space, "raw").assign(**labels, zero_distance="raw"),
            cost_differences(cost, space, "effective").assign(**labels, zero_distance="effective"),
            cost_differences(np.where(without, np.nan, cost), space, "raw").assign(
                **labels, zero_distance="without 0"
            ),
        ]
    return pd.concat(parts, ignore_index=True)


def draw(data: pd.DataFrame) -> style.Drawing:
    """Largest and median difference against the radius."""
    figure, axes = stacked((1.5, 1.5), legend_rows=1)
    share_x(axes)
    lettered(axes, ("largest", "median"))
    for load, colour in zip(SHOWN_RPS, ("#56B4E9", "#0072B2", "#D55E00"), strict=True):
        for zero, line in LINES.items():
            mine = data[(data["load_rps"] == load) & (data["zero_distance"] == zero)]
            name = f"{load:g} requests/s" if zero == "without 0" else None
            axes[0].plot(mine["radius"], mine["delta"], line, color=colour, label=name)
            axes[1].plot(mine["radius"], 100 * mine["median_relative"], line, color=colour, label=name)
    for axis in axes:
        axis.set_ylim(bottom=0)
    axes[-1].set_xlim(0, LARGEST)
    axes[-1].set_xlabel("radius (grid steps)")
    axes[0].set_ylabel("cost difference Δ (s)")
    axes[1].set_ylabel("cost difference (%)")
    legend_below(figure, axes[0].get_legend_handles_labels()[0], columns=3)
    return style.Drawing(
        name="delta",
        title="Theorem 1's Delta of the simulated service, for the constant estimator",
        paper_shows="The paper calls Delta small for its network (footnote 4), and shows no number.",
        caption=(
            "Pairs of different configurations within a radius, noise-free costs (a lost request counts as "
            "5 s). (a) The largest difference, which bounds the gap as Delta / (1 - gamma). (b) The "
            "median of the difference over the smaller of the two. Dotted: the system default 0 is the "
            "grid's first point; dashed: it stands where the value that the system then uses stands; solid: "
            "configurations without a 0 only."
        ),
        figure=figure,
        data=data,
    )


def main(arguments: list[str]) -> int:
    """Read, draw and write; returns the exit code."""
    options = parse(arguments, {"tables": "results/tables", "target": Path("results/figures")}, __doc__)
    style.apply()
    try:
        data = study([f"table.folder={options['tables']}"])
    except style.NotYetComputedError as error:
        print(f"not yet computed, run: {error}", file=sys.stderr)
        return 1
    for path in style.save(draw(data), options["target"]):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
