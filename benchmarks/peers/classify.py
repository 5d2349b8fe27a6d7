"""What every peer does with a picture: decode, resize, run, a list of probabilities. It runs in the peer's own
environment, without Scones."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import PIL.Image

__all__ = ["Classify"]


class Classify:
    """The model that ``SCONES_PEER_MODEL`` names.

    Args:
        threads: cores that one run may use; 0: as many as ONNX Runtime likes, which is its default.
    """

    def __init__(self, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        path = os.environ["SCONES_PEER_MODEL"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self._size = int(self._session.get_inputs()[0].shape[1])

    def decode(self, data: bytes) -> Any:
        """A picture file as an array H x W x 3."""
        return self.pixels(PIL.Image.open(io.BytesIO(data)))

    def pixels(self, picture: PIL.Image.Image) -> Any:
        """A picture as an array H x W x 3."""
        colours = picture.convert("RGB")
        if colours.size != (self._size, self._size):
            colours = colours.resize((self._size, self._size), PIL.Image.Resampling.BICUBIC)
        return np.asarray(colours)

    def answer(self, pictures: Sequence[Any]) -> list[list[float]]:
        """Their probabilities, a list a picture."""
        rows: list[list[float]] = self._session.run(None, {self._name: np.stack(pictures)})[0].tolist()
        return rows
