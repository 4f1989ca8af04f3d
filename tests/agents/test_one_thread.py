"""TensorFlow, imported without a word."""

import os
import subprocess
import sys

import pytest

from agents.one_thread import _told_only_on_failure


def test_what_native_code_says_appears_only_where_it_fails(capfd):
    with _told_only_on_failure():
        os.write(2, b"no GPU")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"

    @_told_only_on_failure()
    def fail():
        os.write(2, b"an instruction is missing")
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "an instruction is missing"


def test_tensorflow_starts_without_a_word():
    program = "from agents.one_thread import tensorflow; print(tensorflow().constant(1).numpy())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")
