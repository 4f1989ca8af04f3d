"""``key=value`` arguments for the small programs that need no hydra; manners as in ``experiments.cli``."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from serving.errors import UsageError

INTERRUPTED = 130
"""Exit code after Ctrl-C, 128 + SIGINT as shells have it: who runs programs in turn must not go on."""

_SWITCH = {"0": False, "1": True}


def parse(arguments: Sequence[str], defaults: Mapping[str, Any], text: str = "") -> dict[str, Any]:
    """Defaults changed by ``key=value`` arguments, each converted to the type of its default.

    ``--help`` prints ``text`` and the defaults and exits with 0; anything wrong is one line on stderr and
    exit code 2. A default that is true or false is given as 0 or 1; one that is a path is a folder, there
    already or not.
    """
    options = dict(defaults)
    if any(argument in ("-h", "--help") for argument in arguments):
        print(text.strip())
        print("settings: " + " ".join(f"{key}={_told(one)}" for key, one in defaults.items()))
        sys.exit(0)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in defaults:
            refuse(f"{argument} is not a setting, choose from {sorted(defaults) or 'none'} (as key=value)")
        kind = Path if isinstance(defaults[key], Path) else type(defaults[key])
        try:
            options[key] = _SWITCH[value] if kind is bool else kind(value)
        except (ValueError, KeyError):
            refuse(f"{key}={value}, expected {'0 or 1' if kind is bool else kind.__name__}")
        if isinstance(options[key], Path) and options[key].exists() and not options[key].is_dir():
            refuse(f"{key}={value} is a file, expected a folder")
    return options


def _told(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def parse_some(
    arguments: Sequence[str], defaults: Mapping[str, Any], text: str = ""
) -> tuple[dict[str, Any], list[str]]:
    """As ``parse``, but what is no setting of the program is handed back: hydra overrides."""
    mine = [one for one in arguments if one.startswith("-") or one.partition("=")[0] in defaults]
    return parse(mine, defaults, text), [one for one in arguments if one not in mine]


def require_positive(options: Mapping[str, Any], names: Sequence[str]) -> None:
    """See that options are numbers above 0, and finite.

    Raises:
        UsageError: for the first that is not.
    """
    for name in names:
        if not 0 < options[name] < math.inf:
            raise UsageError(f"{name}={options[name]}, expected a finite number > 0")


def exit_code(program: Callable[[], None]) -> int:
    """Run a program that keeps what it has finished: 2 after wrong usage, 130 after an interruption, else 0.

    Either of the two is one line on stderr, and so is what the operating system refuses (1). SIGTERM
    interrupts as Ctrl-C does, so that what was started ends; Ctrl-C does, too, where a script's ``&`` has
    handed it down ignored.
    """
    try:
        with _interrupted_by(signal.SIGINT), _interrupted_by(signal.SIGTERM):
            program()
    except OSError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    except Exception as error:
        from experiments.cli import explain, is_usage  # hydra, which most programs here do without

        if not is_usage(error):
            raise
        print(explain(error, sys.argv[1:]), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


@contextmanager
def _interrupted_by(number: signal.Signals) -> Iterator[None]:
    """A signal raises KeyboardInterrupt in here."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def refuse(line: str) -> NoReturn:
    """One line on stderr and exit code 2."""
    print(line, file=sys.stderr)
    sys.exit(2)
