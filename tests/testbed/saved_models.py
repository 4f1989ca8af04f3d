"""Small SavedModels as TensorFlow 1, TensorFlow 2 and Keras write them, and what they should answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
BIAS = np.array([0.5, -0.5, 0.25], dtype=np.float32)
SPEECH = {"depth": 1, "width": 32}
WORDS = ("zero", "one", "two")
ECHOED = ("float32", "float64", "float16", "bfloat16", "int32", "int64", "uint8", "int8", "uint16", "int16")
ECHOED += ("uint32", "uint64", "bool", "text", "raw", "complex64", "complex128")


def dense(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x @ WEIGHTS + BIAS


def export_tf1(base: Path, version: int = 1) -> None:
    """Reference and resource variables, a v1 while loop, a lookup table."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, (None, 4), name="x")
            weights = v1.get_variable("weights", initializer=WEIGHTS, use_resource=False)
            bias = v1.get_variable("bias", initializer=BIAS, use_resource=True)
            halved = tf.while_loop(lambda i, _: i < 1, lambda i, y: (i + 1, y / 2), (0, x @ weights * 2))[1]
            words = v1.placeholder(tf.string, (None,), name="words")
            table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(WORDS, range(3)), -1)
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            signatures = {
                "serving_default": ({"x": x}, {"y": halved + bias}),
                "look_up": ({"words": words}, {"numbers": table.lookup(words)}),
                "identity": ({"x": x}, {"x": x}),
            }
            builder = v1.saved_model.Builder(str(base / str(version)))
            builder.add_meta_graph_and_variables(
                session,
                ["serve"],
                {
                    name: v1.saved_model.predict_signature_def(inputs, outputs)
                    for name, (inputs, outputs) in signatures.items()
                },
                main_op=v1.tables_initializer(),
            )
            builder.save()
    finally:
        v1.enable_control_flow_v2()


def export_tf2(base: Path, version: int = 1) -> None:
    """Signatures: dense; every type; rows (of the batch it is in); burn (when it began and ended); wide."""
    import tensorflow as tf

    strings = {"text": tf.string, "raw": tf.string}
    echoed = [tf.TensorSpec((None, 2), strings.get(name) or tf.as_dtype(name), name) for name in ECHOED]

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weights = tf.Variable(WEIGHTS)
            self.bias = tf.Variable(BIAS)

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, "x")])
        def dense(self, x):
            return {"y": x @ self.weights + self.bias}

        @tf.function
        def echo(self, **inputs):
            return {
                f"{name}_bytes" if name == "raw" else f"{name}_out": value for name, value in inputs.items()
            }

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
        def rows(self, x):
            return {"rows": tf.fill(tf.shape(x), tf.shape(x)[0])}

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32, "steps")])
        def burn(self, steps):
            began = tf.timestamp()
            with tf.control_dependencies([began]):
                start = tf.ones((160, 160)) / 160
            burnt = tf.while_loop(lambda i, _: i < steps[0], lambda i, x: (i + 1, x @ x), (0, start))[1]
            with tf.control_dependencies([burnt]):
                return {"span": tf.reshape(tf.stack([began, tf.timestamp()]), (1, 2))}

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32, "size")])
        def wide(self, size):
            """One operation over so many numbers, enough for several threads on any processor."""
            return {"largest": tf.reshape(tf.reduce_max(tf.sin(tf.ones((size[0],)))), (1,))}

    module = Module()
    echo = module.echo.get_concrete_function(**{spec.name: spec for spec in echoed})
    signatures = {
        "serving_default": module.dense,
        "echo": echo,
        "rows": module.rows,
        "burn": module.burn,
        "wide": module.wide,
    }
    tf.saved_model.save(module, str(base / str(version)), signatures)


def export_keras(base: Path, version: int = 1) -> None:
    """A Keras 3 model, by its own ``export``."""
    from tensorflow import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.layers[0].set_weights([WEIGHTS, BIAS])
    model.export(str(base / str(version)), verbose=False)
