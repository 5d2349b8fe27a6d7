"""Join backbone and head to the one ONNX graph that a bundle holds."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from scones.bundle import BundleInfo
from scones.errors import TrainingError
from scones.training.backbone import Backbone
from scones.training.head import Head

__all__ = ["join", "part"]


def join(backbone: Backbone, head: Head, temperature: float) -> bytes:
    """Put the head and a calibrated softmax behind a backbone.

    Args:
        backbone: with output ``embedding`` float32 (N, D).
        head: the fitted head.
        temperature: by which the logits are divided.

    Returns:
        An ONNX graph: input uint8 (N, H, W, 3); outputs float32 ``probabilities`` (N, K) and
        ``embedding`` (N, D).
    """
    model = onnx.load_from_string(backbone.model)
    graph = model.graph
    weights = (head.weights / temperature).astype(np.float32)
    bias = (head.bias / temperature).astype(np.float32)
    graph.initializer.extend(
        [numpy_helper.from_array(weights, "head.weights"), numpy_helper.from_array(bias, "head.bias")]
    )
    graph.node.extend([
        helper.make_node("Gemm", ["embedding", "head.weights", "head.bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ])  # fmt: skip
    graph.output.insert(0, helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", weights.shape[1]]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def part(info: BundleInfo, model: bytes) -> Backbone:
    """Take the head off a model again, so that another one can be fitted to the very same backbone.

    Args:
        info: of the model.
        model: its graph, as :func:`join` made it.

    Returns:
        The backbone with the view that it looks through, if there is one: fine-tuned or not, and whether or not the
        file or the hub's model that it came from is still to be had.

    Raises:
        TrainingError: the graph has no such head.
    """
    parted = onnx.load_from_string(model)
    graph = parted.graph
    if [list(node.output) for node in graph.node[-2:]] != [["logits"], ["probabilities"]]:
        raise TrainingError(f"model {info.version} was not made by `scones train`: it has no head to be fitted anew")
    head = set(graph.node[-2].input[1:])
    del graph.node[-2:]
    kept = [entry for entry in graph.initializer if entry.name not in head]
    del graph.initializer[:], graph.output[0]
    graph.initializer.extend(kept)
    onnx.checker.check_model(parted)
    return Backbone(info.backbone, bytes(parted.SerializeToString()), info.input_size)
