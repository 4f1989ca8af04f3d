"""Packages that only some users install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from serving.errors import UsageError


def load_extra(module: str, extra: str, needed_by: str) -> ModuleType:
    """A module that comes with an optional extra of pyproject.toml, imported when it is needed.

    Raises:
        UsageError: saying what to install, if it is not there.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise UsageError(f"{needed_by} needs {package}: pip install -e '.[{extra}]'") from None
