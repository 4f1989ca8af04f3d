"""The docs' diagrams: ``python -m experiments.diagrams [target=docs/diagrams]``; always the same bytes."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.arguments import parse
from experiments.diagrams import distance, framework, regions, request_path
from experiments.diagrams.canvas import same_bytes, save

DRAW = {
    "request_path": request_path.draw,
    "framework": framework.draw,
    "regions": regions.draw,
    "distance": distance.draw,
}


def main(arguments: list[str]) -> int:
    """Draw all; returns the exit code."""
    target = parse(arguments, {"target": Path("docs/diagrams")}, __doc__ or "")["target"]
    target.mkdir(parents=True, exist_ok=True)
    with same_bytes():
        for name, draw in DRAW.items():
            save(draw(), target / f"{name}.svg")
            print(target / f"{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
