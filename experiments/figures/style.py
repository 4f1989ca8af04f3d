"""One look for all figures: sizes, a colour per agent, and how a figure is saved."""

from __future__ import annotations

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
WIDE_INCHES = 6.9

# Okabe-Ito, and Tol's muted set for the rest, safe for colour-blind readers; an agent keeps its colour.
COLOURS = {
    "rrl": "#0072B2",
    "rrl_paper": "#56B4E9",
    "rrl_plus": "#332288",
    "rrl_plus_paper": "#9B8FD0",
    "deeprm": "#44AA99",
    "capes": "#882255",
    "q_learning": "#E69F00",
    "random": "#999999",
    "static": "#CC79A7",
    "static_best": "#009E73",
    "sequential": "#8B5A2B",
    "tf_default": "#D55E00",
    "oracle": "#000000",
}
LABELS = {
    "rrl": "RRL (robust)",
    "rrl_paper": "RRL (paper)",
    "rrl_plus": "RRL Plus (robust)",
    "rrl_plus_paper": "RRL Plus (paper)",
    "deeprm": "DeepRM",
    "capes": "CAPES",
    "q_learning": "Q-learning",
    "random": "random",
    "static": "static (5, 5, 5)",
    "static_best": "best static",
    "sequential": "sequential (1, 1, 1)",
    "tf_default": "system default",
    "oracle": "oracle",
}
ORDER = list(COLOURS)
_TUNED = "_tuned"  # a tuned preset looks like the one it comes from

_SETTINGS: dict[str, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.2,
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
    preset = preset.removesuffix(_TUNED)
    fallback = plt.get_cmap("tab20")(sum(map(ord, preset)) % 20)
    return COLOURS.get(preset, mpl.colors.to_hex(fallback))


def label(preset: str) -> str:
    """How an agent is called in a legend."""
    base = preset.removesuffix(_TUNED)
    return LABELS.get(base, base) + (", tuned" if base != preset else "")


def in_order(presets: list[str]) -> list[str]:
    """Presets in the order of legends: learners, baselines, oracle, then whatever else there is."""
    places = {one: place for place, base in enumerate(ORDER) for one in (base, base + _TUNED)}
    return sorted(presets, key=lambda one: (places.get(one, len(ORDER)), one))


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
