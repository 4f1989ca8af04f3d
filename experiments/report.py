"""One self-contained page: ``python -m experiments.report [results=results]`` writes results/report.html."""

from __future__ import annotations

import base64
import html
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from experiments.arguments import parse
from experiments.compare_text import LEGEND, conditions, readable
from experiments.records import git_state, machine
from experiments.results import Run, finished_runs

# Tables of experiments.compare: title, by=, reference=; each has its own means, with intervals.
_COMPARISONS = {
    "agents": ("All agents", "", "oracle"),
    "drain": ("The drain rule, where queues are carried over slots", "drain_rule", "false"),
    "learning": ("Learning beside serving, one slot behind", "learning", "inline"),
}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1060px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em } h2 { margin-top: 2em; border-bottom: 1px solid #ddd; }
figure { margin: 1.5em 0 } figure img { max-width: 100%; height: auto }
figcaption { color: #444; font-size: .92em } code { background: #f5f5f5 } .wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85em; width: 100% }
td { max-width: 22em }
td, th { padding: .25em .5em; text-align: left; vertical-align: top; border-bottom: 1px solid #eee }
th.sortable { cursor: pointer } th.sortable::after { content: " \\21C5"; color: #aaa }
"""

_SORT = """
for (const table of document.querySelectorAll("table.sortable-table")) {
  const heads = table.querySelectorAll("th");
  heads.forEach((head, column) => {
    head.classList.add("sortable");
    head.addEventListener("click", () => {
      const down = head.dataset.order === "up";
      heads.forEach(one => delete one.dataset.order);
      head.dataset.order = down ? "down" : "up";
      const value = row => row.cells[column].textContent.trim();
      const number = row => parseFloat(value(row).replace(/^[<>~]/, ""));
      const compare = (a, b) => {
        const [x, y] = [number(a), number(b)];
        const order = isNaN(x) || isNaN(y) ? value(a).localeCompare(value(b)) : x - y;
        return down ? -order : order;
      };
      const all = [...table.tBodies[0].rows];
      const filled = all.filter(row => value(row) !== "").sort(compare);
      table.tBodies[0].append(...filled, ...all.filter(row => value(row) === ""));
    });
  });
}
"""


def build(results: Path) -> str:
    """The page as text, from what stands in results/."""
    claims = _read_claims(results / "claims.csv")
    runs = finished_runs(results / "runs")
    return "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>Region-based RL for model serving</title><style>{_STYLE}</style></head><body>",
            "<h1>Region-based reinforcement learning for model serving: what reproduces</h1>",
            _summary(claims, runs),
            "<h2>Figures</h2>",
            *_figures(results / "figures"),
            *_comparisons(results),
            "<h2>Claims of the paper</h2>",
            _claims(claims),
            "<h2>What ran</h2>",
            _what_ran(runs),
            f"<script>{_SORT}</script></body></html>",
        ]
    )


def _read_claims(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame()


def _summary(claims: pd.DataFrame, runs: list[Run]) -> str:
    if claims.empty:
        return "<p>No claims table yet: run <code>python -m experiments.claims</code>.</p>"
    counts = (
        claims["verdict"].str.replace(r"^duplicate of .*", "duplicate of another", regex=True).value_counts()
    )
    items = "".join(f"<li><b>{html.escape(str(name))}</b>: {count}</li>" for name, count in counts.items())
    return (
        f"<p>{len(claims)} claims listed, {len(runs)} finished runs read. Verdicts:</p><ul>{items}</ul>"
        "<p>Simulated results rest on a hardware profile that was fitted to the paper's few published facts "
        "(<code>conf/hardware/paper_cpu.yaml</code>), not to its measurements, which are not public.</p>"
        f"{_judged(claims)}{_means(runs)}"
    )


def _judged(claims: pd.DataFrame) -> str:
    """The claims that have a value, in short."""
    valued = claims[claims["value"] != ""]
    if valued.empty:
        return ""
    columns = ["id", "metric", "subject", "baseline", "paper_value", "value", "interval_low", "interval_high"]
    return "<p>Claims with a value so far:</p>" + _table(valued[[*columns, "unit", "seeds", "verdict"]])


def _means(runs: list[Run]) -> str:
    """Mean cost over the whole run for every agent and experiment without a table of its own."""
    rows = []
    for run in runs:
        if run.config["experiment_name"] in _COMPARISONS:
            continue
        slots = run.table("slots")
        rows.append(
            {
                "experiment": run.config["experiment_name"],
                "workload": slots["workload"].iloc[0],
                "agent": run.config["agent"].get("preset"),
                "radius": run.config["agent"].get("radius", run.config["agent"].get("credit", "")),
                "discount": run.config["agent"].get("gamma", ""),
                "cost": slots["cost"].mean(),
                "latency": slots["mean_latency_s"].mean(),
                "optimal": slots["optimal_cost"].mean(),
            }
        )
    if not rows:
        return ""
    table = (
        pd.DataFrame(rows)
        .groupby(["experiment", "workload", "agent", "radius", "discount"], as_index=False)
        .agg(
            runs=("cost", "size"),
            mean_cost_s=("cost", "mean"),
            mean_latency_s=("latency", "mean"),
            optimal_cost_s=("optimal", "mean"),
        )
    )
    table["cost over optimal"] = table["mean_cost_s"] / table["optimal_cost_s"]
    remark = (
        "<p>Mean over the whole run, learning included. Cost counts a lost request as 5 s; the optimum is "
        "read from the exhaustive table, whose error of about 1 % can put the oracle slightly below it.</p>"
    )
    return remark + _table(table.sort_values(["experiment", "mean_cost_s"]))


def _table(table: pd.DataFrame) -> str:
    text = table.to_html(
        index=False,
        classes="sortable-table",
        border=0,
        float_format=lambda number: f"{number:.4g}",
        na_rep="",
    )
    return f"<div class='wide'>{text}</div>"


def _figures(folder: Path) -> list[str]:
    blocks = []
    for picture in sorted(folder.glob("*.png")):
        title, paper_shows, caption = picture.with_suffix(".txt").read_text().split("\n", 2)
        encoded = base64.b64encode(picture.read_bytes()).decode()
        blocks.append(
            f"<figure><h3>{html.escape(title)}</h3>"
            f"<img alt='{html.escape(title, quote=True)}' src='data:image/png;base64,{encoded}'>"
            f"<figcaption><p>{html.escape(paper_shows)}</p><p>{html.escape(caption.strip())}</p></figcaption></figure>"
        )
    return blocks or ["<p>No figures yet: run <code>python -m experiments.figures</code>.</p>"]


def _comparisons(results: Path) -> list[str]:
    """The tables that ``experiments.compare`` has made."""
    blocks = []
    for name, (title, by, reference) in _COMPARISONS.items():
        path = results / f"{name}.csv"
        if path.exists():
            table = pd.read_csv(path, dtype={by: str} if by else None)
            blocks += [f"<h2>{title}</h2>", f"<p>{html.escape(LEGEND)}</p>"]
            for condition, rows in conditions(table):
                blocks += [f"<h3>{html.escape(condition)}</h3>", _table(readable(rows, by, reference))]
    return blocks


def _claims(claims: pd.DataFrame) -> str:
    if claims.empty:
        return "<p>Not yet computed.</p>"
    ahead = ["id", "verdict", "metric", "subject", "baseline", "paper_value", "unit", "value"]
    return _table(claims[ahead + [column for column in claims.columns if column not in ahead]])


def _what_ran(runs: list[Run]) -> str:
    git, computer = git_state(), machine()
    changed = ", with uncommitted changes" if git["dirty"] else ""
    revisions = sorted({str(run.manifest.get("git", {}).get("revision")) for run in runs})
    return (
        f"<p>Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by revision {git['revision']}{changed}, on "
        f"{html.escape(computer['platform'])}, {computer['cores']} cores, Python {computer['python']}. "
        f"{len(runs)} runs, made by revision(s) {html.escape(', '.join(revisions))}.</p>"
    )


def main(arguments: list[str]) -> int:
    """Write the page; returns the exit code."""
    results = Path(parse(arguments, {"results": "results"}, __doc__ or "")["results"])
    results.mkdir(parents=True, exist_ok=True)
    page = results / "report.html"
    partial = page.with_name(".report.html")
    partial.write_text(build(results))
    partial.rename(page)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
