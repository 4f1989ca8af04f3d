"""Canaries: each names the assumption about TensorFlow that no longer holds, should it fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from saved_models import BIAS, WEIGHTS
from server_process import ROOT, environment


@pytest.fixture(scope="module")
def found(exported: Path) -> dict[str, Any]:
    output = subprocess.check_output(
        [sys.executable, str(Path(__file__).with_name("canaries.py")), str(exported)],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.DEVNULL,
        timeout=240,
    )
    return json.loads(output.splitlines()[-1])


@pytest.fixture(params=["1", "3"])
def child(found: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    return found["children"][request.param] | {"asked": int(request.param)}


def test_importing_the_server_starts_no_tensorflow_thread(found: dict[str, Any]) -> None:
    assert found["threads_before_fork"] == {}


def test_the_first_session_of_a_forked_process_fixes_intra_op(child: dict[str, Any]) -> None:
    assert child["intra_op"] == child["asked"]
    assert "the first use of TensorFlow fixes them" in child["second_session"]


def test_variables_are_found_by_name_inside_a_function(child: dict[str, Any]) -> None:
    assert child["captured"] == 0
    assert child["answer"] == [pytest.approx((WEIGHTS[0] + BIAS).tolist())]


def test_a_prepared_run_answers_like_the_session_and_refuses_what_cannot_be_fed(
    child: dict[str, Any],
) -> None:
    answer, refusal = child["prepared"]
    assert answer == child["answer"]
    assert "has shape (4,), the graph takes (None, 4)" in refusal


def test_the_scheduler_serves_exactly_so_many_requests_at_once(child: dict[str, Any]) -> None:
    assert child["at_once"] == [1, 3, 1]  # the last in an inter-op pool of one thread


def test_a_run_uses_the_pool_it_names(child: dict[str, Any]) -> None:
    assert child["pools"] == [["tf_Compute0"], ["tf_Compute1"]]


def test_records_are_read_without_operations(child: dict[str, Any]) -> None:
    assert child["records"] == 1
