"""The table of claims as a whole: the catalogue, the program, its files, and runs that cannot be read."""

import csv
import shutil
from dataclasses import fields

import pytest
from claim_runs import CLAIMS, gap_that_settles, judged, write_run
from tests_support import fail

from experiments.claim_values import registry
from experiments.claim_values.evidence import Evidence
from experiments.claims import Claim, Judged, judge, main
from experiments.claims_text import BEGIN, END, markdown, section
from experiments.pages import replace_section, write_whole
from experiments.records import ROOT
from experiments.usable import usable_runs
from experiments.verdict import PaperValue


def test_the_catalogue_is_whole():
    assert list(CLAIMS) == [f"C{number:03d}" for number in range(1, len(CLAIMS) + 1)]
    assert len(CLAIMS) >= 73
    plain = {"input", "theory", "computed", "not testable here"}
    for claim in CLAIMS.values():
        if claim.type == "computed":
            PaperValue.parse(claim.paper_value)
            assert claim.unit
        elif claim.type.startswith("duplicate of "):
            original = CLAIMS[claim.type.removeprefix("duplicate of ")]
            assert original.type == "computed"
            assert (original.paper_value, original.unit) == (claim.paper_value, claim.unit)
            assert (original.subject, original.baseline) == (claim.subject, claim.baseline)
        else:
            assert claim.type in plain
            assert claim.note or claim.type == "theory"


def test_every_computed_claim_has_its_computation():
    computed = {claim.id for claim in CLAIMS.values() if claim.type == "computed"}
    assert set(registry.PUBLISHED) == computed
    assert set(registry.TUNED) <= computed


@pytest.mark.parametrize("claim", sorted(set(registry.PUBLISHED) - {"C072"}))  # which needs nothing
def test_without_results_a_claim_says_what_is_missing(tmp_path, monkeypatch, claim):
    monkeypatch.chdir(tmp_path)
    said = judged(tmp_path, claim)
    assert (said.value, said.verdict) == ("", "not yet computed")
    assert said.reason.startswith("missing: ")


def test_too_few_seeds_give_a_value_and_no_verdict(tmp_path):
    for seed in range(9):
        write_run(tmp_path, "rrl_plus_paper", seed, gap=gap_that_settles(75))
    said = judged(tmp_path, "C019")
    assert (said.value, said.verdict) == ("150", "not yet computed")
    assert "10 seeds for a verdict, there are 9" in said.reason


@pytest.fixture
def away(tmp_path, monkeypatch):
    """A folder away from this checkout's tables, with the workload's claim made cheap."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("experiments.claim_values.markov.SEEDS", 1)
    monkeypatch.setattr("experiments.claim_values.markov.SLOTS", 20)
    return tmp_path


def some_runs(folder):
    for seed in range(10):
        write_run(folder, "rrl_plus_paper", seed, cost=0.3 + 0.01 * seed)
        write_run(folder, "capes_published", seed, cost=1.0 + 0.02 * seed)


def table(target):
    with target.open(newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_the_program_writes_every_claim(away, capsys):
    some_runs(away / "runs")
    target = away / "out" / "claims.csv"
    assert main([f"output_dir={away / 'runs'}", f"target={target}"]) == 0
    rows = table(target)
    assert list(rows) == list(CLAIMS)
    assert rows["C022"]["verdict"] == "reproduced"
    assert rows["C002"]["verdict"] == "duplicate of C026"
    assert rows["C023"]["verdict"] == "not yet computed"
    assert "agent=deeprm" in rows["C023"]["reason"]
    assert sorted(path.name for path in target.parent.iterdir()) == ["claims.csv", "claims.md"]
    printed = capsys.readouterr().out
    assert "1 reproduced" in printed
    assert printed.count("\n") == 1


def test_what_replaces_more_verdicts_says_so(away, capsys):
    some_runs(away / "runs")
    target = away / "claims.csv"
    for folder, said in (("runs", ""), ("runs", ""), ("none", f"{target} had verdicts on ")):
        (away / folder).mkdir(exist_ok=True)
        assert main([f"output_dir={away / folder}", f"target={target}"]) == 0
        assert capsys.readouterr().err.startswith(said)
    target.write_text("garbage")
    assert main([f"output_dir={away / 'runs'}", f"target={target}"]) == 0
    assert table(target)["C022"]["verdict"] == "reproduced"


def test_the_same_runs_give_the_same_bytes_whatever_their_folders(away):
    some_runs(away / "runs")
    main([f"output_dir={away / 'runs'}", f"target={away / 'one.csv'}"])
    for number, folder in enumerate(sorted((away / "runs/fig11").iterdir(), reverse=True)):
        shutil.move(folder, away / "runs" / f"moved_{number:02d}")
    main([f"output_dir={away / 'runs'}", f"target={away / 'two.csv'}"])
    assert (away / "one.csv").read_bytes() == (away / "two.csv").read_bytes()
    assert (away / "one.md").read_bytes() == (away / "two.md").read_bytes()


def test_folders_that_cannot_be_read_are_left_out_with_a_line_each(away, capsys):
    some_runs(away / "runs")
    broken = {
        "no_slots": {"manifest.json": None},
        "not_parquet": {"manifest.json": None, "slots.parquet": "PAR1 and no more"},
        "foreign": {"manifest.json": '{"status": "finished", "config": {"model": "resnet"}}'},
        "damaged": {"manifest.json": '{"status": "fin'},
        "odd": {"manifest.json": '{"status": "finished", "config": {}, "files": []}'},
    }
    good = next((away / "runs/fig11").iterdir()) / "manifest.json"
    for name, files in broken.items():
        folder = away / "runs" / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(good.read_text() if text is None else text)
    (away / "runs/odd").joinpath("notes.txt").write_text("mine")
    assert main([f"output_dir={away / 'runs'}", f"target={away / 'claims.csv'}"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0].rpartition("/")[2] for line in lines] == sorted(broken)
    assert table(away / "claims.csv")["C022"]["seeds"] == "10"


def test_runs_that_failed_are_told_of_where_a_claim_reads_their_experiment(away, capsys):
    some_runs(away / "runs")
    main([f"output_dir={away / 'runs'}", f"target={away / 'claims.csv'}"])
    assert capsys.readouterr().err == ""
    for number, experiment in enumerate(["fig11", "fig13", "fig11", "toy"]):
        fail(away / "runs", experiment, f"run{number}")
    assert main([f"output_dir={away / 'runs'}", f"target={away / 'claims.csv'}"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "failed: 2 of fig11, 1 of fig13 (" in line


def test_two_runs_of_the_same_settings_are_refused_with_a_line(away):
    some_runs(away / "runs")
    first = next((away / "runs/fig11").iterdir())
    shutil.copytree(first, first.with_name("copy"))
    said = judged(away / "runs", "C022")
    assert said.verdict == "not yet computed"
    assert "have the same settings and seed, expected one run: remove the older" in said.reason


def test_a_wrong_folder_or_setting_is_one_line_and_exit_code_2(tmp_path, capsys):
    for wrong in (f"output_dir={tmp_path / 'none'}", "outputs=here"):
        with pytest.raises(SystemExit) as stopped:
            main([wrong, f"target={tmp_path / 'claims.csv'}"])
        assert stopped.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def row(**columns):
    names = [field.name for record in (Claim, Judged) for field in fields(record)]
    empty = dict.fromkeys(names, "")
    return empty | {"id": "C001", "metric": "saving", "paper_value": "32.0", "unit": "%"} | columns


def test_the_table_for_readers():
    rows = [
        row(subject="RRL Plus", baseline="CAPES", model="M", figure_or_section="Fig. 15", reason="a|b",
            value="30", interval_low="20", interval_high="40", verdict="reproduced",
            tuned_value="-5", tuned_low="-9", tuned_high="-1", tuned_verdict="not reproduced"),
        row(id="C002", verdict="duplicate of C001"),
        row(id="C003", value=">12", verdict="partly", reason="why"),
    ]  # fmt: skip
    text = section(rows)
    assert "**3 claims: 1 reproduced, 1 partly, 1 duplicate.**" in text
    assert (
        "| C001 | saving: RRL Plus against CAPES (M; Fig. 15) | 32.0 % | 30 % (20 to 40) | reproduced "
        in text
    )
    assert "| -5 % (-9 to -1) | not reproduced |" in text
    assert "| >12 % | partly |" in text
    assert "C002" not in text
    whole = markdown(rows)
    assert "- **C003** (partly): why" in whole
    assert "| C002 |" in whole


def test_a_readme_section_is_replaced_and_the_rest_is_kept(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        assert replace_section(readme, BEGIN, END, "new")
        assert readme.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    readme.write_text("no markers\n")
    assert not replace_section(readme, BEGIN, END, "new")
    assert readme.read_text() == "no markers\n"
    assert not replace_section(tmp_path / "none.md", BEGIN, END, "new")
    assert not (tmp_path / "none.md").exists()


def test_the_readme_and_the_table_say_what_the_committed_results_say():
    rows = list(table(ROOT / "results/claims.csv").values())
    readme = (ROOT / "README.md").read_text()
    assert readme.count(BEGIN) == readme.count(END) == 1
    assert f"{BEGIN}\n{section(rows)}\n{END}" in readme
    assert (ROOT / "results/claims.md").read_text() == markdown(rows)


def test_files_that_stay_the_same_are_not_written_again(tmp_path):
    path = tmp_path / "file.md"
    write_whole(path, "text")
    before = path.stat().st_mtime_ns
    write_whole(path, "text")
    assert path.stat().st_mtime_ns == before


def test_runs_that_are_shorter_than_their_recipe_are_told(away):
    some_runs(away / "runs")
    runs, _ = usable_runs(away / "runs")
    evidence = Evidence(runs)
    for _ in range(2):  # what another claim rests on is forgotten
        assert judge(CLAIMS["C022"], evidence).reason.count("runs of 100 slots, fig11 has 1000") == 1
        assert "slots" not in judge(CLAIMS["C069"], evidence).reason
    for seed in range(10):
        for preset in ("rrl_plus_paper", "capes_published"):
            write_run(away / "whole", preset, seed, cost=0.3, slots=1000)
    assert "fig11 has" not in judge(CLAIMS["C022"], Evidence(usable_runs(away / "whole")[0])).reason
