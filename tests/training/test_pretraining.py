"""A backbone learns from an archive, goes on after a kill, teaches another, and is what `scones train` reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.errors import TrainingError
from scones.training import load_backbone

torch = pytest.importorskip("torch", reason="pretraining needs torch: make train")

from scones.training.muon import Muon  # noqa: E402
from scones.training.pretraining import Recipe, pretrain  # noqa: E402

QUICK = Recipe(batch=8)


class Killed(Exception):
    pass


@pytest.fixture
def archive(make_archive: Callable[..., Path]) -> Path:
    return make_archive()


def run(archive: Path, out: Path, **options: Any) -> dict[str, Any]:
    return pretrain(archive, out, **{"network": "nano", "epochs": 2, "recipe": QUICK, **options})


def test_a_backbone_is_written_with_its_learning_curve(archive: Path, tmp_path: Path) -> None:
    figures = run(archive, tmp_path / "tiny.onnx")
    backbone = load_backbone(str(tmp_path / "tiny.onnx"))
    embedding = backbone.embed(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
    assert embedding.shape == (3, 192)
    assert np.isfinite(embedding).all()
    rows = [json.loads(line) for line in (tmp_path / "tiny.curve.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert figures["bytes"] == (tmp_path / "tiny.onnx").stat().st_size


def test_a_killed_run_goes_on_and_ends_as_it_would_have(archive: Path, tmp_path: Path) -> None:
    def die(row: dict[str, Any]) -> None:
        if row["epoch"] == 2:
            raise Killed

    whole = run(archive, tmp_path / "whole.onnx", epochs=3)
    with pytest.raises(Killed):
        run(archive, tmp_path / "killed.onnx", epochs=3, report=die)
    rows: list[dict[str, Any]] = []
    again = run(archive, tmp_path / "killed.onnx", epochs=3, report=rows.append)
    assert [row["epoch"] for row in rows] == [2, 3]
    assert again["test_accuracy"] == whole["test_accuracy"]
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    one, other = (load_backbone(str(tmp_path / f"{name}.onnx")).embed(pictures) for name in ("whole", "killed"))
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_a_backbone_teaches_another_network(archive: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    run(archive, tmp_path / "pupil.onnx", epochs=1, teachers=[load_backbone("nano")], report=rows.append)
    alone: list[dict[str, Any]] = []
    run(archive, tmp_path / "alone.onnx", epochs=1, report=alone.append)
    assert rows[0]["loss"] != alone[0]["loss"]


def test_several_teachers_are_heard_as_one(archive: Path, tmp_path: Path) -> None:
    losses = []
    for teachers in (["nano"], ["small"], ["nano", "small"]):
        rows: list[dict[str, Any]] = []
        backbones = [load_backbone(name) for name in teachers]
        run(archive, tmp_path / f"{'-'.join(teachers)}.onnx", epochs=1, teachers=backbones, report=rows.append)
        losses.append(rows[0]["loss"])
    assert len(set(losses)) == 3


def test_a_run_starts_from_the_weights_of_an_earlier_one(archive: Path, tmp_path: Path) -> None:
    run(archive, tmp_path / "first.onnx", epochs=1)
    still = Recipe(batch=8, restart=0.0)
    run(archive, tmp_path / "second.onnx", epochs=1, start=tmp_path / "first.ckpt", recipe=still)
    first, second = (torch.load(tmp_path / f"{name}.ckpt") for name in ("first", "second"))
    for name, learned in first["average"].items():
        if learned.ndim == 4:
            alike = torch.nn.functional.cosine_similarity(second["net"][name].flatten(), learned.flatten(), 0)
            assert alike > 0.999, "only its length may differ: Muon keeps that constant"
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        run(archive, tmp_path / "third.onnx", start=tmp_path / "none.ckpt")


def test_an_unknown_network_and_a_foreign_checkpoint_are_told(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="use one of nano, small"):
        run(archive, tmp_path / "x.onnx", network="huge")
    torch.save({"name": "small"}, tmp_path / "x.ckpt")
    with pytest.raises(TrainingError, match="is of small, not of nano"):
        run(archive, tmp_path / "x.onnx")


def test_muon_takes_orthogonal_steps_and_keeps_the_norm_of_weights() -> None:
    weight = torch.nn.Parameter(torch.randn(4, 3, 3, 3))
    optimizer = Muon([weight], lr=0.0)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert float(weight.detach().norm()) == pytest.approx(2.0)  # the square root of four output channels
    before = weight.detach().clone()
    optimizer.param_groups[0]["lr"] = 1.0
    optimizer.step()
    step = (weight.detach() - before).flatten(1)
    assert torch.linalg.svdvals(step).tolist() == pytest.approx([1.0] * 4, abs=0.5)
