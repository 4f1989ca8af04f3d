"""The models by name, and the settings that each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import UsageError
from testbed.models import image_classifiers, speech

Settings = Mapping[str, int]


@dataclass(frozen=True)
class Model:
    """How to make one model.

    Attributes:
        name: as in ``model=`` and on the command line.
        description: one line.
        defaults: its settings with their default values, all integers from 1.
        build: makes the export archive, given the settings.
        inputs: random inputs of a request of a relative size, given settings, size and seed.
    """

    name: str
    description: str
    defaults: Settings
    build: Callable[[Settings], Any]
    inputs: Callable[[Settings, float, int], Mapping[str, Any]]

    def settings(self, given: Mapping[str, int | None]) -> dict[str, int]:
        """The defaults with the given settings (those that are not None) in their place.

        Raises:
            UsageError: for a setting that the model does not have or a value below 1.
        """
        chosen = {key: value for key, value in given.items() if value is not None}
        for key, value in chosen.items():
            if key not in self.defaults:
                raise UsageError(
                    f"{key}={value} is no setting of {self.name}, choose from {sorted(self.defaults)}"
                )
            if value < 1:
                raise UsageError(f"{key}={value}, expected an integer >= 1")
        return {**self.defaults, **chosen}


MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "deepspeech2",
            "Deep Speech 2: 2 convolutions, bidirectional GRUs (depth x width), greedy CTC decoding",
            {"depth": 3, "width": 256},
            speech.build,
            speech.inputs,
        ),
        *(
            Model(
                name,
                f"{classifier.keras_name}, one image of {classifier.side} x {classifier.side} a request",
                {},
                classifier.build,
                classifier.inputs,
            )
            for name, classifier in image_classifiers.CLASSIFIERS.items()
        ),
    )
}


def find_model(name: str) -> Model:
    """A model by name.

    Raises:
        UsageError: for an unknown name.
    """
    if name not in MODELS:
        raise UsageError(f"model={name!r}, choose from {sorted(MODELS)}")
    return MODELS[name]
