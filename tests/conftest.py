"""What tests of several rooms share: a tiny but real model, and pictures for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import onnx
import PIL.Image
import pytest
from onnx import TensorProto, helper, numpy_helper

from scones.bundle import BundleInfo, ThresholdFit, write_bundle
from scones.task import load_task


def _tiny_graph(labels: Sequence[str], size: int) -> bytes:
    """Mean colours → linear → softmax: the redder, the surer of the first label; the bluer, of the last."""
    weights = np.zeros((3, len(labels)), np.float32)
    weights[0, 0] = weights[2, -1] = 8.0
    constants: dict[str, Any] = {
        "axes": np.array([1, 2], np.int64),
        "white": np.array(255.0, np.float32),
        "weights": weights,
        "bias": np.zeros(len(labels), np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["picture"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", size, size, 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(labels)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def tiny_bundle() -> Callable[..., bytes]:
    """Make the bytes of a ``model.tar.gz``: ``tiny_bundle(labels=…, size=32, version="tiny-1", threshold=0.9)``.

    Its model is real and answers in microseconds: red pictures are of the first label, blue of the last.
    """

    def make(
        labels: Sequence[str] | None = None,
        *,
        size: int = 32,
        task: str = "vehicles",
        version: str = "tiny-1",
        threshold: float = 0.9,
    ) -> bytes:
        labels = load_task(task).labels if labels is None else tuple(labels)
        fit = ThresholdFit(
            value=threshold,
            origin="default",
            target_risk=0.05,
            confidence=0.95,
            risk_bound=None,
            pictures=0,
            coverage=1.0,
            note="a model for tests",
        )
        info = BundleInfo(
            task=task,
            labels=labels,
            input_size=size,
            version=version,
            threshold=fit,
            temperature=1.0,
            metrics={},
            reference={},
            dataset="none",
            backbone="none",
            seed=0,
            code="test",
            trained_at="2026-11-20T00:00:00+00:00",
        )
        return write_bundle(info, _tiny_graph(labels, size))

    return make


@pytest.fixture(scope="session")
def png_bytes() -> Callable[..., bytes]:
    """Make the bytes of a picture of one colour: ``png_bytes((220, 20, 20), size=(32, 32), kind="PNG")``."""

    def make(
        colour: tuple[int, int, int] = (220, 20, 20), *, size: tuple[int, int] = (32, 32), kind: str = "PNG"
    ) -> bytes:
        buffer = io.BytesIO()
        PIL.Image.new("RGB", size, colour).save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def start_endpoint(tiny_bundle: Callable[..., bytes]) -> Iterator[Callable[..., str]]:
    """Serve a tiny model over loopback until the test ends: ``url = start_endpoint(max_queue=8, capture=writer)``.

    The options are those of ``scones.serving.build_app``; the endpoint is named ``scones`` unless they say otherwise.
    """
    from scones.bundle import read_bundle
    from scones.classifier import Classifier
    from scones.serving import background_server, build_app

    with ExitStack() as stack:

        def start(classifier: Classifier | None = None, **options: Any) -> str:
            defaults: dict[str, Any] = {"endpoint": "scones", "threshold": 0.9, "workers": 2}
            app = build_app(classifier or Classifier(*read_bundle(tiny_bundle())), **(defaults | options))
            return stack.enter_context(background_server(app))

        yield start


@pytest.fixture(scope="session")
def endpoint_url(tiny_bundle: Callable[..., bytes]) -> Iterator[str]:
    """The address of an endpoint named ``scones`` with a tiny model, shared by all tests; it takes 10,000 bytes."""
    from scones.bundle import read_bundle
    from scones.classifier import Classifier
    from scones.serving import background_server, build_app

    classifier = Classifier(*read_bundle(tiny_bundle()))
    with background_server(build_app(classifier, endpoint="scones", threshold=0.9, max_bytes=10_000)) as url:
        yield url
