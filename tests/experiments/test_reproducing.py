"""The README's table on reproducing the paper, and the times of make's stages that stand in it."""

import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiments import reproducing, stages
from experiments.pages import replaced
from experiments.report.claims import read_claims

ROOT = Path(__file__).resolve().parents[2]


def stage(**said):
    known = {"target": "paper", "stage": "fig09", "seconds": 90.0, "runs": 10, "tables": 1}
    known |= {"cores": 2, "cpu": "a CPU"}
    return stages.Stage(**known | {"revision": "0123456789", "ended": "2026-01-01T00:00:00+00:00"} | said)


def claim(identifier, **said):
    row = dict.fromkeys(("subject", "baseline", "unit", "value", "interval_low", "interval_high"), "")
    return row | {"id": identifier, "verdict": "partly", "figure_or_section": "Sec. I, Fig. 9"} | said


def test_a_resumed_stage_does_not_hide_how_long_it_takes():
    first = note_all(stage(), stage(seconds=2.0, runs=0))
    assert first == [stage()]
    assert note_all(stage(runs=0), stage(seconds=2.0, runs=0, tables=0)) == [stage(runs=0)]
    assert note_all(stage(), stage(seconds=80.0)) == [stage(seconds=80.0)]
    elsewhere = stage(seconds=2.0, runs=0, cores=64)
    assert note_all(stage(), stage(stage="fig10"), elsewhere) == [elsewhere, stage(stage="fig10")]


def note_all(*new):
    noted = []
    for one in new:
        noted = stages.note(noted, one)
    return noted


def test_a_stage_is_noted_with_the_runs_made_meanwhile(tmp_path):
    for name, ago_s in (("old", 500), ("new", 5), ("newer", 1)):
        folder = tmp_path / "runs" / "fig09" / name
        folder.mkdir(parents=True)
        end = datetime.now(UTC) - timedelta(seconds=ago_s)
        (folder / "manifest.json").write_text(json.dumps({"end": end.isoformat()}))
    (tmp_path / "tables").mkdir()
    for name, ago_s in (("old", 500), ("new", 5)):
        (tmp_path / "tables" / f"{name}.npz").touch()
        os.utime(tmp_path / "tables" / f"{name}.npz", (0, time.time() - ago_s))
    assert stages.main(["target=paper", "stage=fig09", "seconds=60", f"results={tmp_path}"]) == 0
    (tmp_path / "runs" / "single").mkdir()
    (tmp_path / "runs" / "fig09" / "newer").rename(tmp_path / "runs" / "single" / "newer")
    began = datetime.now(UTC) - timedelta(seconds=60)
    assert [stages.runs_since(tmp_path / "runs", began, one) for one in ("fig09_b", "pages")] == [1, 2]
    (noted,) = stages.read_stages(tmp_path / "stages.csv")
    assert (noted.target, noted.stage, noted.seconds, noted.runs, noted.tables) == (
        "paper",
        "fig09",
        60.0,
        2,
        1,
    )


def test_a_stage_without_its_time_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        stages.main(["target=paper", "stage=fig09"])
    assert stop.value.code == 2
    assert "seconds" in capsys.readouterr().err


def test_the_table_has_a_row_for_each_figure_and_one_for_all_else():
    claims = [
        claim("C001", value="5", interval_low="4", interval_high="6", unit="x", subject="RRL"),
        claim("C002", figure_or_section="Fig. 11(b)", baseline="CAPES", verdict="not reproduced"),
        claim("C003", figure_or_section="abstract"),
        claim("C004", verdict="input"),
    ]
    noted = [stage(), stage(stage="fig11", seconds=30.0), stage(target="reproduce", seconds=6.0, runs=3)]
    text = reproducing.section(claims, noted, ["fig09", "fig11"], "paper")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| C")]
    assert [row[0] for row in rows] == ["| C001", "| C002", "| C003"]
    assert [row[2] for row in rows] == ["1.5", "0.5", ""]
    assert rows[0][3].endswith("; C001 5 x [4, 6] partly")
    assert rows[0][4] == "the same numbers |"
    assert rows[1][4].startswith("the same verdicts")
    assert "`make paper`: 2 minutes and 20 runs, set-up aside (2 cores, a CPU)" in text
    assert "`make reproduce`: 0 minutes and 3 runs" in text
    assert "paper-all" not in text


def test_the_time_of_all_is_the_sum_of_what_make_makes():
    prerequisites = re.search(r"^paper-all: (.*?) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert prerequisites is not None
    assert tuple(prerequisites[1].split()) == reproducing.ALL
    noted = [stage(target=target, seconds=90.0) for target in ("reproduce", *reproducing.ALL)]
    assert "`make paper-all`: 8 minutes and 50 runs, the sum of paper, studies" in reproducing.section(
        [], noted, [], "paper"
    )


def test_damaged_results_are_refused_with_a_line(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"{reproducing.BEGIN}\nold\n{reproducing.END}\n")
    whole = {"claims.csv": ROOT / "results" / "claims.csv", "stages.csv": ROOT / "results" / "stages.csv"}
    for name, lack in (("claims.csv", "id"), ("stages.csv", "target")):
        for other, path in whole.items():
            (tmp_path / other).write_text(path.read_text())
        for damage in ("", "garbage\n", whole[name].read_text().rstrip().rpartition("\n")[0] + "\ncut"):
            (tmp_path / name).write_text(damage)
            with pytest.raises(SystemExit):
                reproducing.main([f"readme={readme}", f"results={tmp_path}"])
            said = capsys.readouterr().err
            assert said.startswith(f"{tmp_path / name} is damaged: ")
            assert (f"no column {lack}" in said) == (len(damage) < 10)
    assert "old" in readme.read_text()


def test_only_what_stands_between_the_markers_changes(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{reproducing.BEGIN}\nold\n{reproducing.END}\nafter\n")
    assert reproducing.main([f"readme={readme}", f"results={tmp_path}"]) == 0
    text = readme.read_text()
    assert text.startswith(f"before\n{reproducing.BEGIN}\n| claims | command |")
    assert text.endswith(f"{reproducing.END}\nafter\n")
    assert "old" not in text
    readme.write_text("no markers")
    with pytest.raises(SystemExit):
        reproducing.main([f"readme={readme}", f"results={tmp_path}"])
    assert "reproducing:begin" in capsys.readouterr().err


def test_the_readme_shows_what_stands_in_results():
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", "results", "README.md"], cwd=ROOT, check=False
    )
    if changed.returncode:
        pytest.skip("results of this checkout's own, not those of the repository")
    claims = read_claims(ROOT / "results" / "claims.csv")
    noted = stages.read_stages(ROOT / "results" / "stages.csv")
    figures = reproducing.figures_of(claims, ROOT / "results" / "figures")
    readme = (ROOT / "README.md").read_text()
    expected = reproducing.section(claims, noted, figures, "paper")
    now = replaced(readme, reproducing.BEGIN, reproducing.END, expected)
    assert now == readme, "run python -m experiments.reproducing"


def test_a_run_that_fails_stops_neither_the_other_stages_nor_the_pages(tmp_path):
    said, program, stamp = tmp_path / "said", tmp_path / "program", tmp_path / "stamp"
    program.write_text(f'#!/bin/sh\necho "$*" >>{said}\ncase "$*" in *experiment=fig09*) exit $CODE; esac\n')
    program.chmod(0o755)
    stamp.touch()
    command = ["make", "reproduce", f"RUN={program}", f"STAMP={stamp}"]
    for code, last in (("1", "experiments.report"), ("2", "experiment=fig09"), ("130", "experiment=fig09")):
        ended = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"CODE": code}, capture_output=True, timeout=60, check=False
        )
        assert ended.returncode != 0
        assert last in said.read_text().splitlines()[-1]
