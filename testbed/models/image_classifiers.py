"""Image classifiers of keras.applications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.errors import UsageError


@dataclass(frozen=True)
class ImageClassifier:
    """One classifier: its name in keras.applications and the side of its square RGB input, in pixels."""

    keras_name: str
    side: int

    def build(self, _: Mapping[str, int]) -> Any:
        """An export archive: ``serving_default`` maps ``images`` (batch, side, side, 3) to ``scores``."""
        import tensorflow as tf

        network = getattr(tf.keras.applications, self.keras_name)(weights=None)
        archive = tf.keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint(
            "serving_default",
            lambda images: {"scores": network(images, training=False)},
            [tf.TensorSpec((None, self.side, self.side, 3), tf.float32, name="images")],
        )
        return archive

    def inputs(self, _: Mapping[str, int], size: float, seed: int) -> dict[str, Any]:
        """One random image, values in [-1, 1).

        Raises:
            UsageError: for a size other than 1: every image is the same work.
        """
        if size != 1:
            raise UsageError(f"size={size}, expected 1: all requests to {self.keras_name} are one image")
        shape = (1, self.side, self.side, 3)
        return {"images": np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)}


CLASSIFIERS: Mapping[str, ImageClassifier] = {
    "inception_v3": ImageClassifier("InceptionV3", 299),
    "inception_resnet_v2": ImageClassifier("InceptionResNetV2", 299),
    "mobilenet_v2": ImageClassifier("MobileNetV2", 224),
}
