"""TensorFlow on one thread: the same run is then bit-identical, whatever else the machine does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryFile
from typing import Any


@cache
def tensorflow() -> Any:
    """The module ``tensorflow``, imported at the first call and held to one thread and the CPU.

    The networks here are small: more threads would only wait for each other, and add in another order.
    A process that has used TensorFlow already must have set one thread itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 2 reports as an error that there is no GPU
    with _told_only_on_failure():
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.set_visible_devices([], "GPU")
    return tf


@contextmanager
def _told_only_on_failure() -> Iterator[None]:
    """What native code writes to stderr meanwhile appears only where an exception ends it.

    TensorFlow says at every start that there is no GPU, whatever its log level.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with TemporaryFile() as told:
        os.dup2(told.fileno(), 2)
        try:
            yield
        except BaseException:
            told.seek(0)
            os.write(stderr, told.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
