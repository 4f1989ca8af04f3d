"""Requests of a model as files beside it, made once, so that who sends them needs no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.errors import UsageError
from testbed.models.export import export_model
from testbed.models.payload import predict_payload

_ROOT = Path(__file__).resolve().parents[2]


def store_requests(
    name: str,
    sizes: Sequence[float],
    settings: Mapping[str, int | None] | None = None,
    cache: Path | None = None,
) -> list[Path]:
    """Files with a serialised request of each relative size, below the exported model.

    Raises:
        UsageError: for an unknown model or setting, or a size that it does not take.
    """
    folder = export_model(name, settings, cache) / "requests"
    folder.mkdir(exist_ok=True)
    files = [folder / f"size_{size:g}.pb" for size in sizes]
    for size, file in zip(sizes, files, strict=True):
        if not file.exists():
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as partial:
                partial.write(predict_payload(name, size, settings=settings))
            Path(partial.name).replace(file)
    return files


def prepare(
    name: str,
    sizes: Sequence[float],
    settings: Mapping[str, int | None] | None = None,
    cache: Path | None = None,
) -> tuple[Path, list[bytes]]:
    """Base path of a model and the bytes of its requests, by a process of its own where they are to be made.

    Raises:
        UsageError: as ``store_requests``.
    """
    given = [f"--{key}={value}" for key, value in (settings or {}).items() if value is not None]
    given += [f"--cache={cache}"] if cache else []
    command = [
        sys.executable,
        "-m",
        "testbed.models",
        "requests",
        name,
        ",".join(f"{one:g}" for one in sizes),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*command, *given], cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UsageError(done.stderr.strip().splitlines()[-1])
    files = [Path(line) for line in done.stdout.split("\n") if line]
    return files[0].parents[1], [file.read_bytes() for file in files]
