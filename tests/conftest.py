"""What tests of several rooms share: a tiny but real model, pictures, tiny archives in CIFAR-100's layout."""

from __future__ import annotations

import io
import pickle
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import PIL.Image
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scones.bundle import BundleInfo, ThresholdFit, write_bundle
from scones.picture import encode_png
from scones.staging import SourcePicture
from scones.task import load_task

if TYPE_CHECKING:
    from scones.classifier import Classifier
    from scones.serving import CaptureWriter, Endpoint


def _tiny_graph(labels: Sequence[str], size: int, strength: float) -> bytes:
    """Mean colours → linear → softmax: the redder, the surer of the first label; the bluer, of the last."""
    weights = np.zeros((3, len(labels)), np.float32)
    weights[0, 0] = weights[2, -1] = strength
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

    Its model is real and answers in microseconds: red pictures are of the first label, blue of the last. The
    smaller ``strength`` is, the less sure it is; below 0 it takes the one for the other.
    """

    def make(
        labels: Sequence[str] | None = None,
        *,
        size: int = 32,
        task: str = "vehicles",
        version: str = "tiny-1",
        threshold: float = 0.9,
        origin: Literal["fitted", "default"] = "default",
        dataset: str = "none",
        strength: float = 8.0,
    ) -> bytes:
        labels = load_task(task).labels if labels is None else tuple(labels)
        fit = ThresholdFit(
            value=threshold,
            origin=origin,
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
            dataset=dataset,
            backbone="none",
            seed=0,
            code="test",
            trained_at="2026-11-20T00:00:00+00:00",
        )
        return write_bundle(info, _tiny_graph(labels, size, strength))

    return make


@pytest.fixture(scope="session")
def red_and_blue() -> Callable[..., list[SourcePicture]]:
    """Draw pictures for a tiny model: red bicycles and blue motorcycles, 120 to learn from and 120 to test with.

    One test picture in ten is of the other colour, so a model of ``strength`` 3.2 knows how sure it may be, and one
    of 8 is too sure.
    """

    def draw() -> list[SourcePicture]:
        rng = np.random.default_rng(0)
        found = []
        for number in range(240):
            split: Literal["train", "test"] = "test" if number < 120 else "train"
            red = (number % 2 == 0) != (split == "test" and number % 20 in (0, 1))
            pixels = rng.integers(0, 60, (32, 32, 3))
            pixels[..., 0 if red else 2] += rng.integers(90, 190)
            data = encode_png(PIL.Image.fromarray(pixels.astype(np.uint8)))
            label = load_task("vehicles").labels[number % 2]
            found.append(SourcePicture(origin=f"{number}", label=label, data=data, split=split))
        return found

    return draw


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


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Wait until a condition holds, for a minute at most: ``wait_until(lambda: log.exists())``."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.005)

    return wait


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def _endpoint(
    classifier: Classifier, *, threshold: float = 0.9, capture: CaptureWriter | None = None, **options: Any
) -> Endpoint:
    """An endpoint named ``scones``; the options are those of ``scones.serving.Endpoint`` and of its terms."""
    from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms

    terms = {name: options.pop(name) for name in Terms.__dataclass_fields__ if name in options}
    captures = {} if capture is None else {VARIANT: capture}
    lineup = Lineup(Slot(VARIANT, classifier, threshold, options.pop("batch", 1)))
    return Endpoint(lineup, Terms(**{"endpoint": "scones", **terms}), captures=captures, **options)


@pytest.fixture
def start_endpoint(tiny_bundle: Callable[..., bytes]) -> Iterator[Callable[..., str]]:
    """Serve a tiny model over loopback until the test ends: ``url = start_endpoint(max_queue=8, capture=writer)``.

    The options are those of ``scones.serving.Endpoint`` and of its terms; it is named ``scones`` unless they say
    otherwise.
    """
    from scones.bundle import read_bundle
    from scones.classifier import Classifier
    from scones.serving import background_endpoint

    with ExitStack() as stack:

        def start(classifier: Classifier | None = None, **options: Any) -> str:
            endpoint = _endpoint(classifier or Classifier(*read_bundle(tiny_bundle())), **options)
            return stack.enter_context(background_endpoint(endpoint))

        yield start


@pytest.fixture(scope="session")
def endpoint_url(tiny_bundle: Callable[..., bytes]) -> Iterator[str]:
    """The address of an endpoint named ``scones`` with a tiny model, shared by all tests; it takes 10,000 bytes."""
    from scones.bundle import read_bundle
    from scones.classifier import Classifier
    from scones.serving import background_endpoint

    with background_endpoint(_endpoint(Classifier(*read_bundle(tiny_bundle())), max_bytes=10_000)) as url:
        yield url


Row = tuple[int, str]
"""A fine label and a file name."""

FINE = [f"class_{number}" for number in range(100)]
FINE[8], FINE[48], FINE[12] = "bicycle", "motorcycle", "bridge"
COARSE = [f"coarse_{number}" for number in range(20)]
COARSE[18] = "vehicles_1"


def noise(seed: int, side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def table(rows: Sequence[Row], first: int) -> dict[bytes, Any]:
    data = np.stack([noise(first + index).transpose(2, 0, 1).reshape(-1) for index in range(len(rows))])
    return {
        b"data": data,
        b"fine_labels": [label for label, _ in rows],
        b"coarse_labels": [18 if label in (8, 48) else 0 for label, _ in rows],
        b"filenames": [name.encode() for _, name in rows],
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def draw() -> Callable[..., bytes]:
    """The PNG of a picture like no other: ``draw(seed, side=32)``."""

    def make(seed: int, side: int = 32) -> bytes:
        return encode_png(PIL.Image.fromarray(noise(seed, side)))

    return make


@pytest.fixture
def make_archive(tmp_path: Path) -> Callable[..., Path]:
    """Write an archive in CIFAR-100's layout.

    ``make_archive(train=[(8, "a.png"), …], test=…, extra=…, pickles={"meta": b"…"})``: ``extra`` is called
    with the open tar, ``pickles`` replaces members.
    """

    def make(
        train: Sequence[Row] | None = None,
        test: Sequence[Row] | None = None,
        extra: Callable[[tarfile.TarFile], None] | None = None,
        pickles: Mapping[str, bytes] | None = None,
    ) -> Path:
        many = [(label, f"{number}.png") for number in range(12) for label in (8, 48, 12)]
        contents: dict[str, Any] = {
            "meta": {
                b"fine_label_names": [name.encode() for name in FINE],
                b"coarse_label_names": [name.encode() for name in COARSE],
            },
            "train": table(many if train is None else train, 0),
            "test": table(many[:9] if test is None else test, 1000),
        }
        path = tmp_path / "cifar-100-python.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            if extra is not None:
                extra(tar)
            for name, content in contents.items():
                # protocol 3, as later ones pickle arrays in other words than Python 2 did
                data = (pickles or {}).get(name, pickle.dumps(content, protocol=3))
                add(tar, f"cifar-100-python/{name}", data)
        return path

    return make
