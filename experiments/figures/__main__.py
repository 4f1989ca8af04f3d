"""``python -m experiments.figures [fig=11] [runs=FOLDER] [target=results/figures]``.

Draws the figures that have results, or the one asked for. ``runs=`` draws it from another folder; with
``fig=11`` that may be any folder of runs, of any agents, such as a single run on your own trace:
``fig=11 runs=results/runs/single``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.figures import (
    fig02,
    fig03,
    fig04,
    fig05,
    fig09,
    fig10,
    fig11,
    fig12,
    fig13,
    fig14,
    fig15,
    own_runs,
    style,
)
from experiments.results import failed_runs, tell_failed
from experiments.usable import tell_unusable, usable_runs
from serving.errors import UsageError

DRAW: dict[str, Callable[[Path], style.Drawing]] = {
    "fig02": fig02.draw,
    "fig03": fig03.draw,
    "fig04": fig04.draw,
    "fig05": fig05.draw,
    "fig09": fig09.draw,
    "fig10": fig10.draw,
    "fig11": fig11.draw,
    "fig12": fig12.draw,
    "fig13": fig13.draw,
    "fig14": fig14.draw,
    "fig15": fig15.draw,
}


def main(arguments: list[str]) -> int:
    """Draw; returns the exit code."""
    defaults = {"fig": "all", "runs": "", "output_dir": "results/runs", "target": Path("results/figures")}
    options = parse(arguments, defaults, __doc__)
    known = DRAW | ({"fig11": own_runs.draw} if options["runs"] else {})
    wanted = known if options["fig"] == "all" else {_name(options["fig"]): known[_name(options["fig"])]}
    style.apply()
    folders = {name: Path(options["runs"] or f"{options['output_dir']}/{name}") for name in wanted}
    for folder in dict.fromkeys(folders.values()):
        tell_unusable(usable_runs(folder)[1])
    tell_failed(one for folder in set(folders.values()) for one in failed_runs(folder))
    missing, refused = 0, 0
    for name, folder in folders.items():
        try:
            drawing = wanted[name](folder)
            if options["runs"]:  # not the paper's figure: it must not take its place
                drawing = replace(drawing, name=f"{drawing.name}_{folder.resolve().name}")
        except UsageError as error:
            print(f"{name}: {error}", file=sys.stderr)
            refused = 2
            continue
        except style.NotYetComputedError as error:
            print(f"{name}: not yet computed, run: {error}", file=sys.stderr)
            missing += 1
            continue
        for path in style.save(drawing, options["target"]):
            print(path)
    return refused or min(missing, 1)


def _name(figure: str) -> str:
    name = f"fig{int(figure):02d}" if figure.isdigit() else figure
    if name not in DRAW:
        refuse(f"fig={figure} is not known, choose from {sorted(DRAW)}")
    return name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
