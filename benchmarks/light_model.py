"""A small classifier with random weights: what a server costs shows best where the model costs little."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from scones.bundle import BundleInfo, ThresholdFit, write_bundle

__all__ = ["light_model"]

SIDE, CLASSES = 32, 2
WIDTHS: Final = (3, 64, 128, 256)


def light_model(folder: Path) -> Path:
    """Write a bundle of three convolutions for pictures of 32x32 pixels, 10 million multiplications."""
    info = BundleInfo(
        task="vehicles", labels=("bicycle", "motorcycle"), input_size=SIDE, version="light",
        threshold=ThresholdFit(
            value=0.9, origin="default", target_risk=0, confidence=0, risk_bound=None, pictures=0, coverage=1, note="",
        ),
        temperature=1, metrics={}, reference={}, dataset="", backbone="light", seed=0, code="", trained_at="",
    )  # fmt: skip
    path = folder / "light.tar.gz"
    path.write_bytes(write_bundle(info, graph()))
    return path


def graph() -> bytes:
    """Its graph."""
    rng = np.random.default_rng(0)
    constants = {"scale": np.array(1 / 255, np.float32)}
    nodes = [
        helper.make_node("Cast", ["picture"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["values", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["x0"], perm=[0, 3, 1, 2]),
    ]
    for layer, (before, after) in enumerate(pairwise(WIDTHS)):
        weights = rng.normal(0, (2 / (9 * before)) ** 0.5, (after, before, 3, 3))
        constants[f"w{layer}"] = weights.astype(np.float32)
        nodes += [
            helper.make_node("Conv", [f"x{layer}", f"w{layer}"], [f"c{layer}"], strides=[2, 2], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"c{layer}"], [f"x{layer + 1}"]),
        ]
    constants["axes"] = np.array([2, 3], np.int64)
    constants["head"] = rng.normal(0, 0.1, (WIDTHS[-1], CLASSES)).astype(np.float32)
    nodes += [
        helper.make_node("ReduceMean", [f"x{len(WIDTHS) - 1}", "axes"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "light",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", WIDTHS[-1]]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
