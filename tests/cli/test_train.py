"""``scones train`` as a person meets it: what fine-tuning needs, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import pytest

from scones import errors

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="fine-tuning needs torch: make train")


@pytest.fixture(scope="module")
def shop(scones: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with staged pictures."""
    folder = tmp_path_factory.mktemp("shop")
    assert scones("stage", "--source", "synthetic", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("words", [("--fine-tune",), ("--backbone", "hf:google/vit-base-patch16-224")])
def test_without_torch_the_way_to_it_is_told(shop: Path, words: tuple[str, ...]) -> None:
    # what imports torch, and not torch itself: scipy asks for it too
    hidden = "import sys; sys.modules['scones.training.networks'] = None; from scones.cli import main; main()"
    command = [sys.executable, "-c", hidden, "train", *words]
    shown = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False, timeout=120)
    assert shown.returncode == errors.TrainingError.exit_code
    assert "pip install torch==2.13.0, then pip install 'scones[train]'" in shown.stderr
    assert "Traceback" not in shown.stderr


@needs_torch
def test_a_hub_that_cannot_be_reached_is_told_in_one_line(scones: Run, shop: Path, tmp_path: Path) -> None:
    shown = scones(
        "train", "--backbone", "hf:google/vit-base-patch16-224", cwd=shop, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)
    )
    assert shown.returncode == errors.TrainingError.exit_code
    lines = shown.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("scones: backbone hf:google/vit-base-patch16-224 cannot be loaded (")


def test_what_is_of_fine_tuning_is_refused_without_it(scones: Run, shop: Path) -> None:
    shown = scones("train", "--epochs", "3", cwd=shop)
    assert shown.returncode == errors.SettingsError.exit_code
    assert "--epochs is of fine-tuning: add --fine-tune" in shown.stderr


def test_in_a_training_container_options_are_refused_that_would_not_be_heeded(scones: Run, shop: Path) -> None:
    refused = scones("train", "--ml-root", str(shop), "--backbone", "nano", cwd=shop)
    assert refused.returncode == errors.SettingsError.exit_code
    assert "--backbone is not heeded in a training container" in refused.stderr


def test_an_unknown_backbone_is_told_with_those_that_there_are(scones: Run, shop: Path) -> None:
    shown = scones("train", "--backbone", "huge", cwd=shop)
    assert shown.returncode == errors.TrainingError.exit_code
    assert "unknown backbone 'huge': use one of" in shown.stderr
    assert "hf:ORG/NAME" in shown.stderr


def test_the_parameters_of_a_training_are_in_its_bundle(scones: Run, shop: Path) -> None:
    trained = json.loads(scones("train", "--json", "--seed", "3", cwd=shop).stdout)
    assert trained["seed"] == 3
    assert "fine_tuning" not in trained["parameters"]
