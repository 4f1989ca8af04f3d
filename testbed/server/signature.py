"""A signature of a SavedModel: the names, types and shapes that a request must match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from testbed.server.status import Code, StatusError, invalid


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        tensor_name: name in the graph.
        data_type: TensorFlow's number of the element type.
        shape: sizes, None where any fits; None as a whole for any rank.
    """

    tensor_name: str
    data_type: int
    shape: tuple[int | None, ...] | None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape fits."""
        if self.shape is None:
            return True
        return len(self.shape) == len(shape) and all(
            mine is None or mine == given for mine, given in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of one entry point, by name."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def check_names(self, given: Iterable[str]) -> None:
        """Raise INVALID_ARGUMENT unless exactly the signature's inputs are given."""
        names = set(given)
        extra, missing = sorted(names - self.inputs.keys()), sorted(self.inputs.keys() - names)
        if extra or missing:
            raise invalid(
                f"input size does not match signature: {len(names)}!={len(self.inputs)} "
                f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
            )

    def check_shapes(self, given: Mapping[str, NDArray[Any]]) -> None:
        """Raise INVALID_ARGUMENT unless every array has a shape that its input accepts."""
        for name, array in given.items():
            if not self.inputs[name].accepts(array.shape):
                expected = tuple(-1 if size is None else size for size in self.inputs[name].shape or ())
                raise invalid(f"input {name} has shape {array.shape}, expected {expected} (-1: any)")

    def choose_outputs(self, wanted: list[str]) -> list[str]:
        """The outputs to send: the wanted ones, all if none is named."""
        for alias in wanted:
            if alias not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} "
                    f"Outputs expected to be in the set {{{','.join(sorted(self.outputs))}}}."
                )
        if len(set(wanted)) != len(wanted):
            raise invalid("duplicate output tensor alias in output_filter")
        return wanted or list(self.outputs)


def signatures_of(meta_graph: Any) -> dict[str, Signature]:
    """The signatures of a MetaGraphDef whose inputs and outputs are plain tensors."""
    return {
        name: Signature(
            name,
            {key: _spec(info) for key, info in sorted(definition.inputs.items())},
            {key: _spec(info) for key, info in sorted(definition.outputs.items())},
        )
        for name, definition in meta_graph.signature_def.items()
        if definition.outputs
        and not name.startswith("__")  # __saved_model_init_op and the like
        and all(info.name for info in [*definition.inputs.values(), *definition.outputs.values()])
    }


def find_signature(signatures: Mapping[str, Signature], name: str) -> Signature:
    """A signature by name; the default one if the name is empty."""
    key = name or "serving_default"
    if key not in signatures:
        raise StatusError(Code.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.')
    return signatures[key]


def _spec(info: Any) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)
    return TensorSpec(info.name, info.dtype, sizes)
