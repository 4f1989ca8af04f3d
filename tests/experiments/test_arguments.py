"""What the programs without hydra's entry point say of errors and interruptions."""

import os
import signal
import time
from pathlib import Path

import pytest
from hydra.utils import instantiate

from experiments.arguments import exit_code, parse
from serving.errors import UsageError


def refuse(**_):
    raise UsageError("warm=0, expected an integer >= 1")


def test_a_mistake_inside_what_hydra_makes_is_one_line(capsys):
    assert exit_code(lambda: instantiate({"_target_": f"{__name__}.refuse"})) == 2
    assert capsys.readouterr().err == "warm=0, expected an integer >= 1\n"


def test_what_the_system_refuses_is_one_line(capsys):
    def program():
        raise OSError("Locust has ended: it said\n nothing")

    assert exit_code(program) == 1
    assert capsys.readouterr().err == "Locust has ended: it said nothing\n"


def test_what_is_nobodys_mistake_is_raised():
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: print(1 / 0))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.default_int_handler])
def test_an_interruption_lets_the_program_end_what_it_started(capsys, number, before):
    ended = []

    def program():
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
            pytest.fail("it was not interrupted")
        finally:
            ended.append(True)

    found = signal.signal(number, before)
    try:
        assert exit_code(program) == 130
        assert signal.getsignal(number) == before
    finally:
        signal.signal(number, found)
    assert ended
    assert "goes on from here" in capsys.readouterr().err


def test_a_folder_may_be_new_and_is_no_file(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    defaults = {"target": Path("results")}
    assert parse([], defaults) == defaults
    for folder in (tmp_path, tmp_path / "new"):
        assert parse([f"target={folder}"], defaults) == {"target": folder}
    with pytest.raises(SystemExit) as stopped:
        parse([f"target={file}"], defaults)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"target={file} is a file, expected a folder\n"
