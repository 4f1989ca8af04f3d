"""What a search for an agent's settings may choose from: one YAML file per agent in conf/tuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from serving.errors import UsageError

if TYPE_CHECKING:
    import optuna

_SHAPE = "{choices: [...]} or {low: ..., high: ..., log: true or false}"


@dataclass(frozen=True)
class Choices:
    """One of several values."""

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values)

    def suggest(self, trial: optuna.Trial, key: str) -> Any:
        """The trial's value of ``key``."""
        return trial.suggest_categorical(key, self.values)


@dataclass(frozen=True)
class Range:
    """A number between two, both included; a whole one where both are."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        kinds = int if self._whole else int | float
        return isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high

    @property
    def _whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: optuna.Trial, key: str) -> float:
        """The trial's value of ``key``, to three digits: what is tried is then what a preset can say."""
        if self._whole:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.log)
        return float(f"{trial.suggest_float(key, self.low, self.high, log=self.log):.3g}")


Space = dict[str, Choices | Range]


def read_space(path: Path, preset: Mapping[str, Any]) -> Space:
    """The search space that a file describes.

    Args:
        path: YAML: for every setting to search ``{choices: [...]}`` or ``{low: ..., high: ..., log: ...}``.
        preset: settings of the agent before the search. They must lie in the space: they are its first
            trial.

    Raises:
        UsageError: naming the file, the setting and what is expected.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        known = sorted(one.stem for one in path.parent.glob("*.yaml"))
        raise UsageError(
            f"agent={path.stem}: {path}: {error.strerror}; search spaces there: {known}"
        ) from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}, expected YAML") from None
    if not isinstance(content, dict) or not content:
        raise UsageError(f"{path}: no search space, expected for every setting {_SHAPE}")
    space: Space = {str(key): _dimension(path, str(key), one) for key, one in content.items()}
    for key, dimension in space.items():
        if key not in preset:
            raise UsageError(f"{path}: {key} is not a setting of the agent, choose from {sorted(preset)}")
        if preset[key] not in dimension:
            raise UsageError(f"{path}: {key}: the preset has {preset[key]}, expected it within {dimension}")
    return space


def _dimension(path: Path, key: str, content: Any) -> Choices | Range:
    wrong = UsageError(f"{path}: {key}: {content}, expected {_SHAPE}, low < high, and low > 0 with log")
    match content:
        case {"choices": [_, *_] as values, **rest} if not rest:
            return Choices(tuple(values))
        case {"low": int() | float() as low, "high": int() | float() as high, **rest} if low < high:
            log = rest.pop("log", False)
            if rest or not isinstance(log, bool) or (log and low <= 0):
                raise wrong
            return Range(low, high, log)
    raise wrong
