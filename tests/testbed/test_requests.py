"""Requests as files beside a model, made by a process of their own."""

from __future__ import annotations

import pytest
from saved_models import SPEECH

from serving.errors import UsageError
from testbed.models.__main__ import main
from testbed.models.requests import prepare


def test_requests_grow_with_their_size_and_are_made_once(tmp_path):
    base, requests = prepare("deepspeech2", (0.5, 1.0, 2.0), SPEECH, tmp_path)
    assert (base / "1" / "saved_model.pb").exists()
    assert len(requests[0]) < len(requests[1]) < len(requests[2])
    stamps = {path: path.stat().st_mtime_ns for path in base.rglob("*")}
    assert prepare("deepspeech2", (0.5, 1.0, 2.0), SPEECH, tmp_path) == (base, requests)
    assert {path: path.stat().st_mtime_ns for path in base.rglob("*")} == stamps


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("deepspeech3", {}, "model='deepspeech3', choose from"),
        ("deepspeech2", {"depth": 0}, "depth=0, expected"),
    ],
)
def test_what_cannot_be_made_is_one_line(name, settings, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        prepare(name, (1.0,), settings, tmp_path)


@pytest.mark.parametrize("sizes", ["1,big", "nan", "0", "1,1e9", "1,-1"])
def test_a_size_that_no_request_has_is_wrong_usage(capsys, sizes):
    assert main(["requests", "deepspeech2", sizes]) == 2
    assert f"'{sizes}', expected numbers" in capsys.readouterr().err
