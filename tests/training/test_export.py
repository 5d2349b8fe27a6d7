"""Our own networks: written as ONNX, and built again from nothing but that file."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest

from scones.errors import TrainingError
from scones.training import Backbone, load_backbone

torch = pytest.importorskip("torch", reason="fine-tuning needs torch: make train")

from scones.training.export import NETWORK, export_backbone, onnx_graph, read_network  # noqa: E402
from scones.training.networks import Architecture, Features, FlipAveraged, features, fold  # noqa: E402

TINY = Architecture(widths=(8, 16), blocks=(1, 1), stem=3)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> Features:
    """A network whose batch normalisation does something."""
    torch.manual_seed(0)
    made: Features = features(TINY)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                torch.nn.init.uniform_(value, 0.5, 2.0)
            for value in (module.bias, module.running_mean):
                torch.nn.init.normal_(value, 0.0, 0.3)
    made.eval()
    return made


@pytest.fixture(scope="module")
def graph(network: Features) -> bytes:
    return onnx_graph(network, size=32)


def answers(network: object) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(IMAGES)).numpy())  # type: ignore[operator]


def test_folding_batch_normalisation_changes_no_answer(network: Features) -> None:
    folded = fold(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    np.testing.assert_allclose(answers(folded), answers(network), rtol=1e-4, atol=1e-5)


def test_the_graph_answers_float32_and_nearly_what_the_network_does(network: Features, graph: bytes) -> None:
    embedding = Backbone("tiny", graph, 32).embed(IMAGES)
    expected = answers(FlipAveraged(network))
    assert embedding.dtype == np.float32
    assert np.abs(embedding - expected).max() < 2e-2 * expected.std()


def test_weights_take_a_quarter_of_their_bytes_and_biases_all(graph: bytes) -> None:
    types = {one.name: one.data_type for one in onnx.load_from_string(graph).graph.initializer}
    assert types["network.3.first.0.weight"] == onnx.TensorProto.INT8
    assert types["network.3.first.0.bias"] == onnx.TensorProto.FLOAT


def test_a_channel_whose_weights_are_all_zero_stays_so(network: Features) -> None:
    pruned = fold(network)
    with torch.no_grad():
        pruned[3].first[0].weight[0] = 0
    found = read_network(onnx_graph(pruned, size=32))
    assert not found[3].first[0].weight[0].any()
    assert found[3].first[0].weight[1].any()


def test_brightness_and_contrast_change_nearly_nothing(network: Features) -> None:
    dim = (IMAGES * 0.5 + 60).astype(np.uint8)
    expected = answers(network)
    with torch.no_grad():
        found = np.asarray(network(torch.from_numpy(dim)).numpy())
    assert np.abs(found - expected).max() < 0.1 * expected.std()


def test_no_place_of_this_machine_is_written(graph: bytes) -> None:
    assert b"site-packages" not in graph
    assert str(Path.home()).encode() not in graph


def test_a_network_is_built_again_from_its_file_alone(graph: bytes) -> None:
    found = read_network(graph)
    assert found.architecture == TINY
    expected = Backbone("tiny", graph, 32).embed(IMAGES)
    np.testing.assert_allclose(answers(FlipAveraged(found)), expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_was_built_again_is_written_the_same(graph: bytes) -> None:
    again = onnx_graph(read_network(graph), size=32)
    expected = Backbone("b", graph, 32).embed(IMAGES)
    np.testing.assert_allclose(Backbone("a", again, 32).embed(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_a_network_without_biases_is_built_again_too() -> None:
    plain = fold(features(TINY))
    found = read_network(onnx_graph(plain, size=32))
    np.testing.assert_allclose(answers(found), answers(plain), rtol=5e-3, atol=5e-3)


def test_a_backbone_is_loaded_from_the_path_of_its_file(network: Features, tmp_path: Path) -> None:
    export_backbone(network, tmp_path / "own.onnx")
    found = load_backbone(str(tmp_path / "own.onnx"))
    assert (found.name, found.size) == ("own", 32)
    assert [path.name for path in tmp_path.iterdir()] == ["own.onnx"]


@pytest.mark.parametrize("content", [b"", b"hello"])
def test_a_file_that_is_no_backbone_is_told_as_such(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(content)
    with pytest.raises(TrainingError, match=r"other.onnx cannot be loaded"):
        load_backbone(str(tmp_path / "other.onnx"))


def test_a_graph_that_says_nothing_of_its_network_cannot_learn(graph: bytes) -> None:
    model = onnx.load_from_string(graph)
    model.ClearField("metadata_props")
    with pytest.raises(TrainingError, match="does not say how its network is built"):
        read_network(model.SerializeToString())


def test_a_graph_that_lacks_weights_says_which(graph: bytes) -> None:
    model = onnx.load_from_string(graph)
    model.metadata_props[0].CopyFrom(
        onnx.StringStringEntryProto(key=NETWORK, value=json.dumps({**asdict(TINY), "blocks": [1, 2]}))
    )
    with pytest.raises(TrainingError, match=r"lacks the weights 5\.first\.0\.weight"):
        read_network(model.SerializeToString())
