"""Fig. 3: difference in performance against distance, over all pairs of CPU configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.figures.layout import legend_below, lettered, log_ticks, share_x, stacked
from experiments.figures.style import Drawing, NotYetComputedError
from experiments.surface import (
    Surface,
    pair_differences,
    pair_distances,
    pair_ratios,
    rank_correlation,
    read_surface,
)
from serving.configuration import ZeroDistance

LOAD_RPS = 14.0
LEAST_SHARE = 1e-3  # of all pairs at a distance, to say something of their spread
BANDS: dict[ZeroDistance, str] = {
    "raw": "0 where the grid has it",
    "effective": "0 at the value it stands for",
}


def draw(runs: Path, overrides: Sequence[str] = ()) -> Drawing:  # noqa: ARG001 - needs a table, no runs
    """Draw from the exhaustive table of ``experiment=fig03``, or of that with further overrides."""
    surface = read_surface("fig03", LOAD_RPS, overrides)
    if surface is None:
        raise NotYetComputedError("python -m experiments.truth experiment=fig03")
    ratio = pair_ratios(surface.cost)
    figure, axes = stacked((1.5, 1.5), legend_rows=2)
    share_x(axes)
    axes[0].sharey(axes[1])
    lettered(axes, BANDS.values())
    parts, says = [], []
    for panel, zero_distance in zip(axes, BANDS, strict=True):
        distance = pair_distances(surface.space, zero_distance)
        bins = _by_distance(distance, ratio).assign(zero_distance=zero_distance)
        _panel(panel, bins)
        parts.append(bins)
        says.append(_says(zero_distance, distance, ratio, pair_differences(surface.cost), bins))
    axes[-1].set_xlabel("Euclidean distance (grid steps)")
    legend_below(figure, axes[0].get_legend_handles_labels()[0], columns=2)
    return Drawing(
        name="fig03",
        title="Fig. 3: difference in cost against distance of two configurations, CPU, 14 requests/s",
        paper_shows=(
            "The paper shows that the difference in performance rises with the Euclidean distance of two "
            "configurations: similar ones perform alike."
        ),
        caption=(
            f"Dearer over cheaper noise-free mean cost (a lost request counts as 5 s) of all "
            f"{len(ratio):,} pairs of {surface.space.size} configurations, by distance in grid steps, "
            f"rounded, where one pair in a thousand lies. {' '.join(says)} {_smooth(surface)} Profile "
            f"{surface.plain['hardware']['name']}, exhaustive simulation."
        ),
        figure=figure,
        data=pd.concat(parts, ignore_index=True),
    )


def _by_distance(distance: np.ndarray, ratio: np.ndarray) -> pd.DataFrame:
    """Spread of the ratio within each rounded distance; what is nearer than half a step stands at 0."""
    by = np.rint(distance)
    grouped, logs = pd.Series(ratio).groupby(by), pd.Series(np.log(ratio)).groupby(by)
    bins = pd.DataFrame(
        {
            "pairs": grouped.size(),
            "geometric_mean_ratio": np.exp(logs.mean()),
            **{f"p{100 * q:02.0f}_ratio": grouped.quantile(q) for q in (0.1, 0.25, 0.5, 0.75, 0.9)},
        }
    )
    many: pd.DataFrame = bins[bins["pairs"] >= LEAST_SHARE * len(ratio)].reset_index(names="distance")
    return many


def _panel(axes: Axes, bins: pd.DataFrame) -> None:
    at = bins["distance"]
    axes.fill_between(
        at, bins["p10_ratio"], bins["p90_ratio"], color="#0072B2", alpha=0.15, linewidth=0, label="10 to 90 %"
    )
    axes.fill_between(
        at, bins["p25_ratio"], bins["p75_ratio"], color="#0072B2", alpha=0.3, linewidth=0, label="25 to 75 %"
    )
    axes.plot(at, bins["p50_ratio"], color="#0072B2", marker=".", label="median")
    axes.plot(at, bins["geometric_mean_ratio"], color="#D55E00", linestyle="--", label="geometric mean")
    axes.set_yscale("log")
    axes.set_ylim(1, 1.3 * bins["p90_ratio"].max())
    log_ticks(axes.yaxis)
    axes.set_ylabel("cost ratio of a pair")


def _says(
    zero_distance: str, distance: np.ndarray, ratio: np.ndarray, difference: np.ndarray, bins: pd.DataFrame
) -> str:
    medians = bins.set_index("distance")["p50_ratio"]
    near, far = medians.loc[1.0], medians.max()
    return (
        f"With {zero_distance} zeros the rank correlation of distance and ratio is "
        f"{rank_correlation(distance, ratio):.2f} (of distance and plain difference "
        f"{rank_correlation(distance, difference):.2f}), the median ratio {near:.2f} at distance 1 and at "
        f"most {far:.2f}, at distance {medians.idxmax():.0f}."
    )


def _smooth(surface: Surface) -> str:
    """Smooth locally, versatile globally, as numbers; steps to and from the system default 0 apart."""
    steps = pair_distances(surface.space, "raw") == 1
    ratio = pair_ratios(surface.cost)[steps]
    first, second = (index[steps] for index in np.triu_indices(surface.space.size, 1))
    changed = surface.space.values[first] != surface.space.values[second]
    # The one knob in which the pair differs is at 0 on its lower side.
    to_zero = (surface.space.values[first] == 0)[changed] | (surface.space.values[second] == 0)[changed]
    inner, outer = ratio[~to_zero], ratio[to_zero]
    return (
        f"Smooth locally: of the {len(inner):,} single steps between values above 0, half change the cost by "
        f"at most {np.median(inner) - 1:.0%} and {np.mean(inner <= 1.25):.0%} by at most 25 %; half of the "
        f"{len(outer)} steps to a system default change it more than {np.median(outer):.1f} x. Versatile "
        f"globally: worst over best {surface.cost.max() / surface.cost.min():.0f} x."
    )
