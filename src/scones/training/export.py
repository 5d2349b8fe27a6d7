"""Write a torch network as the ONNX backbone that everything else reads, and read it back. Needs ``train``."""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from pydantic import TypeAdapter, ValidationError

from scones.contracts import first_fault
from scones.errors import TrainingError
from scones.training.networks import Architecture, Features, FlipAveraged, features, fold

__all__ = ["NETWORK", "export_backbone", "onnx_graph", "read_network"]

NETWORK = "scones.network"
"""The metadata of the ONNX file that says how its network is built: an Architecture, as JSON."""
_SMALL = 256
"""Numbers of a weight below which it is kept as it is."""
_SCALE = ".scale"
_LARGEST = 127
_PREFIX = "network."  # what a parameter's name starts with, once the network is wrapped for export


class _Plain(torch.nn.Module):
    """A network by the name that :class:`FlipAveraged` gives it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> Any:
        return self.network(x)


def export_backbone(network: Any, out: Path, *, size: int = 32) -> None:
    """Write features, averaged over a picture and its mirror image, as ONNX.

    Args:
        network: uint8 (N, H, W, 3) → float32 (N, D).
        out: the file to write: as :func:`onnx_graph`.
        size: side of the pictures in pixels.
    """
    part = out.with_suffix(".part")
    part.write_bytes(onnx_graph(network, size=size))
    part.replace(out)


def onnx_graph(network: Any, *, size: int, mirrored: bool = True) -> bytes:
    """Make a network's ONNX graph.

    Batch normalisation is folded away, and weights are kept as float16, those of our own networks as int8 (a
    quarter of the bytes); onnxruntime makes them float32 again when it loads them, so that computing costs the
    same. The graph of :class:`scones.training.networks.Features` can be read back by :func:`read_network`.

    Args:
        network: uint8 (N, H, W, 3) → float32 (N, D).
        size: side of the pictures in pixels.
        mirrored: average over each picture and its mirror image, which costs twice the time.

    Returns:
        The bytes of an ONNX file: input ``images`` uint8 (N, size, size, 3), output ``embedding`` float32 (N, D).
    """
    folded = fold(copy.deepcopy(network).cpu())
    with _quietly():
        program = torch.onnx.export(
            (FlipAveraged(folded) if mirrored else _Plain(folded)).eval(),
            (torch.zeros((2, size, size, 3), dtype=torch.uint8),),
            input_names=["images"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    assert program is not None  # dynamo's exporter
    model = program.model_proto
    _forget_places(model)
    _shrink(model.graph, _as_int8 if isinstance(network, Features) else _as_float16)
    if isinstance(network, Features):
        model.metadata_props.add(key=NETWORK, value=json.dumps(asdict(network.architecture)))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def read_network(model: bytes, name: str = "the backbone") -> Features:
    """Build the network of an ONNX graph again, to train it further.

    Args:
        model: what :func:`onnx_graph` made of a :class:`scones.training.networks.Features`.
        name: what to call it in an error.

    Returns:
        The network with its batch normalisation folded away: uint8 (N, H, W, 3) → float32 (N, D), of one
        picture without its mirror image.

    Raises:
        TrainingError: the graph does not say how its network is built, or not all of it is there.
    """
    graph = onnx.load_from_string(model)
    said = {entry.key: entry.value for entry in graph.metadata_props}.get(NETWORK)
    if said is None:
        raise TrainingError(
            f"{name} does not say how its network is built: fine-tune one of `scones pretrain`, or one of the hub"
        )
    try:
        architecture = TypeAdapter(Architecture).validate_json(said)
    except ValidationError as error:
        raise TrainingError(
            f"{name}: {NETWORK}: {first_fault(error)}: write it again with `scones pretrain`"
        ) from error
    network: Features = fold(features(architecture))
    state = network.state_dict()
    found = {key: np.zeros(tuple(value.shape)) for key, value in state.items() if key.endswith(".bias")}
    # the exporter leaves out biases that are all zero
    found |= _weights(graph.graph)
    if missing := sorted(key for key in state if found.get(key, np.empty(0)).shape != tuple(state[key].shape)):
        raise TrainingError(f"{name} lacks the weights {', '.join(missing)}: write it again with `scones pretrain`")
    network.load_state_dict({key: torch.from_numpy(found[key].astype(np.float32)) for key in state})
    return network


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter from telling of packages that it could use, and of its own deprecations."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _forget_places(model: onnx.ModelProto) -> None:
    """Remove the paths of this machine, which the exporter notes in each node."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")


def _as_float16(values: NDArray[np.float32]) -> tuple[NDArray[Any], None]:
    with np.errstate(over="ignore"):
        return values.astype(np.float16), None


def _as_int8(values: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Numbers, and what they are multiplied with: a scale for each output channel."""
    scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / np.float32(_LARGEST)
    return np.round(values / np.where(scale == 0, 1, scale)).astype(np.int8), scale


def _shrink(graph: onnx.GraphProto, kept_as: Callable[[NDArray[np.float32]], tuple[NDArray[Any], Any]]) -> None:
    """Keep large weights in fewer bytes; small ones would save nothing, and some are too large for float16."""
    nodes = []
    for weight in list(graph.initializer):
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < _SMALL:
            continue
        numbers, scale = kept_as(values)
        if not np.isfinite(numbers).all():
            continue
        name, found = weight.name, f"{weight.name}.float32"
        weight.CopyFrom(numpy_helper.from_array(numbers, name))
        nodes.append(helper.make_node("Cast", [name], [found], to=TensorProto.FLOAT))
        if scale is not None:
            graph.initializer.append(numpy_helper.from_array(scale, name + _SCALE))
            nodes.append(helper.make_node("Mul", [found, name + _SCALE], [f"{name}.whole"]))
            found = f"{name}.whole"
        for node in graph.node:
            node.input[:] = [found if entry == name else entry for entry in node.input]
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def _weights(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """The weights of a graph by their names in the network, as they were before :func:`_shrink`, and biases."""
    found = {one.name.removeprefix(_PREFIX): numpy_helper.to_array(one) for one in graph.initializer}
    return {name: value * found.get(name + _SCALE, np.float32(1)) for name, value in found.items()}
