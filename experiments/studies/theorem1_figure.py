"""The figure of Theorem 1's study: the way to the limit, the limit's gap, and what a region saves."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.figures.layout import lettered, log_ticks, stacked
from experiments.figures.style import Drawing
from experiments.statistics import Estimate, bootstrap, mean, ratio
from experiments.studies.theorem1 import NOISES

ARRIVALS = ((0.05, 0.3), (0.05, 0.1), (0.5, 0.3))  # noise, and share of the largest |Q*| that counts as there


def speed_ups(data: pd.DataFrame, close: float) -> pd.DataFrame:
    """How much sooner each radius brings Q to its limit than radius 0 does, beside the region's size.

    A seed arrives at the first checkpoint from which on Q stays within ``close`` times the largest |Q*|.

    Returns:
        One row per radius: radius, region (mean n_delta), arrival (mean slot over seeds; NaN if one never
        arrives), speed_up, low, high (95 % interval; NaN where an end is not known).
    """
    near = data.assign(near=data["to_limit"] <= close * data["largest_q"]).sort_values("slot")
    keys = ["radius", "seed"]
    stays = near.iloc[::-1].groupby(keys)["near"].cummin()
    arrivals = near["slot"].where(stays).groupby([near[key] for key in keys]).min().unstack("seed")
    at_once = arrivals.iloc[0].to_numpy()
    rows = []
    for radius, mine in arrivals.iterrows():
        gain = bootstrap([np.column_stack((at_once, mine))], ratio(mean))
        region = data.loc[data["radius"] == radius, "region"].iloc[0]
        rows.append((radius, region, mine.mean(skipna=False), gain.value, gain.low, gain.high))
    found = pd.DataFrame(rows, columns=["radius", "region", "arrival", "speed_up", "low", "high"])
    return found.replace([-np.inf, np.inf], np.nan)


def draw(data: pd.DataFrame, gamma: float) -> Drawing:
    """Error over time, the gap of the limit against its bound, and the speed-up against n_delta.

    Args:
        data: as ``theorem1.study`` returns it, of both noises.
        gamma: discount factor of the study.
    """
    figure, axes = stacked((1.7, 1.7, 1.7))
    lettered(axes, ("the way to the limit", "the limit's gap", "what a region saves"))
    quiet = data[data["noise"] == NOISES[0]]
    _errors(axes[0], quiet)
    _gaps(axes[1], quiet)
    _speed_ups(axes[2], data)
    return Drawing(
        name="theorem1",
        title="Theorem 1 on a small known MDP",
        paper_shows=(
            "The paper proves a limit within Delta / (1 - gamma) of the optimum, and a bound on the error in "
            "which time counts n_delta times; it shows no experiment under the theorem's conditions."
        ),
        caption=(
            f"3 loads, 7 x 7 configurations, discount {gamma:g}, step 1 / visits, loads and configurations "
            f"uniform, constant estimator, {data['seed'].nunique()} seeds. (a) Largest distance of Q from "
            f"the computed limit of its radius, mean over seeds, noise {NOISES[0]:g} s. (b) The limit "
            "against the bound, and Q at the end. (c) Slots until Q stays within the given share of its "
            "limit, at radius 0 over at each radius; dashed: n_delta, the region's mean size. The theorem "
            "bounds the error, and leaves open constants such as the spread of costs within a "
            "region, which grows with it. Bands and bars: 95 % bootstrap intervals over seeds."
        ),
        figure=figure,
        data=data,
    )


def _estimate(values: NDArray[np.float64]) -> Estimate:
    return bootstrap([values[:, None]], lambda runs: mean(runs[..., 0]), resamples=1000)


def _errors(axes: Axes, data: pd.DataFrame) -> None:
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, data["radius"].nunique()))
    for colour, (radius, mine) in zip(colours, data.groupby("radius"), strict=True):
        shares = (mine["to_limit"] / mine["largest_q"]).groupby(mine["slot"])
        points = [_estimate(share.to_numpy()) for _, share in shares]
        slots = np.unique(mine["slot"])
        axes.loglog(slots, [one.value for one in points], color=colour, label=f"{radius:g}")
        band = [one.low for one in points], [one.high for one in points]
        axes.fill_between(slots, *band, color=colour, alpha=0.2, linewidth=0)
    for _, close in ARRIVALS[:2]:
        axes.axhline(close, color="#999999", linewidth=0.6, linestyle="--")
    axes.set_xlabel("slot")
    axes.set_ylabel("‖Q - limit‖ / ‖Q*‖")
    axes.legend(title="radius", title_fontsize=6.5, ncols=2, loc="lower left")
    log_ticks(axes.xaxis)
    log_ticks(axes.yaxis)


def _gaps(axes: Axes, data: pd.DataFrame) -> None:
    gaps = data.drop_duplicates("radius")
    last = data[data["slot"] == data["slot"].max()].groupby("radius")["to_optimum"]
    reached = [_estimate(values.to_numpy()) for _, values in last]
    bound, limit = "bound Δ / (1 - discount)", "limit"
    axes.plot(gaps["radius"], gaps["bound"], "--", color="#999999", label=bound)
    axes.plot(gaps["radius"], gaps["limit_to_optimum"], color="#0072B2", label=limit)
    bars = [[one.value - one.low for one in reached], [one.high - one.value for one in reached]]
    ends = [one.value for one in reached]
    axes.errorbar(gaps["radius"], ends, bars, fmt=".", color="#D55E00", label="reached")
    axes.set_xlabel("radius (grid steps)")
    axes.set_ylabel("largest difference (s)")
    axes.legend()


def _speed_ups(axes: Axes, data: pd.DataFrame) -> None:
    for (noise, close), colour in zip(ARRIVALS, ("#0072B2", "#56B4E9", "#E69F00"), strict=True):
        speeds = speed_ups(data[data["noise"] == noise], close)
        name = f"within {close:.0%}, noise {noise:g} s"
        axes.loglog(speeds["region"], speeds["speed_up"], ".-", color=colour, label=name)
        band = speeds["low"], speeds["high"]
        axes.fill_between(speeds["region"], *band, color=colour, alpha=0.2, linewidth=0)
    axes.loglog(speeds["region"], speeds["region"], "--", color="#999999", label="as the region's size")
    axes.set_xlabel("mean size of the region (configurations)")
    axes.set_ylabel("speed-up over radius 0")
    axes.set_ylim(bottom=0.03)
    log_ticks(axes.xaxis)
    log_ticks(axes.yaxis)
    axes.legend(loc="lower right")
