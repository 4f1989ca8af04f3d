"""Command-line manners: a user's mistake is one clear line on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NoReturn, TextIO

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.arguments import INTERRUPTED
from serving.errors import UsageError

CONF = Path(__file__).resolve().parent.parent / "conf"

_EXTRAS = {"ray": "ray", "submitit_local": "submitit", "submitit_slurm": "submitit"}  # which bring launchers
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def once(program: Callable[[], Any]) -> int:
    """Call a program that says itself when something is wrong; returns exit code 0."""
    program()
    return 0


def hydra_program(
    task: Callable[[DictConfig], Any], drive: Callable[[Callable[[], Any]], int] = once
) -> NoReturn:
    """Run ``task`` as a hydra program on the repository's conf/, with one-line errors.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        task: called with the settings of each run.
        drive: calls the program, once or more often, and returns the exit code.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # hydra then raises instead of printing and exiting by itself
    warnings.formatwarning = lambda message, *_: f"{message}\n"  # one line, without the source
    program = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)
    try:
        with redirect_stderr(_WithoutHydrasLine(sys.stderr)):
            code = drive(program)
    except KeyboardInterrupt:
        _stop("interrupted", INTERRUPTED)
    except Exception as error:
        _stop(explain(error, sys.argv[1:]), 2) if is_usage(error) else _reraise(error)
    sys.exit(code)


class _WithoutHydrasLine(io.TextIOBase):
    """Stderr without the line that hydra writes ahead of every exception of a job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not text.startswith("Error executing job with overrides"):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _reraise(error: Exception) -> NoReturn:
    raise error


def _stop(line: str, code: int) -> NoReturn:
    print(line, file=sys.stderr)
    sys.exit(code)


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def is_usage(error: BaseException) -> bool:
    """Whether an error is the user's mistake."""
    if isinstance(error, InstantiationException):
        return any(isinstance(cause, UsageError | TypeError | ImportError) for cause in _causes(error)[1:])
    return isinstance(error, UsageError | HydraException | OmegaConfBaseException) or any(
        isinstance(cause, UsageError) for cause in _causes(error)
    )


def explain(error: BaseException, arguments: list[str]) -> str:
    """One line that says what was wrong and, for a user's mistake, what is allowed."""
    if not is_usage(error):
        return f"{type(error).__name__}: {_one_line(error)}".removesuffix(": ")
    for cause in _causes(error):
        if isinstance(cause, UsageError):
            return _one_line(cause)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        line = f"{group}={name} is not known, choose from {sorted(error.options)}"
        extra = _EXTRAS.get(name) if group == "hydra/launcher" else None
        return line + (f", or pip install -e '.[{extra}]'" if extra else "")
    if isinstance(error, ConfigCompositionException):
        return _explain_override(error, arguments)
    if isinstance(error, InstantiationException):
        return f"{_one_line(error)}: {_one_line(_causes(error)[-1])}"
    return _one_line(error)


def _one_line(error: BaseException) -> str:
    plain = _COLOUR.sub("", " ".join(str(error).split()))
    return "".join(letter for letter in plain if letter.isprintable())


def _explain_override(error: BaseException, arguments: list[str]) -> str:
    """Name the key that does not exist, and those that stand beside it."""
    message = _one_line(error)
    if not message.startswith("Could not override '"):
        return message
    key = message.split("'")[1]
    parent, _, name = key.rpartition(".")
    groups = [one for one in arguments if "." not in one.split("=")[0] and not one.startswith(("-", key))]
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            config = compose("config", [one for one in groups if "=" in one and "," not in one])
        node = OmegaConf.select(config, parent) if parent else config
        known = sorted(str(one) for one in node)
    except Exception:
        return message
    more = f"; +{key}=... where its class takes more than the preset sets" if parent == "agent" else ""
    return f"{name} is not a setting of {parent or 'a run'}, choose from {known}{more}"
