"""``python -m experiments.figures [fig=11] [runs=FOLDER] [target=results/figures]``.

Draws the figures that have results, or the one asked for. ``runs=`` draws Fig. 11's form from any folder of
runs, such as a single run on your own trace: ``fig=11 runs=results/runs/single``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.figures import fig02, fig03, fig04, fig05, fig09, fig10, fig11, style
from serving.errors import UsageError

DRAW: dict[str, Callable[[Path], style.Drawing]] = {
    "fig02": fig02.draw,
    "fig03": fig03.draw,
    "fig04": fig04.draw,
    "fig05": fig05.draw,
    "fig09": fig09.draw,
    "fig10": fig10.draw,
    "fig11": fig11.draw,
}


def main(arguments: list[str]) -> int:
    """Draw; returns the exit code."""
    defaults = {"fig": "all", "runs": "", "output_dir": "results/runs", "target": "results/figures"}
    options = parse(arguments, defaults, __doc__)
    wanted = DRAW if options["fig"] == "all" else {_name(options["fig"]): DRAW[_name(options["fig"])]}
    style.apply()
    missing = 0
    for name, draw in wanted.items():
        folder = Path(options["runs"] or f"{options['output_dir']}/{name}")
        try:
            drawing = draw(folder)
            if options["runs"]:  # not the paper's figure: it must not take its place
                drawing = replace(drawing, name=f"{drawing.name}_{folder.resolve().name}")
        except UsageError as error:
            refuse(str(error))
        except style.NotYetComputedError as error:
            print(f"{name}: not yet computed, run: {error}", file=sys.stderr)
            missing += 1
            continue
        for path in style.save(drawing, Path(options["target"])):
            print(path)
    return 1 if missing else 0


def _name(figure: str) -> str:
    name = f"fig{int(figure):02d}" if figure.isdigit() else figure
    if name not in DRAW:
        refuse(f"fig={figure} is not known, choose from {sorted(DRAW)}")
    return name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
