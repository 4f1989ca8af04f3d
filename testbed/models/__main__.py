"""Exports models, and the requests to send to them; prints where they are."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from serving.errors import UsageError
from testbed.models.catalogue import MODELS
from testbed.models.export import default_cache, export_model
from testbed.models.requests import store_requests

_LARGEST_SIZE = 1000.0  # relative to the mean request: beyond, a message has more bytes than protobuf allows


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> _Parser:
    parser = _Parser(prog="python -m testbed.models", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the models")
    export = commands.add_parser("export", help="export a model, unless it is in the cache")
    requests = commands.add_parser("requests", help="store serialised requests beside a model")
    for command in (export, requests):
        command.add_argument("name", help="a model that `list` names")
        command.add_argument("--cache", type=Path, metavar="FOLDER", help=f"default: {default_cache()}")
        for setting in sorted({key for model in MODELS.values() for key in model.defaults}):
            command.add_argument(f"--{setting}", type=int, help="of deepspeech2")
    requests.add_argument("sizes", type=_sizes, metavar="SIZE,...", help="relative to the mean request")
    return parser


def _sizes(text: str) -> list[float]:
    try:
        sizes = [float(size) for size in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(0 < size <= _LARGEST_SIZE for size in sizes):
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected numbers > 0 and at most {_LARGEST_SIZE:g}, separated by commas"
        )
    return sizes


def main(arguments: list[str]) -> int:
    """Exit codes: 0 done, 1 failed, 2 wrong usage."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        flags = vars(_parser().parse_args(arguments))
        command = flags.pop("command")
        if command == "list":
            for model in MODELS.values():
                print(f"{model.name}\t{model.description}\t{dict(model.defaults)}")
            return 0
        name, cache = flags.pop("name"), flags.pop("cache")
        if command == "export":
            print(export_model(name, cache=cache, settings=flags))
        else:
            print(*store_requests(name, flags.pop("sizes"), flags, cache), sep="\n")
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"cannot write the model: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
