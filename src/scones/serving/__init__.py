"""The endpoint: a model bundle behind SageMaker's container contract and its runtime path, on any machine."""

from __future__ import annotations

from scones.serving.app import VARIANT, build_app
from scones.serving.capture_writer import CaptureWriter
from scones.serving.model import SAGEMAKER_MODEL_DIR, holds_model
from scones.serving.root import give_up_root
from scones.serving.server import background_server, bind, listening_url, run_server

__all__ = [
    "SAGEMAKER_MODEL_DIR",
    "VARIANT",
    "CaptureWriter",
    "background_server",
    "bind",
    "build_app",
    "give_up_root",
    "holds_model",
    "listening_url",
    "run_server",
]
