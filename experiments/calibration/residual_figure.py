"""What a fit leaves: foretold against measured latency, errors by load, and CPU seconds per request."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from experiments.calibration.fitting import Candidate
from experiments.figures import style

_KINDS = {"closed": ("#0072B2", "closed loop"), "open": ("#D55E00", "Poisson arrivals")}


def draw(
    model: str, rows: pd.DataFrame, knobs: Sequence[str], chosen: Candidate, cpu_s: NDArray[np.float64]
) -> style.Drawing:
    """Three panels.

    Args:
        model: its name.
        rows: the windows that were fitted to.
        knobs: names of the knobs.
        chosen: the fit, with the error of each window when its configuration was left out.
        cpu_s: CPU seconds per request that the fit says, shape (windows,).
    """
    data = rows[[*knobs, "mode", "level", "mean_latency_s", "cpu_s_per_request"]].assign(
        foretold_latency_s=rows["mean_latency_s"] * np.exp(chosen.errors[:, 0]),
        error_percent=100 * np.expm1(chosen.errors[:, 0]),
        fitted_cpu_s_per_request=cpu_s,
    )
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(style.WIDE_INCHES, 2.5))
    _against(left, data, "mean_latency_s", "foretold_latency_s", "mean latency (ms)")
    left.legend(*left.get_legend_handles_labels(), loc="lower right")
    levels = [*sorted(data["level"].unique())]
    for mode, part in data.groupby("mode"):
        place = part["level"].map(levels.index) + np.linspace(-0.3, 0.3, len(part))
        middle.plot(place, part["error_percent"], ".", color=_KINDS[str(mode)][0])
    middle.axhline(0, color="black", linewidth=0.8)
    middle.set_xticks(range(len(levels)), [f"{one:g}" for one in levels])
    middle.set_xlabel("share of saturation, or clients")
    middle.set_ylabel("error of mean latency (%)")
    _against(right, data, "cpu_s_per_request", "fitted_cpu_s_per_request", "CPU per request (ms)")
    return style.Drawing(
        name=f"{model}_residuals",
        title=f"Fit of {chosen.name} to {len(data)} windows of {model}",
        paper_shows="Not in the paper.",
        caption="Left and middle: each configuration foretold by a fit that did not see it. Right: CPU "
        "seconds of the servers per request, busy-waiting included, in the fit to all windows.",
        figure=figure,
        data=data,
    )


def _against(axes: Axes, data: pd.DataFrame, measured: str, foretold: str, quantity: str) -> None:
    values = 1000 * data[[measured, foretold]]
    ends = [0.9 * values.min().min(), 1.1 * values.max().max()]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    for mode, part in values.groupby(data["mode"]):
        colour, label = _KINDS[str(mode)]
        axes.plot(part[measured], part[foretold], ".", color=colour, label=label)
    log_log(axes)
    axes.set_xlabel(f"measured {quantity}")
    axes.set_ylabel(f"simulated {quantity}")


def log_log(axes: Axes) -> None:
    """Both axes logarithmic, with plain numbers at 1, 2, 5, 10 and so on."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
