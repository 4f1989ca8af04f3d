"""One look for all figures: sizes, a colour per agent, and how a figure is saved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

COLUMN_INCHES = 3.3  # single column of the paper
WIDE_INCHES = 6.9  # both columns

# Okabe-Ito, and Tol's muted set for the rest, safe for colour-blind readers; an agent keeps its colour: the
# published settings have the full one, our robust settings a lighter one.
COLOURS = {
    "rrl_plus_paper": "#332288",
    "rrl_plus": "#9B8FD0",
    "rrl_paper": "#0072B2",
    "rrl": "#56B4E9",
    "q_learning": "#E69F00",
    "deeprm": "#44AA99",
    "capes_published": "#882255",
    "capes": "#C9849F",
    "gp": "#EE3377",
    "gp_lcb": "#F5A3C4",
    "gp_safe": "#BB6699",
    "gp_table": "#A65A7E",
    "gp_tables": "#7A0B3A",
    "linucb": "#AACC22",
    "aimd": "#777700",
    "optuna": "#1E6FD9",
    "sb3_dqn": "#B35900",
    "sb3_ppo": "#E8B27D",
    "serf": "#004D4D",
    "packrat": "#5C6B73",
    "random": "#999999",
    "static": "#CC79A7",
    "static_best": "#009E73",
    "sequential": "#8B5A2B",
    "tf_default": "#D55E00",
    "oracle": "#000000",
}
LABELS = {
    "rrl_plus_paper": "RRL Plus",
    "rrl_plus": "RRL Plus (robust)",
    "rrl_paper": "RRL",
    "rrl": "RRL (robust)",
    "q_learning": "Q-learning",
    "deeprm": "DeepRM",
    "capes_published": "CAPES",
    "capes": "CAPES (robust)",
    "gp": "Gaussian process",
    "gp_lcb": "GP, lower bound",
    "gp_safe": "GP, safe",
    "gp_table": "GP with a table",
    "gp_tables": "GP with tables",
    "linucb": "LinUCB",
    "aimd": "AIMD",
    "optuna": "Optuna",
    "sb3_dqn": "SB3 DQN",
    "sb3_ppo": "SB3 PPO",
    "serf": "SERF",
    "packrat": "Packrat",
    "random": "random",
    "static": "static, middle of the grid",
    "static_best": "best static",
    "sequential": "sequential",
    "tf_default": "system default",
    "oracle": "oracle",
}
ORDER = list(COLOURS)
SLO_LINE: dict[str, Any] = {"color": "#555555", "linestyle": "-.", "linewidth": 0.9}
_TUNED = "_tuned"  # looks like the published settings of the same agent, dashed
PREPARED = "_prepared"  # in a simulator: looks like the same agent from scratch, dash-dotted
AGAIN = "_again"  # a second run of the same, as a control: looks like the first, dotted
_PUBLISHED = ("{}_paper", "{}_published", "{}")

_SETTINGS: dict[str, Any] = {
    "font.size": 7,  # nothing below 6: a figure is printed as large as it is drawn
    "axes.titlesize": 7.5,
    "axes.titlepad": 4,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 6.5,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.1,
    "lines.markersize": 4,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


class NotYetComputedError(Exception):
    """The runs that a figure needs are not there; the message says which command makes them."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure, the numbers that were drawn, and what to say below it."""

    name: str
    title: str
    paper_shows: str
    caption: str
    figure: Figure
    data: pd.DataFrame


def apply() -> None:
    """Switch the shared look on."""
    plt.rcdefaults()
    plt.rcParams.update(_SETTINGS)  # type: ignore[arg-type]


def colour(preset: str) -> str:
    """Colour of an agent, tuned or not; presets that have none yet get a fixed one from their name."""
    preset = _published(preset)
    fallback = plt.get_cmap("tab20")(sum(map(ord, preset)) % 20)
    return COLOURS.get(preset, mpl.colors.to_hex(fallback))


def label(preset: str) -> str:
    """How an agent is called in a legend."""
    agent = preset.removesuffix(PREPARED)
    base = _published(agent)
    tuned = ", tuned" if base != agent.removesuffix(AGAIN) else ""
    prepared = ", prepared" if agent != preset else ""
    again = ", again" if agent.endswith(AGAIN) else ""
    return LABELS.get(base, base) + tuned + prepared + again


def dashes(preset: str) -> str:
    """Line style: prepared dash-dotted, tuned dashed, what may lie on another line dotted."""
    if preset.removesuffix(PREPARED).endswith(AGAIN):
        return ":"
    if preset.endswith(PREPARED):
        return "-."
    return ":" if preset == "oracle" else "--" if preset.endswith(_TUNED) else "-"


def in_order(presets: Iterable[str]) -> list[str]:
    """Presets in the order of legends: learners, baselines, oracle, then whatever else there is."""
    places = {one: place for place, one in enumerate(ORDER)}
    return sorted(presets, key=lambda one: (places.get(_published(one), len(ORDER)), one))


def _published(preset: str) -> str:
    """The preset of the published settings for a tuned or prepared one, any other itself."""
    preset = preset.removesuffix(PREPARED).removesuffix(AGAIN)
    if not preset.endswith(_TUNED):
        return preset
    agent = preset.removesuffix(_TUNED)
    known = (name for form in _PUBLISHED if (name := form.format(agent)) in COLOURS)
    return next(known, agent)


def rolling(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Centred moving average that skips gaps; values has shape (slots,)."""
    return pd.Series(values).rolling(width, center=True, min_periods=1).mean().to_numpy(dtype=np.float64)


def save(drawing: Drawing, folder: Path) -> list[Path]:
    """Write PNG, PDF, the drawn numbers as CSV and the caption as text; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{drawing.name}.{suffix}" for suffix in ("png", "pdf", "csv", "txt")]
    partial = [path.with_name(f".{path.name}") for path in paths]
    drawing.figure.savefig(partial[0], format="png", metadata={"Software": None})
    drawing.figure.savefig(partial[1], format="pdf", metadata={"CreationDate": None})
    drawing.data.to_csv(partial[2], index=False, float_format="%.6g")
    partial[3].write_text(f"{drawing.title}\n{drawing.paper_shows}\n{drawing.caption}\n")
    for written, path in zip(partial, paths, strict=True):
        written.replace(path)
    plt.close(drawing.figure)
    return paths
