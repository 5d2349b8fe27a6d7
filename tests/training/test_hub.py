"""Backbones of the hub, on tiny models that the test writes: no hub can be reached here."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.errors import TrainingError
from scones.training import load_backbone

torch = pytest.importorskip("torch", reason="fine-tuning needs torch: make train")
transformers = pytest.importorskip("transformers", reason="backbones of the hub need transformers: make train")

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
VIT: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip


def write_vit(folder: Path, *, classifier: bool = False) -> Any:
    torch.manual_seed(0)
    config = transformers.ViTConfig(**VIT)
    model = (transformers.ViTForImageClassification if classifier else transformers.ViTModel)(config).eval()
    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    write_vit(folder)
    return folder


def expected(folder: Path, auto: Any) -> Any:
    """What transformers itself answers, with the folder's own processor."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pictures = [PIL.Image.fromarray(image) for image in IMAGES]
    with torch.no_grad():
        return auto.from_pretrained(folder).eval()(**processor(pictures, return_tensors="pt"))


def test_a_frozen_transformer_answers_as_transformers_does(vit: Path) -> None:
    found = load_backbone(str(vit))
    assert found.size == 32
    pooled = expected(vit, transformers.AutoModel).pooler_output.numpy()
    np.testing.assert_allclose(found.embed(IMAGES), pooled, atol=2e-3)


def test_a_frozen_convolutional_network_answers_as_transformers_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", hidden_act="relu"
    )
    transformers.ResNetModel(config).save_pretrained(tmp_path)
    transformers.ConvNextImageProcessor(
        size={"shortest_edge": 32}, crop_pct=1.0, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
    ).save_pretrained(tmp_path)
    pooled = expected(tmp_path, transformers.AutoModel).pooler_output.numpy()[:, :, 0, 0]
    np.testing.assert_allclose(load_backbone(str(tmp_path)).embed(IMAGES), pooled, rtol=5e-3, atol=5e-3)


def test_a_pooler_that_was_never_trained_is_left_out(tmp_path: Path) -> None:
    write_vit(tmp_path, classifier=True)
    found = load_backbone(str(tmp_path)).embed(IMAGES)
    states = expected(tmp_path, transformers.AutoModelForImageClassification)
    with torch.no_grad():
        head = transformers.AutoModelForImageClassification.from_pretrained(tmp_path).classifier
        np.testing.assert_allclose(head(torch.from_numpy(found)).numpy(), states.logits.numpy(), atol=2e-3)


def test_weights_that_could_hold_code_are_refused(tmp_path: Path) -> None:
    model = write_vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(TrainingError, match="safetensors"):
        load_backbone(str(tmp_path))


def test_code_that_a_repository_brings_is_not_run(tmp_path: Path) -> None:
    write_vit(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_backbone(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_a_model_that_takes_no_pictures_is_refused(vit: Path, tmp_path: Path) -> None:
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=20
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text((vit / "preprocessor_config.json").read_text())
    with pytest.raises(TrainingError, match="gives no embedding for a picture"):
        load_backbone(str(tmp_path))


def test_damaged_weights_are_told_as_such(vit: Path, tmp_path: Path) -> None:
    shutil.copytree(vit, tmp_path / "vit")
    weights = tmp_path / "vit/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_backbone(str(tmp_path / "vit"))


def test_a_processor_that_tells_no_square_is_told_as_such(vit: Path, tmp_path: Path) -> None:
    shutil.copytree(vit, tmp_path / "vit")
    settings = tmp_path / "vit/preprocessor_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "size": {"longest_edge": 64}}))
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_backbone(str(tmp_path / "vit"))


def test_a_damaged_folder_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_backbone(str(tmp_path))
