"""Fig. 2: speed-up over sequential execution, each CPU knob alone and all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.figures.layout import legend_below, lettered, share_x, stacked
from experiments.figures.style import Drawing, NotYetComputedError
from experiments.surface import Surface, read_surface
from sim.hardware import cpu_profile

LOAD_RPS = 1.0
SEQUENTIAL = (1, 1, 1)
Along = Callable[[int], tuple[int, int, int]]
KNOBS: dict[str, tuple[Along, str]] = {
    "request": (lambda k: (k, 1, 1), "#E69F00"),
    "inter-op": (lambda k: (1, k, 1), "#009E73"),
    "intra-op": (lambda k: (1, 1, k), "#0072B2"),
    "all three": (lambda k: (k, k, k), "#D55E00"),
}


def draw(runs: Path, overrides: Sequence[str] = ()) -> Drawing:  # noqa: ARG001 - needs a table, no runs
    """Draw from the exhaustive table of ``experiment=fig02``, or of that with further overrides."""
    surface = read_surface("fig02", LOAD_RPS, overrides)
    if surface is None:
        raise NotYetComputedError("python -m experiments.truth experiment=fig02")
    sequential = surface.space.index(SEQUENTIAL)
    throughput = saturated_throughput(surface)
    panels = {
        "latency_at_1_rps": (surface.cost[sequential] / surface.cost, "mean latency at 1 request/s"),
        "saturated_throughput": (throughput / throughput[sequential], "throughput when saturated"),
    }
    figure, axes = stacked((1.5, 1.5), legend_rows=2)
    share_x(axes)
    lettered(axes, (title for _, title in panels.values()))
    parts, says = [], []
    for panel, (measure, (speed_up, title)) in zip(axes, panels.items(), strict=True):
        data = _along_the_knobs(surface, speed_up).assign(measure=measure)
        _panel(panel, data, float(speed_up.max()))
        parts.append(data)
        says.append(_says(title, surface, speed_up, data))
    axes[-1].set_xlabel("parallelism")
    legend_below(figure, axes[0].lines, columns=3)
    return Drawing(
        name="fig02",
        title="Fig. 2: performance of Inception V3 on the CPU against its parallelism",
        paper_shows=(
            "The paper shows that parallelism gains up to about 10 x over sequential execution and that too "
            "much of it loses again; it names neither its measure nor its load, so two readings are drawn."
        ),
        caption=(
            f"Each knob alone with the two others at 1, and all three at the same value; dashed: the best of "
            f"all configurations. (a) Mean latency at {LOAD_RPS:g} request/s, nearly without queueing "
            f"(exhaustive simulation). (b) Requests completed per second with every place taken (from the "
            f"profile's curves). {' '.join(says)} Profile {surface.plain['hardware']['name']} was made to "
            "meet the 10 x of (b) within 25 %."
        ),
        figure=figure,
        data=pd.concat(parts, ignore_index=True),
    )


def saturated_throughput(surface: Surface) -> NDArray[np.float64]:
    """Requests of mean size completed per second with every place taken, for each configuration."""
    profile = cpu_profile(surface.plain["hardware"], surface.plain["model"]["name"])
    speeds = profile.speeds(surface.space)
    places = np.arange(surface.space.size)
    rate: NDArray[np.float64] = speeds.limit * speeds.speed[places, speeds.limit] / profile.service.mean_s
    return rate


def _along_the_knobs(surface: Surface, speed_up: NDArray[np.float64]) -> pd.DataFrame:
    values = [value for value in surface.space.knobs[0].values if value > 0]
    return pd.DataFrame(
        [
            {"knob": knob, "value": value, "speed_up": speed_up[surface.space.index(along(value))]}
            for knob, (along, _) in KNOBS.items()
            for value in values
        ]
    )


def _panel(axes: Axes, data: pd.DataFrame, best: float) -> None:
    for knob, (_, colour) in KNOBS.items():
        mine = data[data["knob"] == knob]
        axes.plot(mine["value"], mine["speed_up"], color=colour, marker="o", markersize=3, label=knob)
    axes.axhline(best, color="#000000", linestyle="--", linewidth=0.8, label="best of all")
    axes.set_ylim(0, best * 1.1)
    axes.set_xticks(sorted(data["value"].unique()))
    axes.set_ylabel("speed-up over (1, 1, 1)")


def _says(title: str, surface: Surface, speed_up: NDArray[np.float64], data: pd.DataFrame) -> str:
    together = data[data["knob"] == "all three"].set_index("value")["speed_up"]
    best = surface.space.configurations[int(speed_up.argmax())]
    return (
        f"{title.capitalize()}: at best {speed_up.max():.1f} x, with {best}; all three together rise to "
        f"{together.max():.1f} x at {together.idxmax()} and fall to {together.iloc[-1]:.1f} x at "
        f"{together.index[-1]}."
    )
