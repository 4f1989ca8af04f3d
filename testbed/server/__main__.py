"""``python -m testbed.server``: see ``--help`` and docs/server.md."""

from __future__ import annotations

import logging
import os
import signal
import sys

from serving.errors import UsageError
from testbed.server.flags import parse_flags


def main(arguments: list[str]) -> int:
    """Serve until told to stop. Exit codes: 0 stopped, 1 failed, 2 wrong usage."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        settings = parse_flags(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # deprecations of the v1 loader

    from testbed.server.app import Server

    server = Server(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.ask_to_stop())
    try:
        with server:
            server.wait()
    except UsageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
