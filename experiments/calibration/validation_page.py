"""The page that says how far the simulator is from the testbed, with its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from experiments.calibration.agreement import LOAD, Agreement, errors, pool, with_share
from experiments.calibration.residual_figure import log_log
from experiments.figures import style

_MARGIN = 1.2
_WORLDS = {"": ("#333333", "testbed"), "simulated_": ("#D55E00", "simulator")}


def draw(model: str, rows: pd.DataFrame, knobs: Sequence[str]) -> style.Drawing:
    """Above: every window, simulated against measured, and errors by load. Below: the trace, slot by slot."""
    pooled = with_share(pool(rows, knobs), knobs)
    rate = pooled[pooled["mode"] == "rate"]
    figure, axes = plt.subplots(2, 2, figsize=(style.WIDE_INCHES, 4.6))
    _scatter(axes[0, 0], rate)
    axes[0, 1].axhspan(-10, 10, color="#eeeeee", zorder=0)
    axes[0, 1].plot(rate["share"], errors(rate), ".", color="#0072B2")
    axes[0, 1].axvline(LOAD, color="#999999", linestyle=":")
    axes[0, 1].set_xlabel("rate / measured saturation")
    axes[0, 1].set_ylabel("error of mean latency (%)")
    traces = pooled[pooled["mode"] == "trace"].groupby([*knobs, "level"])
    for below, (_, part) in zip(axes[1], traces, strict=False):
        _trace(below, part, f"({', '.join(str(int(part[knob].iloc[0])) for knob in knobs)})")
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=4, loc="outside lower center")
    return style.Drawing(
        name=f"{model}_both",
        title=f"{model}: the calibrated simulator against the testbed",
        paper_shows="Not in the paper.",
        caption="Above: held-out configurations at constant rates, the same arrivals in both worlds; the bar "
        "is 10 % up to 0.7 of saturation. Below: a compressed day of Wikipedia's traffic under two of them.",
        figure=figure,
        data=rows,
    )


def _scatter(axes: Any, rate: pd.DataFrame) -> None:
    for quantity, colour, label in (
        ("mean_latency_s", "#0072B2", "mean"), ("p95_latency_s", "#E69F00", "95th percentile")
    ):  # fmt: skip
        axes.plot(1000 * rate[quantity], 1000 * rate[f"simulated_{quantity}"], ".", color=colour, label=label)
    drawn = np.concatenate([line.get_data() for line in axes.lines], axis=None)
    ends = np.array([drawn.min() / _MARGIN, drawn.max() * _MARGIN])
    axes.plot(ends, ends, color="black", linewidth=0.8)
    log_log(axes)
    axes.set_xlabel("measured latency (ms)")
    axes.set_ylabel("simulated latency (ms)")
    axes.legend(loc="lower right")


def _trace(axes: Any, part: pd.DataFrame, title: str) -> None:
    part = part.sort_values("slot")
    for prefix, (colour, label) in _WORLDS.items():
        for quantity, line in (("mean_latency_s", "-"), ("p95_latency_s", "--")):
            which = "mean" if line == "-" else "p95"
            axes.plot(
                part["slot"], 1000 * part[prefix + quantity], line, color=colour, label=f"{label}, {which}"
            )
    axes.set_title(title, loc="left")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("slot")
    axes.set_ylabel("latency (ms)")


def page(
    model: str, found: Mapping[str, Agreement], rows: pd.DataFrame, knobs: Sequence[str], corrected: bool
) -> str:
    """Markdown: what was compared, the numbers, the picture, and every window.

    Args:
        model: its name.
        found: by what was simulated, the first being that of ``rows``.
        rows: of ``replay.simulated``.
        knobs: names of the knobs.
        corrected: whether the fit is.
    """
    rows = with_share(pool(rows, knobs), knobs)
    machine = f"{rows['cpu'].iloc[-1]}, {int(rows['cores'].iloc[-1])} cores, {rows['measured_at'].max()[:10]}"
    disturbed = int((rows["flags"].fillna("") != "").sum())
    columns = [dict(_numbers(one)) for one in found.values()]
    lines = [["", *found], ["---"] * (1 + len(found))]
    lines += [[name, *(column[name] for column in columns)] for name in columns[0]]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return (
        f"# {model}: the calibrated simulator against the testbed\n\n"
        f"The same requests in both worlds, under configurations that the fit"
        f"{' (corrected)' if corrected else ''} did not see; a window is the mean of its visits, "
        f"apart in time. {machine}. "
        f"{disturbed} of {len(rows)} windows and slots were disturbed by others on the machine, which was "
        f"{rows['speed'].min():.2f} to {rows['speed'].max():.2f} times as fast as when it was profiled.\n\n"
        f"{table}\n![Simulated against measured]({model}_both.png)\n\n"
        f"Every window, in milliseconds:\n\n{_windows(rows, knobs)}"
    )


def _numbers(found: Agreement) -> list[tuple[str, str]]:
    regret = ", ".join(f"{value:.1f} % at {rate:g}/s" for rate, value in found.regret.items())
    return [
        ("held-out windows up to 0.7 of saturation", f"{found.windows}"),
        (
            "mean latency: mean absolute error",
            f"{found.mape.value:.1f} % [{found.mape.low:.1f}, {found.mape.high:.1f}]",
        ),
        ("the same of single visits", f"{found.visit_mape:.1f} %"),
        ("median spread between visits of a window", _percent(found.between)),
        ("mean latency: bias (positive: simulator too slow)", f"{found.bias:+.1f} %"),
        ("95th percentile: mean absolute error", f"{found.p95_mape:.1f} %"),
        ("CPU seconds per request: mean absolute error", f"{found.cpu_mape:.1f} %"),
        ("saturated throughput: mean absolute error", f"{found.saturation_mape:.1f} %"),
        ("mean latency beyond 0.7 of saturation", f"{found.beyond_mape:.1f} %"),
        ("median standard error of a measured mean", f"{found.noise:.1f} %"),
        (
            "Kendall's tau over pairs that differ for certain",
            f"{found.tau:.2f} ({found.pairs} pairs)",
        ),
        ("regret of acting on the simulator", regret),
        (
            "trace, per slot: mean, 95th percentile, bias",
            f"{found.trace_mape:.1f} %, {found.trace_p95_mape:.1f} %, {found.trace_bias:+.1f} %",
        ),
    ]


def _percent(value: float) -> str:
    return "one visit each" if np.isnan(value) else f"{value:.1f} %"


def _windows(rows: pd.DataFrame, knobs: Sequence[str]) -> str:
    shown = pd.DataFrame(
        {
            "configuration": rows[list(knobs)].astype(int).astype(str).agg(", ".join, axis=1),
            "window": rows["mode"] + " " + rows["level"].map("{:g}".format),
            "visits": rows["visits"].astype(str),
            "speed": rows["speed"].map("{:.2f}".format),
            "share": rows["share"].map("{:.2f}".format).replace("nan", ""),
            "mean": (1000 * rows["mean_latency_s"]).map("{:.1f}".format),
            "simulated mean": (1000 * rows["simulated_mean_latency_s"]).map("{:.1f}".format),
            "p95": (1000 * rows["p95_latency_s"]).map("{:.1f}".format),
            "simulated p95": (1000 * rows["simulated_p95_latency_s"]).map("{:.1f}".format),
            "flags": rows["flags"].fillna(""),
        }
    )
    lines = [list(shown.columns), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
