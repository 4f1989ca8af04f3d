"""The figure of the study of optimizers, and what it says about the paper's claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.figures.layout import legend_below, lettered, log_ticks, stacked
from experiments.figures.style import Drawing
from experiments.pages import counted
from experiments.statistics import bootstrap, mean

FEW = 30  # samples; fixed before the study was run
TENSORFLOWS = 0.1  # its default accumulator, and the authors'
_LOOK = {
    "ftrl": ("FTRL", "#0072B2"),
    "ftrl_centred": ("FTRL, centred (ours)", "#56B4E9"),
    "adam": ("Adam", "#D55E00"),
}
_SETUPS = {"authors": "the authors' set-up", "scaled": "set-up of rrl_nn"}
_PANELS = ("best learning rate", f"{FEW} samples")


def select(
    data: pd.DataFrame, setup: str, optimizer: str, samples: int = FEW, accumulator: float = TENSORFLOWS
) -> pd.DataFrame:
    """Rows of one optimizer, all learning rates; the accumulator matters to FTRL only."""
    same = data["initial_accumulator"].isna() | (data["initial_accumulator"] == accumulator)
    return data[
        (data["setup"] == setup) & (data["optimizer"] == optimizer) & (data["samples"] == samples) & same
    ]


def mean_by_rate(rows: pd.DataFrame) -> pd.Series[float]:
    """Mean error over seeds, by learning rate in ascending order."""
    return rows.groupby("learning_rate")["error"].mean()


def at_best_rate(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Errors in order of the seeds, at the learning rate with the least mean error."""
    best = mean_by_rate(rows).idxmin()
    return rows[rows["learning_rate"] == best].sort_values("seed")["error"].to_numpy(dtype=np.float64)


def at_the_edge(data: pd.DataFrame) -> list[str]:
    """Where the best learning rate is the least or the largest tried, so that a better one may lie beyond."""
    found = []
    for setup, title in _SETUPS.items():
        for name, (label, _) in _LOOK.items():
            for samples in sorted(data["samples"].unique()):
                means = mean_by_rate(select(data, setup, name, samples))
                if len(means) > 1 and means.idxmin() in (means.index[0], means.index[-1]):
                    found.append(f"{label} with {samples} samples ({title})")
    return found


def adam_and_ftrl(data: pd.DataFrame) -> NDArray[np.float64]:
    """Errors with few samples in the authors' set-up, Adam's and FTRL's; shape (seeds, 2).

    Each at the best of its learning rates.
    """
    return np.column_stack([at_best_rate(select(data, "authors", name)) for name in ("adam", "ftrl")])


def draw(data: pd.DataFrame, steps: int) -> Drawing:
    """Error against samples, and against the learning rate with few samples; a row per set-up."""
    figure, axes = stacked([1.5] * 2 * len(_SETUPS), legend_rows=3)
    lettered(axes, (f"{title}, {of}" for title in _SETUPS.values() for of in _PANELS))
    looks: dict[str, Artist] = {}
    for setup, by_samples, by_rate in zip(_SETUPS, axes[::2], axes[1::2], strict=True):
        for name in data[data["setup"] == setup]["optimizer"].unique():
            _over_samples(by_samples, data, setup, name)
            _over_rates(by_rate, data, setup, name)
        by_samples.set_xlabel("samples")
        by_rate.set_xlabel("learning rate")
        looks |= {str(line.get_label()): line for line in by_samples.lines}
        for one in (by_samples, by_rate):
            one.set_ylabel("held-out error (%)")
            _scale(one)
    legend: list[Artist] = [looks[label] for label, _ in _LOOK.values() if label in looks]
    for line, value in ((":", 0.01), ("--", 1)):
        legend += axes[1].plot([], [], line, color="#666666", label=f"accumulator {value:g}")
    legend_below(figure, legend, columns=2)
    spreads = [
        f"{label} {_spread(data, setup, name):.2g} x ({title})"
        for setup, title in _SETUPS.items()
        for name, (label, _) in _LOOK.items()
        if len(select(data, setup, name))
    ]
    return Drawing(
        name="ftrl",
        title="FTRL against Adam: error of the estimator on slots that it has not seen",
        paper_shows=(
            "The paper (Sec. V-A) says that FTRL does well with few samples, and is insensitive to its "
            "settings; it shows no numbers."
        ),
        caption=(
            f"The network of RRL trained anew for {steps} steps of minibatch 64 on WiKi slots served under "
            f"random configurations, {counted(data['seed'].nunique(), 'seed')}. "
            "Error: median over held-out slots of "
            "|prediction - noise-free cost| over that cost; lines are means over seeds, bands their 95 % "
            "bootstrap intervals. FTRL is TensorFlow's, with its accumulator of 0.1 unless said; centred "
            "keeps the drawn weights as its centre. Sensitivity: worst mean error over the best among the "
            f"learning rates drawn, {FEW} samples: {', '.join(spreads)}. Best rate at the edge of those "
            f"tried: {', '.join(at_the_edge(data)) or 'nowhere'}."
        ),
        figure=figure,
        data=data,
    )


def _over_samples(axes: Axes, data: pd.DataFrame, setup: str, name: str) -> None:
    label, colour = _LOOK[name]
    samples = sorted(data["samples"].unique())
    errors = [100 * at_best_rate(select(data, setup, name, count)) for count in samples]
    means = [bootstrap([one[:, None]], lambda runs: mean(runs[..., 0])) for one in errors]
    axes.plot(samples, [one.value for one in means], ".-", color=colour, label=label)
    low, high = [one.low for one in means], [one.high for one in means]
    axes.fill_between(samples, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(samples, [str(count) for count in samples])
    axes.minorticks_off()


def _over_rates(axes: Axes, data: pd.DataFrame, setup: str, name: str) -> None:
    for accumulator, style in ((TENSORFLOWS, ".-"), (0.01, ".:"), (1.0, ".--")):
        rows = select(data, setup, name, accumulator=accumulator)
        if len(rows) and (name == "ftrl" or accumulator == TENSORFLOWS):
            means = 100 * mean_by_rate(rows)
            axes.plot(means.index, means, style, color=_LOOK[name][1])
    axes.set_xscale("log")
    log_ticks(axes.xaxis)


def _scale(axes: Axes) -> None:
    """Linear from 0, or logarithmic where a rate that fails would press all others flat."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines])
    if drawn.max() > 10 * drawn.min():
        axes.set_yscale("log")
        log_ticks(axes.yaxis)
    else:
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])


def _spread(data: pd.DataFrame, setup: str, name: str) -> float:
    means = mean_by_rate(select(data, setup, name))
    return float(means.max() / means.min())
