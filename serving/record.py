"""Equality of records that hold arrays."""

from __future__ import annotations

from dataclasses import fields

import numpy as np


class Record:
    """Base of frozen dataclasses with arrays (declared with ``eq=False``): equal if all fields are.

    Arrays are equal if shape and entries are, NaN in the same places included.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [one.name for one in fields(self)]  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray | tuple) and isinstance(other, np.ndarray | tuple):
        return bool(np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))
    return bool(one == other)
