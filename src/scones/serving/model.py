"""Where SageMaker lays the model that a container serves."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SAGEMAKER_MODEL_DIR", "holds_model"]

SAGEMAKER_MODEL_DIR = Path("/opt/ml/model")
"""Where SageMaker unpacks ``model.tar.gz`` in the container."""


def holds_model(folder: Path) -> bool:
    """Say whether a model bundle lies in a folder, unpacked or packed."""
    return any((folder / name).is_file() for name in ("bundle.json", "model.tar.gz"))
