"""One self-contained page: ``python -m experiments.report [results=results]`` writes results/report.html."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.arguments import parse, refuse
from experiments.pages import write_whole
from experiments.report.page import build
from serving.errors import UsageError


def main(arguments: list[str]) -> int:
    """Write the page; returns the exit code."""
    results = Path(parse(arguments, {"results": "results"}, __doc__ or "")["results"])
    if not results.is_dir():
        refuse(f"results={results} is no folder, expected the one that holds claims.csv and figures")
    page = results / "report.html"
    try:
        write_whole(page, build(results))
    except UsageError as error:
        refuse(str(error))
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
