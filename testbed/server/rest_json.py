"""JSON to tensors and back: the row and the columnar format of TensorFlow Serving's REST interface."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.server.signature import Signature, TensorSpec
from testbed.server.status import StatusError, invalid
from testbed.server.tensors import numpy_type, type_name

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class JsonRequest:
    """A parsed body: the signature's name and the inputs, by rows (``instances``) or columns (``inputs``)."""

    signature_name: str
    rows: bool
    content: Any


def parse_body(body: bytes) -> JsonRequest:
    """The body of a ``:predict`` request.

    Raises:
        StatusError: INVALID_ARGUMENT if it is no JSON object with either ``instances`` or ``inputs``.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise invalid("expected a JSON object with either 'instances' or 'inputs'")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid("'signature_name' must be a string")
    rows = "instances" in document
    content = document["instances" if rows else "inputs"]
    if rows and not (isinstance(content, list) and content):
        raise invalid("'instances' must be a list with at least one element")
    return JsonRequest(name, rows, content)


def to_feeds(request: JsonRequest, signature: Signature) -> dict[str, NDArray[Any]]:
    """The inputs as arrays.

    Raises:
        StatusError: INVALID_ARGUMENT if they do not fit the signature.
    """
    columns = _columns_of_rows(request.content, signature) if request.rows else request.content
    if not request.rows and not _is_named(columns):
        columns = {_only(signature): columns}
    signature.check_names(columns.keys())
    return {name: _array(name, value, signature.inputs[name]) for name, value in columns.items()}


def _columns_of_rows(instances: list[Any], signature: Signature) -> dict[str, Any]:
    if not _is_named(instances[0]):
        return {_only(signature): instances}
    if any(not _is_named(one) or one.keys() != instances[0].keys() for one in instances):
        raise invalid("all instances must be objects with the same keys")
    return {name: [one[name] for one in instances] for name in instances[0]}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _only(signature: Signature) -> str:
    if len(signature.inputs) != 1:
        raise invalid(f"the inputs must be named: {{{','.join(signature.inputs)}}}")
    return next(iter(signature.inputs))


def _array(name: str, value: Any, spec: TensorSpec) -> NDArray[Any]:
    dtype = numpy_type(spec.data_type)
    try:
        if dtype.kind == "O":
            return _strings(value)
        array = np.array(value)
    except (ValueError, TypeError, binascii.Error) as error:
        raise invalid(f"input {name}: {error}") from None
    if array.size and not _fits(array, dtype):
        raise invalid(f"input {name} has values that are no {type_name(spec.data_type)}")
    return array.astype(dtype)


def _fits(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return array.dtype.kind in "iu" and limits.min <= array.min() and array.max() <= limits.max
    if dtype.kind == "b":
        return array.dtype.kind == "b"
    return dtype.kind != "c" and array.dtype.kind in "iuf"


def _strings(value: Any) -> NDArray[Any]:
    """Nested lists of strings and ``{"b64": ...}`` as an array of bytes objects."""
    shape, one = [], value
    while isinstance(one, list):
        shape.append(len(one))
        one = one[0] if one else None
    flat: list[bytes] = []
    _flatten(value, shape, flat)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _flatten(value: Any, shape: list[int], flat: list[bytes]) -> None:
    if shape:
        if not isinstance(value, list) or len(value) != shape[0]:
            raise ValueError("lists of different length or depth")
        for one in value:
            _flatten(one, shape[1:], flat)
    elif isinstance(value, str):
        flat.append(value.encode())
    elif isinstance(value, dict) and value.keys() == {"b64"}:
        flat.append(base64.b64decode(value["b64"], validate=True))
    else:
        raise ValueError("expected a string or {'b64': ...}")


def to_body(outputs: Arrays, rows: bool) -> bytes:
    """The response: ``predictions``, a list with one element per row, or ``outputs``, by columns.

    Raises:
        StatusError: INVALID_ARGUMENT if rows are wanted and the outputs have not the same number of them.
    """
    lists = {name: _to_list(array, name.endswith("_bytes")) for name, array in outputs.items()}
    only = next(iter(lists)) if len(lists) == 1 else None
    if not rows:
        return _dump({"outputs": lists[only] if only else lists})
    if len({array.shape[:1] for array in outputs.values()}) != 1 or () in {
        one.shape for one in outputs.values()
    }:
        raise invalid("the outputs have no batch dimension in common; ask in the columnar format ('inputs')")
    if only:
        return _dump({"predictions": lists[only]})
    return _dump(
        {"predictions": [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]}
    )


def error_body(error: StatusError) -> bytes:
    """The response to a request that failed."""
    return _dump({"error": error.message})


def _to_list(array: NDArray[Any], as_bytes: bool) -> Any:
    if array.dtype != object and array.dtype.kind not in "SU":
        if array.dtype.kind in "biuf":
            return array.tolist()
        return array.astype(np.float32).tolist()  # bfloat16
    encode = (lambda one: {"b64": base64.b64encode(one).decode()}) if as_bytes else _text
    return _map(encode, array.tolist())


def _map(function: Any, value: Any) -> Any:
    return [_map(function, one) for one in value] if isinstance(value, list) else function(value)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _dump(document: Any) -> bytes:
    return json.dumps(document).encode()
