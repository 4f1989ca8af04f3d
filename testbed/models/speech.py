"""Deep Speech 2 (Amodei et al., 2016): convolutions and bidirectional GRUs over a spectrogram, then CTC.

Two convolutions as in the paper's Sec. 3.5 (kernels 11 x 41 and 11 x 21 over time x frequency, the first with
stride 2 in time, both with stride 2 in frequency), then ``depth`` bidirectional GRU layers of ``width`` units
each way, and a softmax over characters. The paper's networks are larger (3 x 2560 and more); 3 x 256 is our
choice for a machine with few cores. Greedy CTC decoding is part of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FREQUENCIES = 161
"""Bins of a spectrogram with windows of 20 ms at 16 kHz."""

FRAMES_PER_S = 100
"""One frame every 10 ms."""

MEAN_FRAMES = 200
"""Frames of a request of size 1, two seconds. Utterances of LibriSpeech are longer (7.4 s): our choice, so
that a request takes tens of milliseconds."""

CHARACTERS = " 'abcdefghijklmnopqrstuvwxyz"
_CHANNELS = 32


def frames_of(size: float) -> int:
    """Frames of an utterance of relative size ``size`` (1 is the mean), at least 1."""
    return max(1, round(size * MEAN_FRAMES))


def inputs(_: Mapping[str, int], size: float, seed: int) -> dict[str, Any]:
    """One utterance of noise."""
    shape = (1, frames_of(size), FREQUENCIES)
    return {"spectrogram": np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)}


def build(settings: Mapping[str, int]) -> Any:
    """An export archive whose ``serving_default`` maps spectrograms to characters.

    Input ``spectrogram`` (batch, frames, 161); outputs ``characters`` (batch, characters), int64 positions in
    ``CHARACTERS`` padded with -1, and ``log_probability`` (batch,).
    """
    import tensorflow as tf

    network = _network(settings["depth"], settings["width"])

    def decode(spectrogram: Any) -> dict[str, Any]:
        logits = tf.transpose(network(spectrogram, training=False), [1, 0, 2])  # time first, for CTC
        lengths = tf.fill(tf.shape(logits)[1:2], tf.shape(logits)[0])
        decoded, negative_scores = tf.nn.ctc_greedy_decoder(logits, lengths)
        return {
            "characters": tf.sparse.to_dense(decoded[0], default_value=-1),
            "log_probability": -negative_scores[:, 0],
        }

    archive = tf.keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serving_default", decode, [tf.TensorSpec((None, None, FREQUENCIES), tf.float32, name="spectrogram")]
    )
    return archive


def _network(depth: int, width: int) -> Any:
    from tensorflow import keras

    layers = keras.layers

    spectrogram = keras.Input((None, FREQUENCIES))
    x = layers.Reshape((-1, FREQUENCIES, 1))(spectrogram)
    for kernel, strides in (((11, 41), (2, 2)), ((11, 21), (1, 2))):
        x = layers.Conv2D(_CHANNELS, kernel, strides, padding="same", use_bias=False)(x)
        x = layers.ReLU(max_value=20)(layers.BatchNormalization()(x))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    for _ in range(depth):
        x = layers.BatchNormalization()(layers.Bidirectional(layers.GRU(width, return_sequences=True))(x))
    return keras.Model(spectrogram, layers.Dense(len(CHARACTERS) + 1)(x))  # the last class is CTC's blank
