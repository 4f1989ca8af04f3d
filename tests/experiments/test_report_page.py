"""The report in a real browser, and what it says about claims, figures and runs that were made up for it."""

import csv
import json

import matplotlib.pyplot as plt
import pytest
from browser import open_page
from tests_support import finished_run

from experiments.claims import read_catalogue
from experiments.failures import Failure, write_failure
from experiments.report.__main__ import main
from experiments.report.page import build

COLUMNS = [
    "id", "figure_or_section", "workload", "model", "hardware", "metric", "subject", "baseline",
    "paper_value", "unit", "value", "interval_low", "interval_high", "seeds", "verdict", "reason",
    "tuned_value", "tuned_low", "tuned_high", "tuned_verdict", "iqm_value", "iqm_low", "iqm_high",
]  # fmt: skip


def claim(identifier, verdict, **said):
    """A row of a made-up claims table; what is not said is empty."""
    row = dict.fromkeys(COLUMNS, "") | {"metric": "latency", "unit": "%", "figure_or_section": "Sec. I"}
    return row | {"id": identifier, "verdict": verdict} | said


CLAIMS = [
    claim("C001", "partly", value="9.5", interval_low="9", interval_high="10", paper_value=">8", seeds="10",
          tuned_value="-3", tuned_low="-4", tuned_high="-2", tuned_verdict="not reproduced",
          figure_or_section="Fig. 9(b)"),
    claim("C002", "not reproduced", value="-10", interval_low="-11", interval_high="-9", paper_value="70",
          seeds="10", reason="worse than <nothing>; " + "detail " * 40),
    claim("C003", "reproduced", value="100", interval_low="90", interval_high="110", paper_value="~9"),
    claim("C004", "duplicate of C002", paper_value="70"),
    claim("C005", "input", paper_value="256, 64"),
    claim("C006", "not yet computed", reason="missing: runs"),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A results folder with claims, a figure, a table of agents and three runs."""
    folder = tmp_path_factory.mktemp("results")
    with (folder / "claims.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(CLAIMS)
    (folder / "figures").mkdir()
    figure = plt.figure(figsize=(3, 2))
    figure.savefig(folder / "figures" / "fig09.png", dpi=100)  # whatever the style in force
    plt.close(figure)
    (folder / "figures" / "fig09.txt").write_text("Fig. 9: a title\nThe paper shows A & B.\nA caption.\n")
    for seed in (0, 1):
        stamp(finished_run(folder / "runs", seed, cost=0.25), seed)
    finished_run(folder / "runs", 0, cost=0.5, experiment="drain", agent={"preset": "oracle"})
    return folder


def stamp(run, minute):
    """Let a made-up run say when it ran, and where: one minute, half of it beside the next."""
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest |= {"start": f"2026-01-01T00:0{minute}:00+00:00", "end": f"2026-01-01T00:0{minute + 1}:30+00:00"}
    manifest |= {"git": {"revision": "0123456789abcdef", "dirty": minute == 1}}
    manifest |= {"machine": {"cpu": "a CPU", "cores": 2, "python": "3.11.7", "platform": "Linux"}}
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def text(results):
    return build(results)


@pytest.fixture(scope="module")
def page(text, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text)
    with open_page(path.as_uri()) as opened:
        yield opened


def test_it_loads_without_complaint_or_network(page):
    assert page.complaints == []
    assert [address.rpartition("/")[2] for address in page.requests] == ["report.html"]
    assert page.run("document.querySelectorAll('section').length") >= 5


def test_every_picture_is_there(page):
    decoded = page.run(
        "Promise.all([...document.images].map(one => one.decode().then(() => one.naturalWidth)))"
    )
    assert decoded == [300]


ORDER = "[...document.querySelectorAll('#claims-table tbody tr')].map(row => row.id)"


def head(name):
    return f"[...document.querySelectorAll('#claims-table th')].find(one => one.textContent === '{name}')"


@pytest.mark.parametrize(
    ("column", "ascending", "last"),
    [
        ("here", ["C002", "C001", "C003"], ["C004", "C005", "C006"]),
        ("paper", ["C001", "C003", "C002", "C004", "C005"], ["C006"]),
        ("verdict", ["C003", "C001", "C002", "C006", "C005", "C004"], []),
    ],
)
def test_a_click_sorts_and_another_sorts_the_other_way(page, column, ascending, last):
    click = f"{head(column)}.querySelector('button').click()"
    page.run(click)
    assert page.run(f"{head(column)}.getAttribute('aria-sort')") == "ascending"
    order = page.run(ORDER)
    assert order[: len(ascending)] == ascending
    assert sorted(order[len(ascending) :]) == last
    page.run(click)
    assert page.run(f"{head(column)}.getAttribute('aria-sort')") == "descending"
    assert page.run("document.querySelectorAll('#claims-table [aria-sort]').length") == 1
    order = page.run(ORDER)
    assert sorted(order[len(ascending) :]) == last  # empty ones stay last
    if column != "paper":  # where there is a tie
        assert order[: len(ascending)] == ascending[::-1]


@pytest.mark.parametrize("key", ["Enter", " "])
def test_the_keyboard_sorts(page, key):
    page.run(f"{head('id')}.querySelector('button').focus()")
    page.press(key)
    once = page.run(ORDER)
    page.press(key)
    assert once == page.run(ORDER)[::-1]


SHOWN = """[...document.querySelectorAll('#claims-table tbody tr')]
    .filter(row => row.offsetHeight > 0).map(row => row.id)"""


def test_the_filter_shows_the_claims_of_one_verdict(page):
    page.run("document.querySelector('input[value=\"not reproduced\"]').click()")
    assert page.run(SHOWN) == ["C002"]
    assert page.run("document.getElementById('shown').textContent") == "1 of 6 claims shown"
    page.run("document.querySelector('input[value=duplicate]').click()")
    assert page.run(SHOWN) == ["C004"]
    page.run("document.querySelector('a[href=\"#C001\"]').click()")  # a link to a claim that is not shown
    assert len(page.run(SHOWN)) == len(CLAIMS)


def test_reading_needs_no_mouse_and_no_sideways_scrolling_of_the_page(page):
    assert page.run("[...document.querySelectorAll('.wide')].every(one => one.tabIndex === 0)")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


def test_what_is_folded_is_printed(page):
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("[...document.querySelectorAll('details')].every(one => one.open)")


def test_the_summary_counts_and_tells_every_claim(text):
    assert (
        "Of 6 claims listed, 3 have a verdict: 1 reproduced, 1 partly, 1 not reproduced. 1 wait for runs."
        in text
    )
    assert (
        "the paper has &gt;8 %; here 9.5 % [9, 10] over 10 seeds; with tuned settings -3 % [-4, -2]" in text
    )
    assert "here -10 % [-11, -9] over 10 seeds; worse than &lt;nothing&gt;.</li>" in text
    assert 'repeats <a href="#C002">C002</a>: not reproduced.' in text
    assert "<nothing>" not in text


def test_a_figure_has_what_the_paper_shows_and_its_claims_beside_it(text):
    figure = text[text.index('<figure id="fig09">') : text.index("</figure>")]
    assert "<h4>What the paper shows</h4><p>The paper shows A &amp; B.</p>" in figure
    assert "A caption." in figure
    assert 'width="390" height="260"' in figure  # of 3 by 2 inches, whatever its pixels
    assert 'href="#C001"' in figure
    assert 'href="#C003"' not in figure


def test_the_manifest_says_what_ran(text):
    ran = text[text.index('id="what-ran"') :]
    row = ran[ran.index("<td>fig11</td>") :].partition("</tr>")[0]
    for cell in (
        "<td>2</td>",
        "1: rrl",
        ">0, 1</td>",
        ">100</td>",
        "0123456789, 0123456789+",
        "<td>2.5</td>",
    ):
        assert cell in row
    assert "a CPU, 2 cores" in ran
    assert "No run is noted as failed" in ran


def test_a_failed_run_is_listed_with_its_reason(tmp_path):
    folder = tmp_path / "runs" / "fig12"
    config = {"experiment_name": "fig12"}
    write_failure(folder / "abc", Failure("abc", ["agent=rrl", "seed=3"], "out of memory?", config))
    page = build(tmp_path)
    assert "Failed runs: 1" in page
    assert "<td>fig12</td><td>agent=rrl seed=3</td><td>out of memory?</td>" in page


def test_columns_that_nobody_filled_are_left_out(results, tmp_path):
    old = [name for name in COLUMNS if not name.startswith(("tuned", "iqm"))]
    with (tmp_path / "claims.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, old, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(CLAIMS)
    page = build(tmp_path)
    assert "tuned" not in page
    assert "here -10 % [-11, -9]" in page


def test_a_damaged_picture_or_table_is_one_line_and_the_page_that_was_there_stays(tmp_path, capsys):
    (tmp_path / "report.html").write_text("before")
    (tmp_path / "figures").mkdir()
    for name in ("figures/fig09.png", "claims.csv"):
        (tmp_path / name).write_text("\n")
        with pytest.raises(SystemExit) as stopped:
            main([f"results={tmp_path}"])
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(str(tmp_path / name))
        (tmp_path / name).unlink()
    assert (tmp_path / "report.html").read_text() == "before"


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path):
    page = build(tmp_path)
    for words in ("No claims table yet", "No figures yet", "No finished runs here"):
        assert words in page


def test_the_catalogue_has_the_columns_that_the_page_reads():
    assert set(vars(read_catalogue()[0])) >= {
        "id",
        "figure_or_section",
        "metric",
        "subject",
        "baseline",
        "unit",
    }


def test_a_folder_that_is_not_there_is_refused_and_not_made(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([f"results={tmp_path / 'nowhere'}"])
    assert ended.value.code == 2
    assert "nowhere is no folder" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
