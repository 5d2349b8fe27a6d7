"""The endpoint: a model bundle behind SageMaker's container contract and its runtime path, on any machine.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "CaptureWriter": "scones.serving.capture_writer",
    "Endpoint": "scones.serving.endpoint",
    "Lineup": "scones.serving.lineup",
    "SAGEMAKER_MODEL_DIR": "scones.serving.model",
    "Slot": "scones.serving.lineup",
    "Terms": "scones.serving.terms",
    "VARIANT": "scones.serving.lineup",
    "background_endpoint": "scones.serving.endpoint",
    "give_up_root": "scones.serving.root",
    "holds_model": "scones.serving.model",
}

__all__ = [
    "SAGEMAKER_MODEL_DIR",
    "VARIANT",
    "CaptureWriter",
    "Endpoint",
    "Lineup",
    "Slot",
    "Terms",
    "background_endpoint",
    "give_up_root",
    "holds_model",
]

if TYPE_CHECKING:
    from scones.serving.capture_writer import CaptureWriter
    from scones.serving.endpoint import Endpoint, background_endpoint
    from scones.serving.lineup import VARIANT, Lineup, Slot
    from scones.serving.model import SAGEMAKER_MODEL_DIR, holds_model
    from scones.serving.root import give_up_root
    from scones.serving.terms import Terms


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
