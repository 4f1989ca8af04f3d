"""Every format on small files, well-formed and not."""

import gzip
import json
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from workload_worlds import made_minutes

from serving.errors import UsageError
from workloads.traces.load import load_trace
from workloads.traces.wikibench import load as load_wikibench

WIKIBENCH = (
    "2620977242 1190873636.976 http://en.wikipedia.org/w/index.php?title=X&action=submit save\n"
    "2620977240 1190873635.100 http://upload.wikimedia.org/caf\xe9\xa0\x85.png -\n"
    "2620977241 1190873638.001 http://de.wikipedia.org/wiki/Y -\n"
    "2620977243 1190873636.000 http://en.wikipedia.org/wiki/Z -\n"
)
HOURLY = (
    "2008-05-17-10,3600\n2008-05-17-11,7200\n2008-05-17-12,10800\n2008-05-17-13,14400\n2008-05-17-14,18000\n"
)


def aqs(timestamps_and_views, **changes):
    item = {
        "project": "en.wikipedia",
        "access": "all-access",
        "agent": "user",
        "granularity": "hourly",
    } | changes
    return json.dumps({"items": [item | {"timestamp": t, "views": v} for t, v in timestamps_and_views]})


def written(path, text):
    path.write_bytes(text.encode("latin-1"))
    return path


@pytest.fixture(params=["plain", "gzip"])
def write(tmp_path, request):
    def write(text, name="trace"):
        path = tmp_path / name
        content = text.encode("latin-1")
        path.write_bytes(gzip.compress(content) if request.param == "gzip" else content)
        return path

    return write


def test_wikibench_lines_are_counted_per_second_whatever_their_order(write):
    series = load_trace(write(WIKIBENCH))
    assert series.start == datetime.fromtimestamp(1190873635, UTC)
    assert series.bin_s == 1.0
    assert series.rate_rps.tolist() == [1, 2, 0, 1]  # the third second stays, empty


def test_wikibench_lines_may_have_three_fields_or_iso_times(write):
    three = "".join(line.split(" ", 1)[1] + "\n" for line in WIKIBENCH.rstrip().split("\n"))
    assert load_trace(write(three)).rate_rps.tolist() == [1, 2, 0, 1]
    iso = "1541 2010-05-27T09:31:55.63 http://en.m.wikipedia.org/ -\n1542 2010-05-27T09:31:56 http://x -\n"
    series = load_trace(write(iso))
    assert series.start == datetime(2010, 5, 27, 9, 31, 55, tzinfo=UTC)
    assert series.rate_rps.tolist() == [1, 1]


def test_a_minute_is_labelled_by_its_end(write):
    series = load_trace(write("18/09/2007 20:11:43,183751\n18/09/2007 20:12:43,182377\n"))
    assert series.start == datetime(2007, 9, 18, 20, 10, 43, tzinfo=UTC)
    assert series.bin_s == 60.0
    assert series.rate_rps == pytest.approx(np.array([183751, 182377]) / 60)


def test_ten_millisecond_counts(write):
    series = load_trace(write("4\n15\n0\n34\n"))
    assert (series.start, series.bin_s) == (None, 0.01)
    assert series.rate_rps == pytest.approx([400, 1500, 0, 3400])


@pytest.mark.parametrize("header", ["", "second,language,count\n"])
def test_counts_per_second_and_language(write, header):
    path = write(header + "0,en,5\n0,de,3\n1,de,4\n2,en,7\n2,de,1\n")
    assert load_trace(path).rate_rps.tolist() == [5, 0, 7]
    assert load_trace(path, project="de").rate_rps.tolist() == [3, 4, 1]
    assert load_trace(path).start is None


def test_counts_per_second_with_unix_times(write):
    series = load_trace(write("1190873636,en,5\n1190873637,en,3\n"))
    assert series.start == datetime.fromtimestamp(1190873636, UTC)


def test_stamped_bins_start_at_their_time_on_a_clock_four_hours_behind(write):
    times_and_values = "16:10:08 1737", "16:11:16 3400", "16:12:24 3740.0", "16:13:32 99.5"
    text = "".join(f"2007-09-18 {line}\n" for line in times_and_values)
    series = load_trace(write(text))
    assert series.bin_s == 68.0
    assert series.rate_rps == pytest.approx([50.0, 55.0])  # without the first and last, which are partial
    assert series.start == datetime(2007, 9, 18, 20, 11, 16, tzinfo=UTC)


@pytest.mark.parametrize("header", ["", "Date, Requests\n"])
def test_an_hour_is_labelled_by_its_end(write, header):
    series = load_trace(write(header + HOURLY))
    assert series.start == datetime(2008, 5, 17, 9, tzinfo=UTC)
    assert series.rate_rps.tolist() == [1, 2, 3, 4, 5]
    assert series.filled_bins == 0


@pytest.mark.parametrize("empty", ["NA", "NaN", "0"])
def test_hours_without_data_are_interpolated_and_said_so(write, empty):
    path = write(HOURLY.replace("10800", empty))
    with pytest.warns(UserWarning, match="1 of 5 bins have no data; interpolated"):
        series = load_trace(path)
    assert series.rate_rps.tolist() == [1, 2, 3, 4, 5]
    assert series.filled_bins == 1


def test_a_hole_in_time_stays_as_long_as_it_is(write):
    path = write("".join(line for line in HOURLY.splitlines(keepends=True) if "-12," not in line))
    with pytest.warns(UserWarning, match="1 of 5"):
        series = load_trace(path)
    assert series.rate_rps.tolist() == [1, 2, 3, 4, 5]
    assert series.duration_s == 5 * 3600


def test_hours_may_have_one_digit(write):
    assert load_trace(write("2008-05-18-0,3600\n2008-05-18-1,3600\n")).start == datetime(
        2008, 5, 17, 23, tzinfo=UTC
    )


def projectviews(folder, hours, name="projectviews-20160101-{:02d}0000"):
    folder.mkdir(exist_ok=True)
    for hour in hours:
        english = f"en - {3600 * hour} 0\nen.b - 99 0\nen.m - 3600 0\nen.zero - 3600 0\n"
        text = f"de - {3600 * 7} 0\n{english}zh - 5 0\n"
        written(folder / name.format(hour), text)
    return folder


def test_hourly_files_of_wikimedia_sum_desktop_mobile_and_zero(tmp_path):
    folder = projectviews(tmp_path / "views", [1, 2, 3, 4])
    written(folder / "md5sums.txt", "not a trace\n")
    series = load_trace(folder)
    assert series.start == datetime(2016, 1, 1, 0, tzinfo=UTC)
    assert series.rate_rps.tolist() == [3, 4, 5, 6]
    assert load_trace(folder, project="de").rate_rps.tolist() == [7, 7, 7, 7]
    assert load_trace(folder / "projectviews-20160101-020000").rate_rps.tolist() == [4]
    assert load_trace(str(folder / "projectviews-20160101-0[23]*")).rate_rps.tolist() == [4, 5]


def test_late_and_gzipped_hourly_files_belong_to_their_hour(tmp_path):
    folder = projectviews(tmp_path, [1, 2], "projectcounts-20080101-{:02d}0002")
    plain = folder / "projectcounts-20080101-020002"
    (folder / "projectcounts-20080101-025959.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert load_trace(folder).rate_rps.tolist() == [3, 4, 4]


def test_a_missing_hourly_file_is_a_hole(tmp_path):
    with pytest.warns(UserWarning, match="1 of 4"):
        series = load_trace(projectviews(tmp_path, [1, 2, 4]))
    assert series.rate_rps.tolist() == [3, 4, 5, 6]


def test_hourly_json_is_labelled_by_the_start(write):
    series = load_trace(write(aqs([("2026090100", 7200), ("2026090101", 3600)])))
    assert series.start == datetime(2026, 9, 1, 0, tzinfo=UTC)
    assert series.rate_rps.tolist() == [2, 1]
    indented = json.dumps(json.loads(aqs([("2026090100", 7200)])), indent=2)
    assert load_trace(write(indented)).rate_rps.tolist() == [2]


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n"])
def test_the_end_of_the_file_may_be_blank(write, end):
    assert load_trace(write("1\n2\r\n3" + end)).rate_rps.tolist() == [100, 200, 300]


MINUTES = "18/09/2007 20:11:43,10\n18/09/2007 20:12:43,20\n18/09/2007 20:13:43,30\n"
STAMPED = "2007-09-18 16:10:08 1\n2007-09-18 16:11:16 2\n2007-09-18 16:12:24 3\n2007-09-18 16:13:32 4\n"
MALFORMED = {
    "unknown": ("hello\nworld\n", "line 1 is 'hello', expected the first line of a known format: .*count"),
    "unknown header": ("time,count\n" + MINUTES, "line 1 is 'time,count', expected the first line"),
    "binary": ("\x00\x01\x02PK\xff\n", "line 1 is .*expected the first line of a known format"),
    "negative first": ("-4\n5\n", "line 1 is '-4'"),
    "ten ms: word": ("4\n5\nsix\n7\n", "line 3 is 'six', expected a count of arrivals"),
    "ten ms: negative": ("4\n-5\n", "line 2 is '-5'"),
    "ten ms: fraction": ("4\n5.5\n", "line 2 is '5.5'"),
    "ten ms: blank line inside": ("4\n\n5\n", "line 2 is '', expected no blank line"),
    "ten ms: no request at all": ("0\n0\n", "holds no request"),
    "minute: cut": (MINUTES + "18/09/2007 20:14\n", "line 4 is '18/09/2007 20:14', expected DD/MM/YYYY"),
    "minute: header inside": (MINUTES + "time,count\n", "line 4 is 'time,count'"),
    "minute: no such day": (MINUTES + "31/09/2007 20:14:43,4\n", "line 4 is .*expected a time that exists"),
    "minute: twice": (
        MINUTES + "18/09/2007 20:13:43,4\n",
        "line 4: expected a later time, by a multiple of 60 s",
    ),
    "minute: back": (MINUTES + "18/09/2007 20:11:43,4\n", "line 4: expected a later time"),
    "minute: off the grid": (MINUTES + "18/09/2007 20:14:44,4\n", "line 4: expected a later time"),
    "minute: mostly holes": (
        MINUTES + "19/09/2007 20:14:43,4\n",
        "1440 of 1444 bins have no data, expected at most",
    ),
    "minute: year mistyped": (MINUTES + "18/09/9007 20:14:43,4\n", "bins have no data, expected at most 25%"),
    "minute: count missing": (MINUTES + "18/09/2007 20:14:43,\n", "line 4 is"),
    "minute: nan": (MINUTES + "18/09/2007 20:14:43,nan\n", "line 4 is"),
    "second: header twice": ("second,language,count\n1,en,2\nsecond,language,count\n", "line 3 is"),
    "second: header only": ("second,language,count\n", "has nothing but a header"),
    "second: count": ("0,en,5\n1,en,x\n", "line 2 is '1,en,x', expected second,language,count"),
    "second: pair twice": ("0,en,5\n0,en,5\n", "line 2 is '0,en,5', expected one line for en in second 0"),
    "second: back": ("5,en,5\n4,en,5\n", "line 2: expected a later time"),
    "second: no such language": ("0,de,5\n0,fr,1\n", "workload.project=en: must be one of de, fr"),
    "stamped: cut": (
        STAMPED + "2007-09-18 16:14\n",
        "line 5 is '2007-09-18 16:14', expected YYYY-MM-DD HH:MM:SS",
    ),
    "stamped: short": (STAMPED[:44], "2 lines, expected at least 3"),
    "stamped: same time": ("2007-09-18 16:10:08 1\n" * 3, "line 2: expected a later time"),
    "stamped: no such time": (STAMPED + "2007-09-18 25:14:40 1\n", "line 5 is .*time that exists"),
    "hour: header only": ("Date, Requests\n", "has nothing but a header"),
    "hour: word": (
        HOURLY + "2008-05-17-15,many\n",
        r"line 6 is '2008-05-17-15,many', expected YYYY-MM-DD-HH,count",
    ),
    "hour: no such hour": (HOURLY + "2008-05-17-24,1\n", "line 6 is .*time that exists"),
    "hour: all missing": ("2008-05-17-10,NA\n2008-05-17-11,NA\n", "2 of 2 bins have no data"),
    "wikibench: flag": (WIKIBENCH + "1 1190873636.9 http://x maybe\n", "line 5 is .*flag - or save"),
    "wikibench: time": (WIKIBENCH + "1 119087-636.9 http://x -\n", "line 5 is"),
    "wikibench: fields": (WIKIBENCH + "1 1190873636.9 http://x y -\n", "line 5 is"),
    "wikibench: cut": (WIKIBENCH + "1 1190873636.9 http", "line 5 is"),
    "wikibench: far away": (
        WIKIBENCH + "1 1990873636.9 http://x -\n",
        "line 5 is .*within 31 days of the first",
    ),
    "wikibench: no such time": (
        WIKIBENCH + "1 2007-13-01T00:00:00 http://x -\n",
        "line 5 is .*time that exists",
    ),
    "json: cut": (aqs([("2026090100", 1)])[:-9], "line 1 column .*expected JSON as"),
    "json: other": ('{"error": "not found"}', "has no items"),
    "json: none": ('{"items": []}', "has no items"),
    "json: daily": (aqs([("2026090100", 1)], granularity="daily"), "item 1 is .*expected JSON as .*hourly"),
    "json: views": (aqs([("2026090100", 1), ("2026090101", "2")]), "item 2 is"),
    "json: negative": (aqs([("2026090100", -1)]), "item 1 is"),
    "json: time": (aqs([("20260901", 1)]), "item 1 is"),
    "json: no such time": (aqs([("2026093124", 1)]), "item 1 is '2026093124', expected a time that exists"),
    "json: twice": (aqs([("2026090100", 1), ("2026090100", 1)]), "item 2: expected a later time"),
    "json: not an object": ('{"items": [3]}', "item 1 is '3'"),
    "empty": ("", "the file is empty"),
    "blank": ("\n\n \n", "the file is empty"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_file_is_one_line_with_its_place(write, text, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match=message) as caught:
            load_trace(write(text))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("workload.")


def test_json_of_two_projects_is_refused(tmp_path):
    items = [
        json.loads(aqs([("2026090100", 1)], project=name))["items"][0]
        for name in ("en.wikipedia", "de.wikipedia")
    ]
    items[1]["timestamp"] = "2026090101"
    with pytest.raises(UsageError, match="item 2: expected the same project"):
        load_trace(written(tmp_path / "two.json", json.dumps({"items": items})))


def test_hourly_files_of_wikimedia_that_do_not_fit(tmp_path):
    folder = projectviews(tmp_path / "views", [1, 2, 3])
    with pytest.raises(UsageError, match=r"workload.project=tlh: no line of .* has this domain code"):
        load_trace(folder, project="tlh")
    second = written(folder / "projectcounts-20160101-020000", "en - 5 0\n")
    with pytest.raises(UsageError, match=r"02.*expected a later time"):
        load_trace(folder)
    second.unlink()
    written(folder / "projectviews-20160101-040000", "en - 5 0\nen.m - five 0\n")
    with pytest.raises(
        UsageError, match=r"projectviews-20160101-040000: line 2 is 'en.m - five 0', expected domain"
    ):
        load_trace(folder)
    written(folder / "projectviews-20160101-040000", "")
    with pytest.raises(UsageError, match="projectviews-20160101-040000: the file is empty"):
        load_trace(folder)
    written(folder / "projectviews-20160101-04.orig", "en - 5 0\n")
    with pytest.raises(UsageError, match="expected a file name projectviews"):
        load_trace(str(folder / "*.orig"))
    no_such_day = written(folder / "projectviews-20160231-040000", "en - 5 0\n")
    with pytest.raises(UsageError, match="time that exists"):
        load_trace(no_such_day)


@pytest.mark.parametrize("name", ["nothing.csv", "nothing-*", "empty_folder"])
def test_a_missing_file_is_said_so(tmp_path, name):
    (tmp_path / "empty_folder").mkdir()
    with pytest.raises(UsageError, match=r"workload.trace=.*(No such file|no such file)"):
        load_trace(tmp_path / name)


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_a_truncated_gzip_never_yields_part_of_a_trace(tmp_path, keep):
    rng = np.random.default_rng(0)
    content = gzip.compress("".join(f"{n}\n" for n in rng.integers(0, 50, 50_000)).encode())
    path = tmp_path / "cut.gz"
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UsageError, match="damaged gzip file after line"):
        load_trace(path)


def test_a_corrupted_gzip_never_yields_part_of_a_trace(tmp_path):
    content = bytearray(gzip.compress("".join(f"{n}\n" for n in range(50_000)).encode()))
    content[-6] ^= 0xFF  # the check sum
    path = tmp_path / "bad.gz"
    path.write_bytes(bytes(content))
    with pytest.raises(UsageError, match="damaged gzip file"):
        load_trace(path)
    path.write_bytes(b"\x1f\x8bgarbage that is no gzip at all")
    with pytest.raises(UsageError, match="damaged gzip file"):
        load_trace(path)


def test_dropping_a_random_line_never_shortens_the_trace(tmp_path):
    rng = np.random.default_rng(3)
    path = made_minutes(tmp_path / "minutes.csv", rng.integers(50, 150, 300).tolist())
    lines = path.read_text().splitlines(keepends=True)
    for drop in rng.integers(1, 299, 20):
        holed = written(tmp_path / "holed.csv", "".join(lines[:drop] + lines[drop + 1 :]))
        with pytest.warns(UserWarning, match="1 of 300 bins have no data"):
            assert load_trace(holed).duration_s == 300 * 60


def test_wikibench_counts_every_line(tmp_path):
    rng = np.random.default_rng(0)
    times = 1190146243.3 + np.sort(rng.uniform(0, 60, 5000)) + rng.normal(0, 0.1, 5000)
    text = "".join(f"{i} {time:.3f} http://en.wikipedia.org/wiki/{i} -\n" for i, time in enumerate(times))
    series = load_wikibench(written(tmp_path / "wiki.1190153705", text))
    assert series.rate_rps.sum() * series.bin_s == 5000
    assert series.start == datetime.fromtimestamp(int(min(times)), UTC)
