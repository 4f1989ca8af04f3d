"""TensorFlow on one thread: the same run is then bit-identical, whatever else the machine does."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def tensorflow() -> Any:
    """The module ``tensorflow``, imported at the first call and held to one thread and the CPU.

    The networks here are small: more threads would only wait for each other, and add in another order.
    A process that has used TensorFlow already must have set one thread itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 2 reports as an error that there is no GPU
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.set_visible_devices([], "GPU")
    return tf
