"""Exports a model into a cache folder, once.

A model is known by what it is made of: its name and settings, the versions of TensorFlow and Keras, and the
sources of this package. Exporting happens in a folder of its own that is moved into place when it is
complete, so nobody ever sees half a model, even if two export the same one at the same time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from testbed.models.catalogue import Model, find_model
from testbed.models.payload import predict_payload

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def default_cache() -> Path:
    """``rrl-serving/models`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rrl-serving" / "models"


def export_model(
    name: str, settings: Mapping[str, int | None] | None = None, cache: Path | None = None
) -> Path:
    """The base path of an exported model, with the version folder ``1`` inside; made if it is not there.

    Args:
        name: the model.
        settings: where they differ from the model's defaults.
        cache: folder of all exported models; ``default_cache()`` unless given.

    Raises:
        UsageError: for an unknown model or setting.
        OSError: if the cache cannot be written to.
    """
    model = find_model(name)
    chosen = model.settings(settings or {})
    cache = cache or default_cache()
    folder = cache / f"{name}-{_fingerprint(name, chosen)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as scratch:
            made = Path(scratch) / "model"
            _export(model, chosen, made / "1")
            (made / "settings.json").write_text(json.dumps({"name": name, **chosen}) + "\n")
            _move(made, folder)
    return folder


def _fingerprint(name: str, settings: Mapping[str, int]) -> str:
    content = {
        "name": name,
        "settings": dict(settings),
        "versions": {package: version(package) for package in ("tensorflow", "keras")},
        "sources": [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _export(model: Model, settings: Mapping[str, int], folder: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    tf.keras.utils.set_random_seed(0)
    model.build(settings).write_out(str(folder), verbose=False)
    log = PredictionLog()
    log.predict_log.request.ParseFromString(predict_payload(model.name, settings=settings))
    (folder / WARM_UP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        writer.write(log.SerializeToString())


def _move(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # otherwise somebody was faster, with the same content
            raise
        shutil.rmtree(made)
