"""One self-contained page: ``python -m experiments.report [results=results]`` writes results/report.html."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.arguments import parse
from experiments.report.page import build


def main(arguments: list[str]) -> int:
    """Write the page; returns the exit code."""
    results = Path(parse(arguments, {"results": "results"}, __doc__ or "")["results"])
    results.mkdir(parents=True, exist_ok=True)
    page = results / "report.html"
    partial = page.with_name(".report.html")
    partial.write_text(build(results), encoding="utf-8")
    partial.replace(page)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
