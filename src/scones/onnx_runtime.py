"""onnxruntime, brought in so that it keeps to itself."""

from __future__ import annotations

import os
from types import ModuleType

__all__ = ["onnx_runtime"]


def onnx_runtime() -> ModuleType:
    """Import onnxruntime with its telemetry off.

    It would tell Microsoft which models run here, from a thread of its own, unless the environment says otherwise
    before the first import (``ORT_DISABLE_TELEMETRY``, from release 1.29 on); an environment that has a say is heeded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime  # type: ignore[no-any-return]
