"""Named random streams: what a draw is for decides its numbers, not how many draws came before it."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str, *key: int) -> np.random.Generator:
    """The generator of one purpose ("rates", "arrivals", "sizes"), further divided by ``key`` (the slot).

    The purpose is hashed into the spawn key, so the streams collide neither with each other nor with those
    that another part of the program derives from the same seed.
    """
    spawn_key = (zlib.crc32(f"workloads.{purpose}".encode()), *key)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=spawn_key)))
