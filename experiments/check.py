"""Refuses settings that make no sense, before anything is built: one line with key, value and choices."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.logger import LOGGERS
from serving.errors import UsageError

_LARGEST = 1e12  # beyond it a number is a slip of the keyboard, and arithmetic on it overflows
_LEAST = {"seed": 0, "slots": 1, "load_bins": 1, "servers": 1, "drain_backlog": 0}
_BATCHES = (4, 10_000)  # for a standard error, and for an end
_LEARNING = ("background", "inline")
_MOST = {"servers": 1000, "load_bins": 10_000, "slots": 10_000_000}
_FILES = ("workload.trace", "hardware.file", "pretrain.file")
_SEVERAL = ("pretrain.file",)  # these may be a list of files, too


def check_settings(plain: Mapping[str, Any], conf: Path, choices: Mapping[str, str]) -> None:
    """Check a run's resolved settings.

    Args:
        plain: the settings.
        conf: the folder of hydra's groups; a setting must have the type of its default there.
        choices: chosen file of each group.

    Raises:
        UsageError: naming the setting, its value and what is allowed.
    """
    known = {str(key) for key in OmegaConf.load(conf / "config.yaml")} - {"defaults"} | set(choices)
    for key in plain:
        if key not in known:
            choices_of_users = sorted(name for name in known if not name.startswith("hydra"))
            raise UsageError(f"{key} is not a setting of a run, choose from {choices_of_users}")
    given = dict(_settings(plain))
    for key, value in given.items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not abs(number) <= _LARGEST:
                raise UsageError(f"{key}={value}, expected finite numbers of at most {_LARGEST:g}")
    for key, default in _defaults(conf, choices):
        value = given.get(key, default)
        inside = {name: below for name, below in given.items() if name.startswith(f"{key}.")}
        if inside and not isinstance(default, dict):
            name, below = next(iter(inside.items()))
            raise UsageError(f"{name}={below}, expected {key} to be {_kind(default)}")
        if not _is_like(value, default):
            raise UsageError(f"{key}={value}, expected {_kind(default)}")
    _check_ranges(plain)


def _defaults(conf: Path, choices: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Every setting with its default value, those left open (null, ???, references) aside."""
    files = [("", conf / "config.yaml")]
    files += [(group, conf / group / f"{choice}.yaml") for group, choice in choices.items()]
    for group, path in files:
        if "/" in group or group == "experiment" or not path.exists():
            continue
        yield from ((key, default) for key, default in _of_file(path, group) if not _is_open(default))


@cache
def _of_file(path: Path, group: str) -> tuple[tuple[str, Any], ...]:
    """The settings in a file of conf/; kept, for a sweep asks for every run."""
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(content, dict)
    for ignored in ("defaults", "hydra", "provenance", "models"):
        content.pop(ignored, None)
    return tuple(_settings(content, group))


def _settings(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, dict) and value:
            yield from _settings(value, name)
        else:
            yield name, value


def _is_open(default: Any) -> bool:
    """Null, to be set, or a reference: the default says nothing about the type."""
    return default is None or (isinstance(default, str) and default.startswith(("${", "???")))


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    for kind, allowed in ((int, int), (float, int | float), (dict, dict)):
        if isinstance(default, kind):
            return isinstance(value, allowed)
    if isinstance(default, list):
        if any(isinstance(one, list) for one in default):
            return isinstance(value, list) and all(_is_like(one, default[0]) for one in value)
        return isinstance(value, list) and all(isinstance(one, int | float) for one in value)
    return isinstance(value, str) and value != ""


def _kind(default: Any) -> str:
    if isinstance(default, list) and default and isinstance(default[0], list):
        return "a list of lists of numbers"
    kinds = {bool: "true or false", int: "an integer", float: "a number", list: "a list of numbers"}
    return kinds.get(type(default), "a word")


def _check_ranges(plain: Mapping[str, Any]) -> None:
    for key, least in _LEAST.items():
        if plain[key] < least:
            raise UsageError(f"{key}={plain[key]}, expected an integer >= {least}")
    for key, most in _MOST.items():
        if plain[key] > most:
            raise UsageError(f"{key}={plain[key]}, expected an integer of at most {most}")
    if plain["slot_s"] <= 0:
        raise UsageError(f"slot_s={plain['slot_s']}, expected a number > 0 (seconds)")
    if plain["learning"] not in _LEARNING:
        raise UsageError(f"learning={plain['learning']}, choose from {list(_LEARNING)}")
    if not isinstance(plain["drain_rule"], bool | None):
        raise UsageError(f"drain_rule={plain['drain_rule']}, expected true, false or null")
    if plain["logger"] not in (None, *LOGGERS):
        raise UsageError(f"logger={plain['logger']}, choose from {['null', *LOGGERS]}")
    name = plain["experiment_name"]
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(f"experiment_name={name}, expected letters, digits, '_', '-' and '.'")
    _check_files(plain)
    _check_pretrain(plain["pretrain"])
    _check_table(plain["table"])


def _check_pretrain(pretrain: Mapping[str, Any]) -> None:
    files, slots = pretrain["file"], pretrain["slots"]
    if pretrain["table"] and files is None:
        raise UsageError("pretrain.table=true without a simulator, expected pretrain.file=<hardware profile>")
    if slots < 1:
        raise UsageError(f"pretrain.slots={slots}, expected an integer >= 1")
    if isinstance(files, list):
        twice = [one for one in files if files.count(one) > 1]
        if twice:
            raise UsageError(f"pretrain.file names {twice[0]} twice, expected every profile once")
        if slots < len(files):
            raise UsageError(f"pretrain.slots={slots} for {len(files)} profiles, expected one each or more")


def _check_files(plain: Mapping[str, Any]) -> None:
    for key in _FILES:
        group, _, setting = key.partition(".")
        if not isinstance(plain[group], dict):
            raise UsageError(f"{group}={plain[group]}, expected settings such as {key}=null")
        value = plain[group].get(setting)
        files = value if key in _SEVERAL and isinstance(value, list) else [value]
        if value is not None and not (files and all(isinstance(one, str) and one for one in files)):
            raise UsageError(
                f"{key}={value}, expected a file{', a list of files' if key in _SEVERAL else ''} or null"
            )


def _check_table(table: Mapping[str, Any]) -> None:
    loads = table["load_rps"]
    if len(loads) < 2 or len(set(loads)) < len(loads) or min(loads, default=0) <= 0:
        raise UsageError(f"table.load_rps={loads}, expected two or more different numbers > 0")
    if not 0 < table["relative_error"] < 1:
        raise UsageError(f"table.relative_error={table['relative_error']}, expected a number in (0, 1)")
    fewest, most = _BATCHES
    if not fewest <= table["most_batches"] <= most:
        raise UsageError(f"table.most_batches={table['most_batches']}, expected {fewest}..{most}")
    if table["workers"] == 0 or table["workers"] < -1:
        workers = table["workers"]
        raise UsageError(f"table.workers={workers}, expected a number of processes, or -1 for all cores")
