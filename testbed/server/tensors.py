"""TensorProto to numpy and back, with what a stranger may send in mind.

``tf.make_ndarray`` trusts the proto: it copies the content, and it allocates whatever the declared shape asks
for. Here content is used in place, and sizes are checked before anything is allocated.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.server.status import invalid

_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "object": "string_val",
} | dict.fromkeys(("int32", "int16", "int8", "uint16", "uint8"), "int_val")


@cache
def numpy_type(data_type: int) -> np.dtype[Any]:
    """The numpy type of a TensorFlow data type (``object``, holding bytes, for strings).

    Raises:
        StatusError: INVALID_ARGUMENT if there is none that can be sent.
    """
    import tensorflow as tf

    try:
        dtype: np.dtype[Any] = np.dtype(tf.dtypes.as_dtype(data_type).as_numpy_dtype)
    except (TypeError, KeyError):
        raise invalid(f"data type {data_type} is not known") from None
    if dtype.name not in _FIELDS:
        raise invalid(f"data type {type_name(data_type)} is not supported")
    return dtype


@cache
def type_name(data_type: int) -> str:
    """The name of a TensorFlow data type, as in ``float`` or ``int64``."""
    from tensorflow.core.framework import types_pb2

    try:
        return str(types_pb2.DataType.Name(data_type)).removeprefix("DT_").lower()
    except ValueError:
        return str(data_type)


def to_array(name: str, proto: Any, data_type: int, max_bytes: int) -> NDArray[Any]:
    """The array that a TensorProto stands for, read-only where it shares the proto's content.

    Args:
        name: the input's name, for messages.
        proto: the TensorProto.
        data_type: what the signature expects.
        max_bytes: the largest array to allocate.

    Raises:
        StatusError: INVALID_ARGUMENT if the proto is malformed, of another type, or larger than allowed.
    """
    if proto.dtype != data_type:
        raise invalid(f"input {name} is {type_name(proto.dtype)}, expected {type_name(data_type)}")
    dtype = numpy_type(data_type)
    if proto.tensor_shape.unknown_rank or any(dim.size < 0 for dim in proto.tensor_shape.dim):
        raise invalid(f"input {name} has a shape that is not fully known")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    elements = math.prod(shape)
    if elements * dtype.itemsize > max_bytes or any(size > max_bytes for size in shape):
        raise invalid(f"input {name} has shape {shape}, more than {max_bytes} bytes")
    content = proto.tensor_content  # once: every look at it is a copy
    if content and dtype.kind != "O":
        if len(content) != elements * dtype.itemsize:
            raise invalid(
                f"input {name} has {len(content)} bytes of content, "
                f"expected {elements * dtype.itemsize} for shape {shape}"
            )
        return np.frombuffer(content, dtype).reshape(shape)
    return _from_fields(name, proto, dtype, elements).reshape(shape)


def _from_fields(name: str, proto: Any, dtype: np.dtype[Any], elements: int) -> NDArray[Any]:
    """Values from the typed field; the last one stands for all that follow, none at all for zeros."""
    values = getattr(proto, _FIELDS[dtype.name])
    per_element = 2 if dtype.kind == "c" else 1
    if len(values) % per_element or len(values) > elements * per_element:
        raise invalid(f"input {name} has {len(values)} values, expected {elements * per_element}")
    try:
        if _FIELDS[dtype.name] == "half_val":
            given = np.array(values, np.uint16).view(dtype)
        elif dtype.kind == "c":
            given = np.array(values, dtype.type(0).real.dtype).view(dtype)
        else:
            given = np.array(values, dtype)
    except (OverflowError, ValueError):
        raise invalid(f"input {name} has values that do not fit its type") from None
    if len(given) == elements:
        return given
    fill = given[-1] if len(given) else (b"" if dtype.kind == "O" else dtype.type(0))
    array = np.full(elements, fill, dtype)
    array[: len(given)] = given
    return array


@cache
def _data_type(dtype: np.dtype[Any]) -> int:
    """TensorFlow's number of a numpy type."""
    import tensorflow as tf

    return int((tf.dtypes.string if dtype.kind == "O" else tf.dtypes.as_dtype(dtype)).as_datatype_enum)


def to_proto(array: NDArray[Any], proto: Any) -> None:
    """Write an array into an empty TensorProto, values in the typed field as TensorFlow Serving does."""
    dtype = array.dtype if array.dtype.kind not in "SU" else np.dtype(object)
    proto.dtype = _data_type(dtype)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = np.ascontiguousarray(array).reshape(-1)
    if _FIELDS[dtype.name] == "half_val":
        flat = flat.view(np.uint16)
    elif dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    getattr(proto, _FIELDS[dtype.name]).extend(flat.tolist())
