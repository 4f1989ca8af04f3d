"""Keeps the models that are served in step with the settings and with the version folders on disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from serving.errors import UsageError
from testbed.server.model_settings import ModelSettings
from testbed.server.served_model import ServedModel
from testbed.server.status import Code, StatusError, invalid

_log = logging.getLogger(__name__)

Load = Callable[[str, int, Path], ServedModel]
"""Loads and warms up one version of a model, given its name, version and folder."""


class State(IntEnum):
    """Life of a version, as ``ModelVersionStatus.State`` numbers it."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class Version:
    """One version of a model and how it fares."""

    number: int
    state: State
    model: ServedModel | None = None
    error: StatusError | None = None
    stamp: float = 0.0


class ModelManager:
    """Loads, finds and unloads model versions.

    One thread at a time changes anything (``apply``, ``refresh``, ``close``); any number may ``find`` and
    look at ``versions`` meanwhile. A new version is loaded before the old one goes.
    """

    def __init__(self, load: Load) -> None:
        """Start empty."""
        self._load = load
        self._changing = threading.RLock()
        self._settings: Mapping[str, ModelSettings] = {}
        self._versions: Mapping[str, Mapping[int, Version]] = {}

    def apply(self, settings: Mapping[str, ModelSettings]) -> None:
        """Serve these models from now on."""
        with self._changing:
            self._settings = dict(settings)
            self.refresh()

    def refresh(self) -> None:
        """Load and unload until what is served is what the settings and the folders ask for."""
        with self._changing:
            for name in {*self._settings, *self._versions}:
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        settings = self._settings.get(name)
        wanted = settings.policy.choose(settings.versions_on_disk()) if settings else set()
        for number in sorted(wanted):
            assert settings is not None
            self._ensure(settings, number)
        known = self._versions.get(name, {})
        serving = {number for number, version in known.items() if version.state is State.AVAILABLE}
        if not wanted or wanted & serving:
            for number in serving - wanted:
                self._unload(name, known[number])

    def _ensure(self, settings: ModelSettings, number: int) -> None:
        known = self._versions.get(settings.name, {}).get(number)
        folder = settings.folder(number)
        stamp = _stamp(folder)
        if known and (known.state is State.AVAILABLE or (known.error and known.stamp == stamp)):
            return
        loading = Version(number, State.LOADING, stamp=stamp)
        self._set(settings.name, loading)
        try:
            model = self._load(settings.name, number, folder)
        except UsageError:
            raise
        except Exception as error:  # whatever a broken SavedModel raises ends this version, not the server
            line = str(error).partition("\n")[0] or type(error).__name__
            _log.error("cannot load %s version %d from %s: %s", settings.name, number, folder, line)
            failure = StatusError(Code(getattr(error, "error_code", Code.UNKNOWN)), line)
            self._set(settings.name, replace(loading, state=State.END, error=failure))
        else:
            _log.info("serving %s version %d from %s", settings.name, number, folder)
            self._set(settings.name, replace(loading, state=State.AVAILABLE, model=model))

    def _unload(self, name: str, version: Version) -> None:
        assert version.model is not None
        self._set(name, replace(version, state=State.UNLOADING, model=None))
        version.model.close()
        self._set(name, replace(version, state=State.END, model=None))
        _log.info("unloaded %s version %d", name, version.number)

    def _set(self, name: str, version: Version) -> None:
        versions = {**self._versions.get(name, {}), version.number: version}
        self._versions = {**self._versions, name: versions}

    def versions(self, name: str) -> Mapping[int, Version]:
        """Every version of a model that was ever wanted, by number; empty for an unknown model."""
        return self._versions.get(name, {})

    def find(self, spec: Any) -> ServedModel:
        """The model that a ModelSpec message names; the highest available version if it names none.

        Raises:
            StatusError: INVALID_ARGUMENT without a name, NOT_FOUND if it is not being served.
        """
        if not spec.name:
            raise invalid("Missing ModelSpec")
        number = self.number_of(spec)
        models = {one.number: one.model for one in self.versions(spec.name).values() if one.model}
        if number is None and models:
            number = max(models)
        if number not in models:
            asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise StatusError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
        return models[number]

    def number_of(self, spec: Any) -> int | None:
        """The version that a ModelSpec asks for, by number or by label; None for the latest."""
        match spec.WhichOneof("version_choice"):
            case "version":
                return int(spec.version.value)
            case "version_label":
                settings = self._settings.get(spec.name)
                label = spec.version_label
                if settings is None or label not in settings.labels:
                    raise invalid(f"Unrecognized servable version label: {label}")
                return settings.labels[label]
        return None

    @property
    def available(self) -> list[ServedModel]:
        """All models being served."""
        found = [one.model for versions in self._versions.values() for one in versions.values()]
        return [model for model in found if model]

    def missing(self) -> dict[str, StatusError | None]:
        """Models of which no version is being served, with what went wrong if anything did."""
        return {
            name: next((one.error for one in self.versions(name).values() if one.error), None)
            for name in self._settings
            if not any(one.model for one in self.versions(name).values())
        }

    def close(self) -> None:
        """Unload everything."""
        self.apply({})


def _stamp(folder: Path) -> float:
    """When a version folder was last written to, so that a failed one is tried again once it has changed."""
    files = [folder, *folder.glob("saved_model.pb*"), *folder.glob("variables/*")]
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
